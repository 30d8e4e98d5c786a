import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from facerec.evaluation import hardest_pairs


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), size=st.integers(4, 40))
def test_they_are_those_of_a_search_through_all_pairs(seed: int, size: int) -> None:
    random = torch.Generator().manual_seed(seed)
    embeddings = F.normalize(torch.randn(size, 8, generator=random), dim=1)
    labels = torch.arange(size) % max(2, size // 3)
    similarity = embeddings @ embeddings.T
    for kind, found in zip((True, False), hardest_pairs(embeddings, labels, count=3), strict=True):
        all_pairs = sorted(
            (float(similarity[i, j]) * (1 if kind else -1), i, j)
            for i in range(size)
            for j in range(i + 1, size)
            if bool(labels[i] == labels[j]) == kind
        )
        expected: list[tuple[int, int]] = []
        for _, i, j in all_pairs:
            if len(expected) < 3 and not {i, j} & {row for pair in expected for row in pair}:
                expected.append((i, j))
        assert [(pair.left, pair.right) for pair in found] == expected
        for pair in found:
            torch.testing.assert_close(torch.tensor(pair.similarity), similarity[pair.left, pair.right])
