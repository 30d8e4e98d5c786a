"""Channel mean and standard deviation of a training set, exact, in the 0..255 domain."""

import hashlib
import json
import math
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from facerec.crops.contract import IndexedCrops
from facerec.runtime.files import replace_json

_CHUNK = 512


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and (population) standard deviation of each colour channel, 0..255, over `images` crops."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    images: int


def channel_statistics(crops: IndexedCrops, rows: NDArray[np.int64]) -> ChannelStatistics:
    """Sum values and squares of `crops[rows]` as integers, so that nothing is rounded on the way.

    Args:
        crops: `uint8 [N, 3, H, W]`, typically memory-mapped; read in chunks.
        rows: the images to count.
    """
    total, squares, pixels = [0, 0, 0], [0, 0, 0], 0
    for start in tqdm(range(0, len(rows), _CHUNK), "channel statistics", unit="chunk"):
        chunk = torch.from_numpy(crops[rows[start : start + _CHUNK]]).transpose(0, 1).flatten(1)
        pixels += chunk.shape[1]
        for channel, values in enumerate(chunk):
            total[channel] += int(values.sum(dtype=torch.int64))
            squares[channel] += int(values.int().square_().sum(dtype=torch.int64))
    r, g, b = (
        (value / pixels, math.sqrt((pixels * square - value * value) / pixels**2))
        for value, square in zip(total, squares, strict=True)
    )
    return ChannelStatistics((r[0], g[0], b[0]), (r[1], g[1], b[1]), len(rows))


def cached_channel_statistics(crops: IndexedCrops, rows: NDArray[np.int64], cache: Path) -> ChannelStatistics:
    """`channel_statistics`, remembered beside the crop cache `cache` for these rows."""
    key = hashlib.sha256(rows.tobytes()).hexdigest()[:16]
    path = cache.with_name(f"{cache.stem}-statistics-{key}.json")
    with suppress(FileNotFoundError, ValueError):  # half a file counts as none
        values = json.loads(path.read_text())
        return ChannelStatistics(tuple(values["mean"]), tuple(values["std"]), values["images"])
    statistics = channel_statistics(crops, rows)
    replace_json(path, asdict(statistics))
    return statistics
