"""Embeddings of the images of a data set, by its splits."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facerec.data import FaceImages
from facerec.data.images import SPLITS
from facerec.data.live_crops import DatasetCrops
from facerec.errors import ModelError
from facerec.evaluation.systems import model_embeddings
from facerec.models import Model, embed_members
from facerec.runtime.work_shard import WHOLE, Shard


def embed_split(
    model: Model,
    images: FaceImages,
    crops: DatasetCrops,
    split: str,
    *,
    cache: Path,
    batch_size: int,
    shard: Shard = WHOLE,
) -> dict[str, NDArray[np.float32]]:
    """Embed the images of a split with each member of a model.

    Args:
        model: whose members.
        images: the data set.
        crops: of its images.
        split: see `FaceImages`.
        cache: folder of embeddings.
        batch_size: crops on the device at once.
        shard: which of the blocks of 4096 images to embed, see `embed_rows`.

    Returns:
        Member → unit `float32 [N, d_k]`; rows of blocks that are not of the shard are NaN.

    Raises:
        ModelError: an embedding is not finite.
    """
    keys = {name: f"{model.fingerprint}/{name}" for name in model.members}
    rows = images.rows(split)
    members = embed_members(model.members, keys, crops, rows, cache=cache, batch_size=batch_size, shard=shard)
    for name, embeddings in members.items():
        if shard == WHOLE and not np.isfinite(embeddings).all():
            raise ModelError(f"member {name}: embeddings are not finite; train it again or check its contract")
    return members


def embed_splits(
    model: Model,
    images: FaceImages,
    crops: DatasetCrops,
    *,
    split: str,
    cache: Path,
    batch_size: int,
    shard: Shard = WHOLE,
) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Embed the images of "val" and of `split`, see `embed_split`: split → member → embeddings."""
    return {
        name: embed_split(model, images, crops, name, cache=cache, batch_size=batch_size, shard=shard)
        for name in dict.fromkeys(("val", split))
    }


def embed_all(
    model: Model,
    images: FaceImages,
    crops: DatasetCrops,
    *,
    cache: Path,
    batch_size: int,
    shard: Shard = WHOLE,
) -> NDArray[np.float32]:
    """Embed all images with the model itself, unit `float32 [N, d]`; see `embed_split`."""
    embeddings = np.full((len(images.files), model.dim), np.nan, np.float32)
    for split in (split for split in SPLITS if len(images.rows(split))):
        members = embed_split(model, images, crops, split, cache=cache, batch_size=batch_size, shard=shard)
        embeddings[images.rows(split)] = model_embeddings(members, model.weights)
    return embeddings
