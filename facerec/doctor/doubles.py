"""Doubles: the same photo twice, with nearly equal vectors and nearly equal crops."""

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from facerec.crops.contract import Crops, IndexedCrops
from facerec.metrics.similarity import similarity_blocks

_SAMPLE = 128  # images whose copies are looked at
_SHARE = 0.05  # of the copies may be further from their original than the levels
_SIZE, _JPEG = 0.75, 75  # a copy's
_SHIFT = 3  # pixels that two crops of one photo may be apart


class CopyLevels(NamedTuple):
    """How alike an image and a copy of it are: their vectors, and their crops (Pearson correlation)."""

    similarity: float
    correlation: float


class Double(NamedTuple):
    """Rows of images of one photo, `int64`, ascending, and the least similarity that links them."""

    rows: NDArray[np.int64]
    similarity: float


def copy_levels(
    crops: IndexedCrops, vectors: NDArray[np.float32], embed: Callable[[Crops], NDArray[np.float32]]
) -> CopyLevels:
    """Copy some images as copies are made, smaller, compressed again, a pixel off, and see what it changes.

    Args:
        crops: `uint8 [N, 3, 112, 112]`.
        vectors: unit `float32 [N, d]`, of these.
        embed: gives the vectors of crops.

    Returns:
        The levels that 19 of 20 copies reach.
    """
    rows = np.linspace(0, len(vectors) - 1, min(_SAMPLE, len(vectors))).astype(np.int64)
    originals = crops[rows]
    copies = np.stack([_copied(crop) for crop in originals])
    similarity = (vectors[rows] * embed(copies)).sum(axis=1)
    correlation = [_correlation(*pair) for pair in zip(originals, copies, strict=True)]
    return CopyLevels(float(np.quantile(similarity, _SHARE)), float(np.quantile(correlation, _SHARE)))


def find_doubles(crops: IndexedCrops, vectors: NDArray[np.float32], levels: CopyLevels) -> list[Double]:
    """Compare all images with each other; crops are looked at where the vectors are nearly equal.

    Args:
        crops: `uint8 [N, 3, 112, 112]`, usually memory-mapped.
        vectors: unit `float32 [N, d]`.
        levels: from `copy_levels`.

    Returns:
        Groups of two images or more, the most alike first.
    """
    units, start, near_pairs = torch.from_numpy(vectors), 0, []
    for block in similarity_blocks(units, units):
        near = (block >= levels.similarity).triu(start + 1)
        places = near.nonzero()
        places[:, 0] += start
        near_pairs.append((places.numpy(), block[near].numpy()))
        start += len(block)
    pairs = np.concatenate([entry[0] for entry in near_pairs])
    similarity = np.concatenate([entry[1] for entry in near_pairs])
    alike = np.array([_correlation(*crops[pair]) for pair in pairs]) >= levels.correlation
    pairs, similarity = pairs[alike], similarity[alike]
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(vectors), len(vectors)))
    _, group = connected_components(links, directed=False)
    least: dict[int, float] = {}
    for (left, _), value in zip(pairs.tolist(), similarity.tolist(), strict=True):
        least[group[left]] = min(value, least.get(group[left], 1.0))
    doubles = [Double(np.flatnonzero(group == label), value) for label, value in least.items()]
    return sorted(doubles, key=lambda double: -double.similarity)


def _copied(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    photo = Image.fromarray(np.roll(crop, 1, axis=2).transpose(1, 2, 0))
    side, stream = round(photo.width * _SIZE), io.BytesIO()
    photo.resize((side, side), Image.Resampling.BOX).save(stream, "jpeg", quality=_JPEG)
    return np.asarray(Image.open(stream).resize(photo.size, Image.Resampling.BICUBIC)).transpose(2, 0, 1)


def _correlation(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    """Of the brightness of two crops `uint8 [3, 112, 112]`, where they fit best within a few pixels."""
    first, second = _pattern(left), _pattern(right)
    by_shift = np.fft.irfft2(np.fft.rfft2(first) * np.conj(np.fft.rfft2(second)), first.shape)
    near = np.arange(-_SHIFT, _SHIFT + 1)
    return float(by_shift[np.ix_(near, near)].max())


def _pattern(crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Brightness, `float64 [112, 112]`, of mean 0 and length 1 (0 if there is one brightness only)."""
    grey: NDArray[np.float64] = crop.mean(axis=0)
    grey -= grey.mean()
    return grey / max(float(np.linalg.norm(grey)), 1e-9)
