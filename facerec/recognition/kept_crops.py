"""Crops of indexed faces, made from their photos again: the index has only their SHA-256."""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

from facerec.crops import encode_png
from facerec.crops.contract import Crops
from facerec.faces import Detector, crop_files


def pngs_of(crops: Crops, digests: Collection[bytes]) -> dict[bytes, bytes]:
    """Of some crops, those with a wanted SHA-256, as PNG.

    Args:
        crops: `uint8 [N, 3, 112, 112]`.
        digests: the wanted ones.
    """
    hashed = ((hashlib.sha256(crop.tobytes()).digest(), crop) for crop in crops)
    return {digest: encode_png(crop.transpose(1, 2, 0)) for digest, crop in hashed if digest in digests}


def crop_again(
    files: Sequence[Path],
    digests: Collection[bytes],
    detector: Detector,
    *,
    min_size: float,
    min_score: float,
    batch_size: int,
) -> dict[bytes, bytes]:
    """The crops with a wanted SHA-256, as PNG; without those that the photos don't have any more.

    Args:
        files: photos.
        digests: the wanted ones.
        detector: which made the crops.
        min_size, min_score, batch_size: as in `embed_files`.
    """
    pngs: dict[bytes, bytes] = {}
    batches = crop_files(
        files, detector, which="all", min_size=min_size, min_score=min_score, batch_size=batch_size
    )
    for batch in batches:
        for photo in batch:
            pngs |= pngs_of(photo.crops, digests)
    return pngs
