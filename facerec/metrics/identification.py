"""Open-set identification: searches for mated and non-mated probes."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from facerec.errors import DataError
from facerec.metrics.accuracy import enrol_half
from facerec.metrics.similarity import require_finite, similarity_blocks


class IdentificationPoint(NamedTuple):
    """False positive identification rate (`fpir`), and detection and identification rate (`dir`)."""

    target_fpir: float
    fpir: float
    dir: float
    threshold: float


class Probes(NamedTuple):
    """For each probe its highest similarity to a prototype, within -1..1, on the CPU.

    Attributes:
        rows: `int64 [P]`, mated probes: samples of enrolled identities.
        right: `bool [P]`, whether the nearest prototype is their own.
        similarity: `float [P]`.
        non_mated_rows: `int64 [S]`, non-mated probes: samples of identities that are not enrolled.
        non_mated_similarity: `float [S]`.
    """

    rows: Tensor
    right: Tensor
    similarity: Tensor
    non_mated_rows: Tensor
    non_mated_similarity: Tensor

    def identified(self, threshold: float) -> Tensor:
        """Mated probes that are detected and named rightly, `bool [P]`; their mean is DIR."""
        return self.right & (self.similarity >= threshold)

    def alarms(self, threshold: float) -> Tensor:
        """Non-mated probes that return somebody, `bool [S]`; their mean is FPIR."""
        return self.non_mated_similarity >= threshold


def open_set_probes(embeddings: Tensor, labels: Tensor, known: Tensor) -> Probes:
    """Enrol half of each known identity; search with the other half (mated) and all others (non-mated).

    Args:
        embeddings: unit `float [N, d]`.
        labels: `int64 [N]`.
        known: `bool [N]`, samples of identities to enrol; the same for all samples of an identity.

    Raises:
        DataError: an embedding is not finite, no known identity has two samples, all identities are known,
            or an identity is known only in part.
    """
    require_finite(embeddings)
    if parted := set(labels[known].tolist()) & set(labels[~known].tolist()):
        raise DataError(f"{len(parted)} identities are known in part, such as label {min(parted)}")
    if known.all():
        raise DataError("every identity is known, so there is no non-mated probe")
    enrolled = enrol_half(embeddings[known], labels[known])
    rows = known.nonzero().squeeze(1)[enrolled.probe]
    similarity, nearest = _nearest(embeddings[rows], enrolled.prototypes)
    non_mated_rows = (~known).nonzero().squeeze(1)
    non_mated_similarity, _ = _nearest(embeddings[non_mated_rows], enrolled.prototypes)
    right = nearest == enrolled.identity[enrolled.probe]
    return Probes(*(part.cpu() for part in (rows, right, similarity, non_mated_rows, non_mated_similarity)))


def identification_points(probes: Probes, rates: Sequence[float] = (0.1, 0.01)) -> list[IdentificationPoint]:
    """For each rate the lowest threshold that holds it as false positive identification rate.

    DIR, detection and identification rate, and FPIR, false positive identification rate, are those of
    Phillips, Grother & Micheals (Handbook of Face Recognition, 2011) and ISO/IEC 19795-1; NIST's FRVT reports
    FNIR = 1 - DIR. The lowest threshold is the next number above the similarity of the first non-mated
    probe that must be rejected, or -1 if none must.

    Args:
        probes: from `open_set_probes`.
        rates: target FPIRs, each within 0..1.

    Raises:
        ValueError: a rate is not within 0..1.
    """
    return [_point(probes, rate) for rate in rates]


def _point(probes: Probes, rate: float) -> IdentificationPoint:
    if not 0 <= rate <= 1:
        raise ValueError(f"a false positive identification rate is within 0..1, not {rate}")
    descending = probes.non_mated_similarity.sort(descending=True).values
    shares = torch.arange(1, len(descending) + 1, dtype=torch.float64) / len(descending)
    refused = descending[shares > rate]
    # float numbers of a tensor survive the way to Python and back
    threshold = float(torch.nextafter(refused[0], refused.new_tensor(2))) if len(refused) else -1.0
    fpir, identified = (
        float(hits.double().mean()) for hits in (probes.alarms(threshold), probes.identified(threshold))
    )
    return IdentificationPoint(rate, fpir, identified, threshold)


def _nearest(embeddings: Tensor, prototypes: Tensor) -> tuple[Tensor, Tensor]:
    """Similarity of the most similar prototype, clamped to -1..1, and its number; of equals the lower."""
    best = [block.max(dim=1) for block in similarity_blocks(embeddings, prototypes)]
    values, places = zip(*best, strict=True)
    return torch.cat(values).clamp(-1, 1), torch.cat(places)
