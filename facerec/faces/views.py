"""Search a photo of any size in views that a detector can take: the whole of it small, parts of it larger."""

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

_STRIDE = 32  # detectors halve a picture five times


class Detections(NamedTuple):
    """What is in one view: `float32` boxes `[K, 4]`, landmarks `[K, 5, 2]` and scores `[K]`, on the CPU."""

    boxes: Tensor
    landmarks: Tensor
    scores: Tensor


Detect = Callable[[Tensor], list[Detections]]
"""From views `uint8 [B, 3, h, w]` to what is in each, in pixels of the view."""


class View(NamedTuple):
    """A part of a photo, resized.

    Attributes:
        pixels: `uint8 [3, h, w]`.
        scale: `float32 [2]`, pixels of the view in a pixel of the photo, in x and y.
        shift: `float32 [2]`, x and y of the view's corner in the resized photo.
        inner: which of its sides (left, top, right, bottom) cut the photo.
        extent: `float32 [2]`, width and height of what is photo in it; the rest is padding.
    """

    pixels: Tensor
    scale: Tensor
    shift: Tensor
    inner: Tensor
    extent: Tensor


@dataclass(frozen=True)
class Search:
    """How photos are cut into views, and what is found put together.

    Each scale is at most twice the next smaller one, so a face that is too large for a view, or cut by its
    sides, is whole in a view of a smaller scale.

    Args:
        side: longest side of a view.
        smallest: faces of this many pixels in the photo are still to be found.
        seen: the smallest face, in pixels of a view, that the detector sees.
        square: pad each view to a square of `side`.
        overlap: how much two neighbouring views share, in pixels.
        max_iou: of two boxes with a larger intersection over union, the one of lower score is dropped.
        batch_size: views a detector gets at once.
        turns: where no face is surely upright, look again with the photo turned by 90, 270 and 180 degrees.
        sure: a score that faces on their side or head do not reach.
    """

    side: int
    smallest: int
    seen: int
    square: bool
    overlap: int
    max_iou: float
    batch_size: int
    turns: bool
    sure: float

    def __post_init__(self) -> None:
        """Refuse what would find nothing or never end."""
        for name in ("smallest", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"detector.{name} must be at least 1, not {getattr(self, name)}")

    def __call__(self, photos: Sequence[Tensor], detect: Detect, device: torch.device) -> list[list[Face]]:
        """The faces in each photo `uint8 [3, H, W]`, best score first."""
        found = self._upright(photos, detect, device)
        best = [_upright_score(faces) for faces in found]
        doubtful = [row for row, score in enumerate(best) if score < self.sure] if self.turns else []
        for quarter in (1, 3, 2):
            turned = self._upright([torch.rot90(photos[row], quarter, (1, 2)) for row in doubtful], detect, device)
            for row, faces in zip(doubtful, turned, strict=True):
                if (score := _upright_score(faces)) > best[row]:
                    best[row] = score
                    found[row] = [_turned_back(face, quarter, photos[row]) for face in faces]
        return found

    def _upright(self, photos: Sequence[Tensor], detect: Detect, device: torch.device) -> list[list[Face]]:
        by_shape: dict[tuple[int, ...], list[tuple[int, View]]] = defaultdict(list)
        seen: dict[int, list[Detections]] = {row: [] for row in range(len(photos))}
        for row, photo in enumerate(photos):
            for view in self._views(photo.to(device)):
                waiting = by_shape[tuple(view.pixels.shape)]
                waiting.append((row, view))
                if len(waiting) == self.batch_size:
                    _look(waiting, detect, seen)
        for waiting in by_shape.values():
            _look(waiting, detect, seen)
        return [self._merged(seen[row], photo) for row, photo in enumerate(photos)]

    def _views(self, photo: Tensor) -> Iterator[View]:
        """Views of one shape for a photo that is padded alone: results do not depend on its batch."""
        height, width = photo.shape[1:]
        coarsest = min(1.0, self.side / max(height, width))
        finest = max(coarsest, min(1.0, self.seen / self.smallest))
        steps = math.ceil(math.log2(finest / coarsest) - 1e-9)
        for step in range(steps + 1):
            scale = coarsest * (finest / coarsest) ** (step / max(steps, 1))
            size = [max(1, round(height * scale)), max(1, round(width * scale))]
            resized: Tensor = V.resize(photo, size, antialias=True) if size != [height, width] else photo
            for top in self._starts(size[0]):
                for left in self._starts(size[1]):
                    part = resized[:, top : top + self.side, left : left + self.side]
                    h, w = part.shape[1:]
                    padded = (self.side, self.side) if self.square else (_rounded(h), _rounded(w))
                    yield View(
                        F.pad(part, (0, padded[1] - w, 0, padded[0] - h)),
                        torch.tensor([size[1] / width, size[0] / height]),
                        torch.tensor([left, top], dtype=torch.float32),
                        torch.tensor([left > 0, top > 0, left + w < size[1], top + h < size[0]]),
                        torch.tensor([w, h], dtype=torch.float32),
                    )

    def _starts(self, length: int) -> list[int]:
        """Where views begin along a side of this length: evenly, at least `overlap` shared."""
        if length <= self.side:
            return [0]
        count = math.ceil((length - self.overlap) / (self.side - self.overlap))
        return [round(index * (length - self.side) / (count - 1)) for index in range(count)]

    def _merged(self, detections: Sequence[Detections], photo: Tensor) -> list[Face]:
        boxes, landmarks, scores = (torch.cat(parts) for parts in zip(*detections, strict=True))
        most = torch.tensor([photo.shape[2] - 1.0, photo.shape[1] - 1.0] * 2)
        inside = boxes.clamp(min=0).minimum(most)
        return [
            Face(inside[row].numpy(), landmarks[row].numpy(), float(scores[row]))
            for row in nms(boxes, scores, self.max_iou).tolist()
            if (inside[row, 2:] - inside[row, :2]).min() >= 1  # what is left of it in the photo is a face still
        ]


def _look(waiting: list[tuple[int, View]], detect: Detect, seen: dict[int, list[Detections]]) -> None:
    """Detect in the waiting views, of one shape, and note what there is in pixels of their photos."""
    if not waiting:
        return
    batch = torch.stack([view.pixels for _, view in waiting])
    for (row, view), (boxes, landmarks, scores) in zip(waiting, detect(batch), strict=True):
        # a face that reaches over a cut is whole in the neighbouring view, or in one of a smaller scale
        over = torch.cat([boxes[:, :2] < 0, boxes[:, 2:] > view.extent - 1], dim=1) & view.inner
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        kept = ~over.any(dim=1) & ((centres > 0) & (centres < view.extent)).all(dim=1)
        corners, points = (
            (pixels + 0.5 + view.shift) / view.scale - 0.5
            for pixels in (boxes[kept].reshape(-1, 2, 2), landmarks[kept])
        )
        seen[row].append(Detections(corners.reshape(-1, 4), points, scores[kept]))
    waiting.clear()


def _upright_score(faces: Sequence[Face]) -> float:
    """The best score of a face whose eyes lie side by side, as far as that is known; 0 if there is none."""
    across = [(face.landmarks[1] - face.landmarks[0], face.score) for face in faces]
    return max((score for (x, y), score in across if not x < abs(y)), default=0.0)


def _turned_back(face: Face, quarter: int, photo: Tensor) -> Face:
    """The face in the photo, from where it is in the photo turned counter-clockwise by quarters."""
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


def _rounded(length: int) -> int:
    return math.ceil(length / _STRIDE) * _STRIDE
