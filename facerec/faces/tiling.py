"""Detect faces in photos of any size, in tiles that fit a network: the whole photo small, parts of it larger."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import nms
from torchvision.transforms.v2 import functional as V

from facerec.errors import ConfigError
from facerec.faces.face import Face

_STRIDE = 32  # networks halve an image five times


class Detections(NamedTuple):
    """The faces in one tile: `float32` boxes `[K, 4]`, landmarks `[K, 5, 2]` and scores `[K]`, on the CPU."""

    boxes: Tensor
    landmarks: Tensor
    scores: Tensor


Detect = Callable[[Tensor], list[Detections]]
"""From tiles `uint8 [B, 3, h, w]` to the faces in each, in pixels of the tile."""


class Tile(NamedTuple):
    """A resized part of a photo.

    Attributes:
        pixels: `uint8 [3, h, w]`.
        scale: `float32 [2]`, pixels of the tile for each pixel of the photo, in x and y.
        shift: `float32 [2]`, x and y of the tile's corner in the resized photo.
        inner: `bool [4]`, which of its sides (left, top, right, bottom) lie inside the photo.
        extent: `float32 [2]`, width and height without padding.
    """

    pixels: Tensor
    scale: Tensor
    shift: Tensor
    inner: Tensor
    extent: Tensor


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

    def __call__(self, photos: Sequence[Tensor], detect: Detect, device: torch.device) -> list[list[Face]]:
        """The faces in each photo `uint8 [3, H, W]`, best score first."""
        results = self._detect(photos, detect, device)
        best = [_upright_score(faces) for faces in results]
        doubtful = [row for row, score in enumerate(best) if self.turns and score < self.upright_score]
        for quarter in (1, 3, 2):
            turned = self._detect([torch.rot90(photos[row], quarter, (1, 2)) for row in doubtful], detect, device)
            for row, faces in zip(doubtful, turned, strict=True):
                if (score := _upright_score(faces)) > best[row]:
                    best[row] = score
                    results[row] = [_turned_back(face, quarter, photos[row]) for face in faces]
        return results

    def _detect(self, photos: Sequence[Tensor], detect: Detect, device: torch.device) -> list[list[Face]]:
        by_shape: dict[tuple[int, ...], list[tuple[int, Tile]]] = defaultdict(list)
        detections: list[list[Detections]] = [[] for _ in photos]
        for row, photo in enumerate(photos):
            for tile in self._tiles(photo.to(device)):
                waiting = by_shape[tuple(tile.pixels.shape)]
                waiting.append((row, tile))
                if len(waiting) == self.batch_size:
                    _detect_in(waiting, detect, detections)
        for waiting in by_shape.values():
            _detect_in(waiting, detect, detections)
        return [self._merge(*pair) for pair in zip(photos, detections, strict=True)]

    def _tiles(self, photo: Tensor) -> Iterator[Tile]:
        """The tiles of one photo; their padding depends on nothing else, so results do not depend on the batch."""
        height, width = photo.shape[1:]
        coarsest = min(1.0, self.side / max(height, width))
        finest = max(coarsest, min(1.0, self.min_face / self.smallest))
        steps = math.ceil(math.log2(finest / coarsest) - 1e-9)
        for step in range(steps + 1):
            scale = coarsest * (finest / coarsest) ** (step / max(steps, 1))
            size = [max(1, round(height * scale)), max(1, round(width * scale))]
            resized: Tensor = V.resize(photo, size, antialias=True) if size != [height, width] else photo
            for top in self._starts(size[0]):
                for left in self._starts(size[1]):
                    part = resized[:, top : top + self.side, left : left + self.side]
                    h, w = part.shape[1:]
                    yield Tile(
                        F.pad(part, (0, -w % _STRIDE, 0, -h % _STRIDE)),
                        torch.tensor([size[1] / width, size[0] / height]),
                        torch.tensor([left, top], dtype=torch.float32),
                        torch.tensor([left > 0, top > 0, left + w < size[1], top + h < size[0]]),
                        torch.tensor([w, h], dtype=torch.float32),
                    )

    def _starts(self, length: int) -> list[int]:
        """Where tiles start along a side of this length: evenly spaced, sharing `overlap` pixels or more."""
        if length <= self.side:
            return [0]
        count = math.ceil((length - self.overlap) / (self.side - self.overlap))
        return [round(index * (length - self.side) / (count - 1)) for index in range(count)]

    def _merge(self, photo: Tensor, detections: Sequence[Detections]) -> list[Face]:
        boxes, landmarks, scores = (torch.cat(parts) for parts in zip(*detections, strict=True))
        most = torch.tensor([photo.shape[2] - 1.0, photo.shape[1] - 1.0] * 2)
        inside = boxes.clamp(min=0).minimum(most)
        return [
            Face(inside[row].numpy(), landmarks[row].numpy(), float(scores[row]))
            for row in nms(boxes, scores, self.max_iou).tolist()
            if (inside[row, 2:] - inside[row, :2]).min() >= 1  # its box still has pixels in the photo
        ]


def _detect_in(tiles: list[tuple[int, Tile]], detect: Detect, detections: list[list[Detections]]) -> None:
    """Detect in tiles of one shape, add the faces to those of their photos, in their pixels, and clear the list."""
    if not tiles:
        return
    batch = torch.stack([tile.pixels for _, tile in tiles])
    for (row, tile), (boxes, landmarks, scores) in zip(tiles, detect(batch), strict=True):
        # a face that a tile cuts off is whole in the neighbouring tile, or in one of a smaller scale
        cut_off = torch.cat([boxes[:, :2] < 0, boxes[:, 2:] > tile.extent - 1], dim=1) & tile.inner
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        kept = ~cut_off.any(dim=1) & ((centres > 0) & (centres < tile.extent)).all(dim=1)
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


def _turned_back(face: Face, quarter: int, photo: Tensor) -> Face:
    """A face of the photo rotated counter-clockwise by quarter turns, in pixels of the photo itself."""
    height, width = photo.shape[1:]

    def back(points: Tensor) -> Tensor:
        x, y = points.unbind(-1)
        if quarter == 1:
            return torch.stack([width - 1 - y, x], -1)
        if quarter == 2:
            return torch.stack([width - 1 - x, height - 1 - y], -1)
        return torch.stack([y, height - 1 - x], -1)

    corners = back(torch.from_numpy(face.box).reshape(2, 2))
    box = torch.cat([corners.min(dim=0).values, corners.max(dim=0).values])
    return Face(box.numpy(), back(torch.from_numpy(face.landmarks)).numpy(), face.score)
