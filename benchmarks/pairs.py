"""Pair statistics over all pairs beside those of sampled ones, and TAR at FAR beside scikit-learn.

python benchmarks/pairs.py samples=160000 members=3 sampled=10000000 roc=20000 rounds=1
"""

import tracemalloc
from resource import RUSAGE_SELF, getrusage

import numpy as np
import torch
from results import Figure, record
from sklearn.metrics import roc_curve
from timing import options, seconds
from torch import Tensor
from torch.nn.functional import normalize

from facerec.metrics import operating_points, pair_histograms
from facerec.weighting import MemberPairs


def made_up(samples: int, per_identity: int, seed: int) -> tuple[Tensor, Tensor]:
    """Unit vectors `[samples, 128]` around directions of their identities, and labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(samples) // per_identity
    centres = torch.randn(int(labels.max()) + 1, 128, generator=generator)
    return normalize(centres[labels] + 1.5 * torch.randn(samples, 128, generator=generator)), labels


def statistics(samples: int, members: int, sampled: int, rounds: int) -> Figure:
    """Means and covariances of both kinds of pairs."""
    embeddings = [made_up(samples, 20, seed)[0] for seed in range(members)]
    labels = made_up(samples, 20, 0)[1]
    names = [f"member {k}" for k in range(members)]

    def exact() -> None:
        pairs = MemberPairs(embeddings, labels, names)
        _ = pairs.genuine, pairs.impostor

    def sample() -> None:
        kinds: dict[bool, list[Tensor]] = {True: [], False: []}
        for _ in range(sampled // 500_000):
            left, right = torch.randint(0, samples, (2, 500_000))
            right = torch.where(torch.rand(500_000) < 0.5, right, left // 20 * 20 + right % 20)
            similar = torch.stack([(member[left] * member[right]).sum(1) for member in embeddings], 1)
            same, different = labels[left] == labels[right], left != right
            kinds[True].append(similar[same & different])
            kinds[False].append(similar[~same])
        for parts in kinds.values():
            torch.cov(torch.cat(parts).T)

    timings = seconds({"facerec, all pairs": exact, f"{sampled} sampled pairs": sample}, rounds, warm=False)
    ours, peer = timings.pop("facerec, all pairs"), f"{sampled} sampled pairs"
    what = f"statistics of all pairs, {samples} x {members} x 128"
    return Figure(what, "s", ours, timings, {peer: 10}, less=True)


def verification(samples: int, rounds: int) -> list[Figure]:
    """TAR at FAR of 1e-3, over the similarities as rounded to the grid."""
    vectors, labels = made_up(samples, 20, 0)
    points: dict[str, tuple[float, float]] = {}

    def ours() -> None:
        (point,) = operating_points(pair_histograms(vectors, labels), [1e-3])
        points["facerec"] = (point.far, point.tar)

    def theirs() -> None:
        rows, columns = np.triu_indices(samples, 1)
        similarity = (vectors @ vectors.T).numpy()[rows, columns]
        far, tar, _ = roc_curve(labels.numpy()[rows] == labels.numpy()[columns], np.round(similarity * 2**16))
        last = np.flatnonzero(far <= 1e-3)[-1]
        points["scikit-learn"] = (float(far[last]), float(tar[last]))

    before = getrusage(RUSAGE_SELF).ru_maxrss
    ours()
    growth = (getrusage(RUSAGE_SELF).ru_maxrss - before) / 1024
    timings = seconds({"facerec": ours, "scikit-learn": theirs}, rounds, warm=False)
    tracemalloc.start()
    theirs()
    memory = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    far, tar = (abs(points["facerec"][k] - points["scikit-learn"][k]) for k in range(2))
    what, ours, goals = f"TAR at FAR, all pairs of {samples}", timings.pop("facerec"), {"scikit-learn": 10.0}
    return [
        Figure(what, "s", ours, timings, goals, less=True),
        Figure(f"{what}: memory", "MiB", growth, {"scikit-learn": memory}, {"scikit-learn": 100}, less=True),
        Figure(f"{what}: greatest difference", "", max(far, tar), limit=0, less=True),
    ]


if __name__ == "__main__":
    given = options(samples=160_000, members=3, sampled=10_000_000, roc=20_000, rounds=1)
    second = verification(given["roc"], given["rounds"])  # first, before the other has taken memory
    record([statistics(given["samples"], given["members"], given["sampled"], given["rounds"]), *second])
