"""Decode the outputs of the RetinaFace network, one for each anchor (Deng et al., arXiv 1905.00641)."""

from functools import lru_cache

import numpy as np

from facerec.faces.overlap import drop_overlapping
from facerec.faces.tiling import Detections, Floats

# RetinaFace-MobileNet0.25 of github.com/biubug6/Pytorch_Retinaface, which both packages carry
_SIZES_OF_STRIDE = {8: (16.0, 32.0), 16: (64.0, 128.0), 32: (256.0, 512.0)}
_VARIANCES = (0.1, 0.2)
MEAN_BGR = (104.0, 117.0, 123.0)


@lru_cache(maxsize=32)
def anchors(height: int, width: int) -> Floats:
    """`float32 [A, 3]`: x and y of the centre, and side, in pixels, for an image of this size."""
    levels = []
    for stride, sizes in _SIZES_OF_STRIDE.items():
        y, x, size = np.meshgrid(
            (np.arange(-(-height // stride)) + 0.5) * stride,
            (np.arange(-(-width // stride)) + 0.5) * stride,
            sizes,
            indexing="ij",
        )
        levels.append(np.stack([x, y, size], -1).reshape(-1, 3))
    return np.concatenate(levels).astype(np.float32)


def decode(
    boxes: Floats, scores: Floats, landmarks: Floats, size: tuple[int, int], min_score: float, max_iou: float
) -> list[Detections]:
    """Decode the network's three outputs.

    Args:
        boxes: `float32 [B, A, 4]`, offsets of centre and logarithms of width and height.
        scores: `float32 [B, A, 2]`, probabilities of background and face.
        landmarks: `float32 [B, A, 10]`, offsets of five points.
        size: height and width of the images.
        min_score: faces whose score is lower are dropped.
        max_iou: of two boxes with a larger intersection over union, the one with the lower score is dropped.
    """
    grid = anchors(*size)
    detections = []
    for offsets, probability, points in zip(boxes, scores[..., 1], landmarks, strict=True):
        [rows] = np.nonzero(probability >= min_score)
        centre, side = grid[rows, :2], grid[rows, 2:]
        middle = centre + side * offsets[rows, :2] * np.float32(_VARIANCES[0])
        half = side * np.exp(offsets[rows, 2:] * np.float32(_VARIANCES[1])) / 2
        corners = np.concatenate([middle - half, middle + half], axis=1)
        five = centre[:, None] + side[:, None] * points[rows].reshape(-1, 5, 2) * np.float32(_VARIANCES[0])
        kept = drop_overlapping(corners, probability[rows], max_iou)
        detections.append(Detections(corners[kept], five[kept], probability[rows][kept]))
    return detections
