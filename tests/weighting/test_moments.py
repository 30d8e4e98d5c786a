import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from facerec.errors import DataError, ModelError
from facerec.weighting import MemberPairs, Moments
from facerec.weighting import moments as pairs

NAMES = ("a", "b", "c")


def case(sizes: list[int], dims: list[int], seed: int = 0, unit: bool = True) -> tuple[list[Tensor], Tensor]:
    """Embeddings of members and labels of `sizes[i]` samples of identity i, shuffled."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat(3 * np.arange(len(sizes)) - 4, sizes))
    members = []
    for dim in dims:
        centres = random.normal(size=(labels.max() + 5, dim))
        rows = centres[labels + 4] + random.normal(size=(len(labels), dim))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True) if unit else 1
        members.append(torch.from_numpy(rows).float())
    return members, torch.from_numpy(labels)


def every_pair(members: list[Tensor], labels: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Similarity vectors of all genuine and all impostor pairs, `[P, K]` each, one by one."""
    found: tuple[list[list[float]], list[list[float]]] = ([], [])
    rows = [member.numpy().astype(np.float64) for member in members]
    for x in range(len(labels)):
        for y in range(x):
            found[int(labels[x] != labels[y])].append([float(member[x] @ member[y]) for member in rows])
    return np.array(found[0]), np.array(found[1])


def check(moments: Moments, vectors: NDArray[np.float64]) -> None:
    assert moments.count == len(vectors)
    assert moments.mean.dtype == moments.covariance.dtype == np.float64
    np.testing.assert_allclose(moments.mean, vectors.mean(axis=0), rtol=0, atol=1e-12 * np.abs(vectors).max())
    covariance = np.atleast_2d(np.cov(vectors.T, bias=True))
    np.testing.assert_allclose(moments.covariance, covariance, rtol=0, atol=1e-12 * np.square(vectors).max())


@given(
    sizes=st.lists(st.integers(1, 7), min_size=2, max_size=6).filter(lambda sizes: max(sizes) > 1),
    dims=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    seed=st.integers(0, 99),
    unit=st.booleans(),
    held=st.sampled_from([1, 40, 2**23]),
)
@example(sizes=[1, 2], dims=[3], seed=0, unit=True, held=1)  # one genuine pair, two of impostors
@example(sizes=[30, 1, 1, 2, 2, 2], dims=[4, 2, 3], seed=0, unit=False, held=100)
@settings(deadline=None, max_examples=60)
def test_moments_are_those_of_every_pair(
    sizes: list[int], dims: list[int], seed: int, unit: bool, held: int
) -> None:
    members, labels = case(sizes, dims, seed, unit)
    genuine, impostor = every_pair(members, labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "_CHUNK_VALUES", held)  # how much is looked at at once changes nothing
        found = MemberPairs(members, labels, NAMES[: len(dims)])
        check(found.genuine, genuine)
        check(found.impostor, impostor)
    np.testing.assert_allclose(found.separation, genuine.mean(axis=0) - impostor.mean(axis=0), atol=1e-10)


def test_orthogonal_identities_by_hand() -> None:
    # the second member takes identities 0 and 1 for one: of 12 impostor pairs 4 look genuine
    labels = np.array([0, 0, 1, 1, 2, 2])
    members = [torch.eye(3)[labels], torch.eye(2)[(labels == 2).astype(int)]]
    found = MemberPairs(members, labels, "ab")
    assert (found.genuine.count, found.impostor.count) == (3, 12)
    np.testing.assert_allclose(found.genuine.mean, [1, 1], atol=1e-15)
    np.testing.assert_allclose(found.genuine.covariance, np.zeros((2, 2)), atol=1e-15)
    np.testing.assert_allclose(found.impostor.mean, [0, 1 / 3], atol=1e-15)
    np.testing.assert_allclose(found.impostor.covariance, np.diag([0, 2 / 9]), atol=1e-15)


def test_within_is_the_mean_covariance() -> None:
    members, labels = case([3, 4, 2, 5], [3, 4])
    genuine, impostor = every_pair(members, labels)
    expected = (np.cov(genuine.T, bias=True) + np.cov(impostor.T, bias=True)) / 2
    np.testing.assert_allclose(MemberPairs(members, labels, "ab").within, expected, atol=1e-12)


def test_sampling_takes_every_pair_where_there_are_few() -> None:
    members, labels = case([1, 3, 4, 1, 2], [3, 5])
    for found, expected in zip(
        MemberPairs(members, labels, "ab").similarities(), every_pair(members, labels), strict=True
    ):
        np.testing.assert_allclose(np.sort(found, axis=0), np.sort(expected, axis=0), atol=1e-14)
        order, other = np.lexsort(found.T.round(9)), np.lexsort(expected.T.round(9))
        np.testing.assert_allclose(found[order], expected[other], atol=1e-14)  # members stay together


def test_samples_are_even_distinct_and_follow_the_seed() -> None:
    members, labels = case([9, 2, 30, 1, 1, 20], [4, 6])
    both = MemberPairs(members, labels, "ab")
    drawn = both.similarities(limit=300, seed=1)
    assert all(np.array_equal(one, two) for one, two in zip(drawn, both.similarities(300, 1), strict=True))
    assert not any(np.array_equal(one, two) for one, two in zip(drawn, both.similarities(300, 2), strict=True))
    for sample, expected in zip(drawn, every_pair(members, labels), strict=True):
        kept = {tuple(row) for row in sample.round(10)}
        assert len(sample) == len(kept) == 300
        assert kept <= {tuple(row) for row in expected.round(10)}
    # evenly: the mean over many seeds is the mean over all pairs
    for kind, moments in enumerate((both.genuine, both.impostor)):
        means = np.array([both.similarities(20, seed)[kind].mean(axis=0) for seed in range(400)])
        error = np.sqrt(moments.covariance.diagonal() / (20 * 400))
        assert (np.abs(means.mean(axis=0) - moments.mean) < 4 * error).all()


# Errors


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 1, 2, 3], "no genuine pair"), ([5, 5, 5, 5], "no impostor pair"), ([], "no genuine")],
)
def test_pairs_of_both_kinds_are_needed(labels: list[int], message: str) -> None:
    members = [torch.eye(4)[: len(labels)]]
    with pytest.raises(DataError, match=message):
        MemberPairs(members, np.array(labels, dtype=np.int64), "a")


def test_members_must_have_embedded_the_same_rows() -> None:
    members, labels = case([2, 3], [3, 3])
    with pytest.raises(DataError, match="member b: 4 embeddings for 5 labels"):
        MemberPairs([members[0], members[1][1:]], labels, "ab")
    with pytest.raises(ValueError, match="2 embeddings and 1 names"):
        MemberPairs(members, labels, "a")
    with pytest.raises(ValueError, match="0 embeddings"):
        MemberPairs([], labels, [])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_member_that_is_not_finite_is_named(value: float) -> None:
    members, labels = case([2, 3], [3, 3, 3])
    members[1][2, 0] = value
    with pytest.raises(ModelError, match="member b: 1 of 5 embeddings are not finite"):
        MemberPairs(members, labels, NAMES)


@pytest.mark.parametrize("count", [5, 3000])
def test_a_constant_member_is_named(count: int) -> None:
    members, labels = case([count, 3, 4], [5, 5, 5])
    members[1][:] = members[1][0] + 3e-8 * torch.randn(members[1].shape, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ModelError, match=r"member b: .*do not vary.*leave it out"):
        MemberPairs(members, labels, NAMES).within  # noqa: B018


def test_a_member_that_follows_from_others_is_named() -> None:
    members, labels = case([2, 3, 6, 9], [4, 5])
    rotation = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0))).Q
    again = members[0] @ rotation  # other vectors, the same similarities
    with pytest.raises(ModelError, match="member c: its similarities follow from those of a, b"):
        MemberPairs([*members, again], labels, NAMES).within  # noqa: B018
    mixed = torch.cat([members[0] * 0.6, members[1] * 0.8], dim=1)  # 0.36 a + 0.64 b
    with pytest.raises(ModelError, match="member c: its similarities follow from those of a, b"):
        MemberPairs([*members, mixed], labels, NAMES).within  # noqa: B018
    close = torch.nn.functional.normalize(members[0] + 0.01 * torch.randn(members[0].shape))
    assert np.linalg.eigvalsh(MemberPairs([*members, close], labels, NAMES).within)[0] > 0
