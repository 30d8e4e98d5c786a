"""Detect faces in photos of any size, in tiles that fit a network: the whole photo small, parts of it larger."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import Photo
from facerec.crops.resize import resize
from facerec.errors import ConfigError
from facerec.faces.face import Face
from facerec.faces.overlap import drop_overlapping

_STRIDE = 32  # networks halve an image five times

Floats = NDArray[np.float32]
Tiles = NDArray[np.uint8]
"""`uint8 [B, h, w, 3]`, RGB: tiles of one size."""


class Detections(NamedTuple):
    """The faces in one tile: `float32` boxes `[K, 4]`, landmarks `[K, 5, 2]` and scores `[K]`."""

    boxes: Floats
    landmarks: Floats
    scores: Floats


Detect = Callable[[Tiles], list[Detections]]
"""From tiles to the faces in each, in pixels of the tile."""


class Tile(NamedTuple):
    """A resized part of a photo.

    Attributes:
        pixels: `uint8 [h, w, 3]`.
        scale: `float32 [2]`, pixels of the tile for each pixel of the photo, in x and y.
        shift: `float32 [2]`, x and y of the tile's corner in the resized photo.
        inner: `bool [4]`, which of its sides (left, top, right, bottom) lie inside the photo.
        extent: `float32 [2]`, width and height without padding.
    """

    pixels: Photo
    scale: Floats
    shift: Floats
    inner: NDArray[np.bool_]
    extent: Floats


@dataclass(frozen=True)
class TiledDetection:
    """Splits photos into tiles at several scales, and merges what a network detects in them.

    Each scale is at most twice the next smaller one, so a face that is too large for a tile, or cut off by it,
    lies whole in a tile of a smaller scale.

    Args:
        smallest: size in pixels of the smallest faces to detect in a photo.
        batch_size: tiles in the network at once.
        turns: also detect in the photo rotated by 90, 180 and 270 degrees, if no face is clearly upright.
        upright_score: a score that faces lying on their side or upside down do not reach.
        side: longest side of a tile, in pixels.
        min_face: the smallest face that the network detects, in pixels of a tile.
        overlap: pixels that neighbouring tiles share.
        max_iou: of two boxes with a larger intersection over union, the one with the lower score is dropped.

    Raises:
        ConfigError: `smallest` or `batch_size` is below 1.
    """

    smallest: int
    batch_size: int
    turns: bool
    upright_score: float
    side: int = 640
    min_face: int = 16
    overlap: int = 128
    max_iou: float = 0.4

    def __post_init__(self) -> None:
        """Check the options, which are keys of the detector's config."""
        for name in ("smallest", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"detector.{name} must be at least 1, not {getattr(self, name)}")

    def __call__(self, photos: Sequence[Photo], detect: Detect) -> list[list[Face]]:
        """The faces in each photo `uint8 [H, W, 3]`, best score first."""
        results = self._detect(photos, detect)
        best = [_upright_score(faces) for faces in results]
        doubtful = [row for row, score in enumerate(best) if self.turns and score < self.upright_score]
        for quarter in (1, 3, 2):
            turned = self._detect([np.rot90(photos[row], quarter) for row in doubtful], detect)
            for row, faces in zip(doubtful, turned, strict=True):
                if (score := _upright_score(faces)) > best[row]:
                    best[row] = score
                    results[row] = [_turned_back(face, quarter, photos[row]) for face in faces]
        return results

    def _detect(self, photos: Sequence[Photo], detect: Detect) -> list[list[Face]]:
        by_shape: dict[tuple[int, ...], list[tuple[int, Tile]]] = defaultdict(list)
        detections: list[list[Detections]] = [[] for _ in photos]
        for row, photo in enumerate(photos):
            for tile in self._tiles(photo):
                waiting = by_shape[tile.pixels.shape]
                waiting.append((row, tile))
                if len(waiting) == self.batch_size:
                    _detect_in(waiting, detect, detections)
        for waiting in by_shape.values():
            _detect_in(waiting, detect, detections)
        return [self._merge(*pair) for pair in zip(photos, detections, strict=True)]

    def _tiles(self, photo: Photo) -> Iterator[Tile]:
        """The tiles of one photo; their padding depends on nothing else, so results do not depend on the batch."""
        height, width = photo.shape[:2]
        coarsest = min(1.0, self.side / max(height, width))
        finest = max(coarsest, min(1.0, self.min_face / self.smallest))
        steps = math.ceil(math.log2(finest / coarsest) - 1e-9)
        for step in range(steps + 1):
            scale = coarsest * (finest / coarsest) ** (step / max(steps, 1))
            size = (max(1, round(height * scale)), max(1, round(width * scale)))
            resized = resize(photo, size) if size != (height, width) else photo
            for top in self._starts(size[0]):
                for left in self._starts(size[1]):
                    part = resized[top : top + self.side, left : left + self.side]
                    h, w = part.shape[:2]
                    yield Tile(
                        np.pad(part, ((0, -h % _STRIDE), (0, -w % _STRIDE), (0, 0))),
                        np.array([size[1] / width, size[0] / height], np.float32),
                        np.array([left, top], np.float32),
                        np.array([left > 0, top > 0, left + w < size[1], top + h < size[0]]),
                        np.array([w, h], np.float32),
                    )

    def _starts(self, length: int) -> list[int]:
        """Where tiles start along a side of this length: evenly spaced, sharing `overlap` pixels or more."""
        if length <= self.side:
            return [0]
        count = math.ceil((length - self.overlap) / (self.side - self.overlap))
        return [round(index * (length - self.side) / (count - 1)) for index in range(count)]

    def _merge(self, photo: Photo, detections: Sequence[Detections]) -> list[Face]:
        boxes, landmarks, scores = (np.concatenate(parts) for parts in zip(*detections, strict=True))
        most = np.array([photo.shape[1] - 1, photo.shape[0] - 1] * 2, np.float32)
        inside = np.clip(boxes, 0, most)
        return [
            Face(inside[row], landmarks[row], float(scores[row]))
            for row in drop_overlapping(boxes, scores, self.max_iou)
            if (inside[row, 2:] - inside[row, :2]).min() >= 1  # its box still has pixels in the photo
        ]


def _detect_in(tiles: list[tuple[int, Tile]], detect: Detect, detections: list[list[Detections]]) -> None:
    """Detect in tiles of one shape, add the faces to those of their photos, in their pixels, and clear the list."""
    if not tiles:
        return
    batch = np.stack([tile.pixels for _, tile in tiles])
    for (row, tile), (boxes, landmarks, scores) in zip(tiles, detect(batch), strict=True):
        # a face that a tile cuts off is whole in the neighbouring tile, or in one of a smaller scale
        cut_off = np.concatenate([boxes[:, :2] < 0, boxes[:, 2:] > tile.extent - 1], axis=1) & tile.inner
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        kept = ~cut_off.any(axis=1) & ((centres > 0) & (centres < tile.extent)).all(axis=1)
        corners, points = (
            (pixels + 0.5 + tile.shift) / tile.scale - 0.5
            for pixels in (boxes[kept].reshape(-1, 2, 2), landmarks[kept])
        )
        detections[row].append(Detections(corners.reshape(-1, 4), points, scores[kept]))
    tiles.clear()


def _upright_score(faces: Sequence[Face]) -> float:
    """The best score of faces whose eyes lie side by side or are unknown; 0 if there are none."""
    across = [(face.landmarks[1] - face.landmarks[0], face.score) for face in faces]
    return max((score for (x, y), score in across if not x < abs(y)), default=0.0)


def _turned_back(face: Face, quarter: int, photo: Photo) -> Face:
    """A face of the photo rotated counter-clockwise by quarter turns, in pixels of the photo itself."""
    height, width = photo.shape[:2]

    def back(points: Floats) -> Floats:
        x, y = points[:, 0], points[:, 1]
        if quarter == 1:
            return np.stack([width - 1 - y, x], -1)
        if quarter == 2:
            return np.stack([width - 1 - x, height - 1 - y], -1)
        return np.stack([y, height - 1 - x], -1)

    corners = back(face.box.reshape(2, 2))
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return Face(box, back(face.landmarks), face.score)
