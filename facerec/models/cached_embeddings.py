"""Embeddings of many crops, computed once and stored in blocks: a stopped job goes on with the next block."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError
from tqdm import tqdm

from facerec.crops.contract import IndexedCrops
from facerec.errors import DataError
from facerec.models.base import CropEmbedder
from facerec.runtime.files import replace_file
from facerec.runtime.work_shard import WHOLE, Shard

if TYPE_CHECKING:
    from facerec.data.live_crops import DatasetCrops  # using a model must not import Lightning

log = logging.getLogger(__name__)

_BLOCK_ROWS = 4096


def embeddings_key(model_fingerprint: str, crops_file_name: str, rows: NDArray[np.int64]) -> str:
    """16 hex digits over everything that decides the embeddings.

    Args:
        model_fingerprint: as `facerec.models.folder.fingerprint` gives it.
        crops_file_name: of the crop cache, which has its own fingerprint in its name.
        rows: `int64 [M]`, which crops, in order.
    """
    digest = hashlib.sha256(f"{model_fingerprint} {crops_file_name} {_BLOCK_ROWS}\n".encode())
    digest.update(np.ascontiguousarray(rows, dtype="<i8").tobytes())
    return digest.hexdigest()[:16]


def embed_rows(
    embedder: CropEmbedder,
    crops: IndexedCrops,
    rows: NDArray[np.int64],
    *,
    cache: Path,
    key: str,
    batch_size: int,
    shard: Shard = WHOLE,
) -> NDArray[np.float32]:
    """Embed the given rows, in order; blocks that an earlier call has written are read, not computed.

    Args:
        embedder: embeds the crops.
        crops: `uint8 [N, 3, 112, 112]`, usually memory-mapped, or what is read as if it were.
        rows: `int64 [M]`, each in 0..N-1; repeats are allowed.
        cache: the blocks, 4096 rows each, are `cache/embeddings-KEY/000000.safetensors` and so on.
        key: from `embeddings_key`; another embedder, other crops or rows need another key.
        batch_size: crops on the device at once; another one may change values by rounding.
        shard: which of the blocks to compute or read; rows of all others are NaN.

    Returns:
        `float32 [M, d]`, of unit length.

    Raises:
        DataError: a block can't be written.
        ValueError: `crops` are not `uint8` crops, or `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    embeddings = np.full((len(rows), embedder.embedding_dim), np.nan, np.float32)
    folder = cache / f"embeddings-{key}"
    with tqdm(total=len(rows), desc="embed", unit="crop") as progress:
        for number, start in enumerate(range(0, len(rows), _BLOCK_ROWS)):
            path, span = folder / f"{number:06d}.safetensors", slice(start, start + _BLOCK_ROWS)
            block, wanted = embeddings[span], rows[span]
            if not shard.has(number):
                progress.update(len(block))
                continue
            if (cached := _read(path, block.shape)) is not None:
                block[:] = cached
                progress.update(len(block))
                continue
            for first in range(0, len(block), batch_size):
                batch = slice(first, first + batch_size)
                block[batch] = embedder.embed(crops[wanted[batch]], batch_size)
                progress.update(len(block[batch]))
            _write(path, block)
    return embeddings


def embed_members(
    embedders: Mapping[str, CropEmbedder],
    fingerprints: Mapping[str, str],
    crops: "DatasetCrops",
    rows: NDArray[np.int64],
    *,
    cache: Path,
    batch_size: int,
    shard: Shard = WHOLE,
) -> dict[str, NDArray[np.float32]]:
    """Embed the rows with each embedder, see `embed_rows`.

    Args:
        embedders: by name.
        fingerprints: of each embedder, by the same names.
        crops: from `facerec.data.open_crops`.
        rows: `int64 [M]`.
        cache: folder of blocks.
        batch_size: crops on the device at once.
        shard: which of the blocks to embed.
    """
    file = Path(str(crops.filename)).name
    embeddings = {}
    for name, embedder in embedders.items():
        log.info("embedding %d images with %s", len(rows), name)
        key = embeddings_key(fingerprints[name], file, rows)
        embeddings[name] = embed_rows(
            embedder, crops, rows, cache=cache, key=key, batch_size=batch_size, shard=shard
        )
    return embeddings


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    if not path.exists():
        return None
    try:
        block: NDArray[np.float32] = safetensors.numpy.load(path.read_bytes())["embeddings"]
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError) as error:
        log.warning("%s is damaged (%s): computed again", path, error)
        return None
    # a file of zeros, which a power cut can leave, has the right shape
    if (
        block.shape != shape
        or block.dtype != np.float32
        or not (np.abs(np.linalg.norm(block, axis=1) - 1) < 1e-3).all()
    ):
        log.warning("%s does not hold float32 %s of unit length: computed again", path, list(shape))
        return None
    return block


def _write(path: Path, block: NDArray[np.float32]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, safetensors.numpy.save({"embeddings": block}))
    except OSError as error:
        raise DataError(
            f"{path}: can't be written ({error.strerror}); free space or choose another disk"
        ) from error
