"""Several samples of a person: how many chances of a false match they give."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import hypergeom
from torch import Tensor

from facerec.metrics.similarity import require_finite, similarity_blocks

_FEWEST = 10  # identities with k samples, for k to count


def sample_exponent(
    embeddings: Tensor, labels: Tensor, threshold: float, samples: Sequence[int] = (3, 10, 30)
) -> float | None:
    """The exponent a with which a person of k samples gives strangers as many chances as k^a persons of one sample.

    A stranger is falsely matched if the nearest sample of a person reaches the threshold. If samples were
    independent, k of them would give k times the chances (a = 1); if they were equal, as many as one (a = 0).

    Where h of an identity's n samples reach the threshold, k drawn of the n include one with the probability of the
    hypergeometric distribution, so all draws count and none is made. F_k is the mean of these probabilities over
    all samples of other identities; the exponent is the slope of log F_k over log k, least squares through F_1.

    Args:
        embeddings: unit `float [N, d]`.
        labels: `int64 [N]`.
        threshold: a similarity of at least this is a match.
        samples: numbers k to compare with one; one that fewer than ten identities have is left out.

    Returns:
        The exponent, 0..1; None if all k are left out or nobody is falsely matched.

    Raises:
        DataError: an embedding is not finite.
    """
    require_finite(embeddings)
    sizes = labels.unique(return_counts=True)[1].numpy()
    counts = _count_hits(embeddings, labels, threshold)
    slopes = []
    for k in (k for k in samples if (sizes >= k).sum() >= _FEWEST):
        n, h = counts[k:].nonzero()
        single, several = (counts[k:][n, h] @ hypergeom.sf(0, n + k, h, drawn) for drawn in (1, k))
        if single:
            slopes.append((np.log(k), np.log(several / single)))
    if not slopes:
        return None
    x, y = np.array(slopes).T
    return float(np.clip(x @ y / (x @ x), 0, 1))


def _count_hits(embeddings: Tensor, labels: Tensor, threshold: float) -> NDArray[np.int64]:
    """How often h of an identity's n samples reach the threshold for a sample of another one, `int64 [n, h]`."""
    order = labels.argsort()
    embeddings, sizes = embeddings[order], labels.unique(return_counts=True)[1]
    identity, ends = torch.arange(len(sizes)).repeat_interleave(sizes), sizes.cumsum(0)
    side, start = int(sizes.max()) + 1, 0
    counts = torch.zeros(side * side, dtype=torch.int64)
    for block in similarity_blocks(embeddings, embeddings):
        upto = (block >= threshold).cumsum(1, dtype=torch.int32)[:, ends - 1]
        hits = torch.diff(upto, dim=1, prepend=torch.zeros(len(block), 1, dtype=torch.int32))
        others = identity[start : start + len(block), None] != torch.arange(len(sizes))
        places = (sizes * side + hits)[others]
        counts += torch.bincount(places, minlength=side * side)
        start += len(block)
    return counts.reshape(side, side).numpy()
