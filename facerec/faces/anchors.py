"""Decode the outputs of the RetinaFace network, one for each anchor (Deng et al., arXiv 1905.00641)."""

from functools import lru_cache

import torch
from torch import Tensor
from torchvision.ops import nms

from facerec.faces.tiling import Detections

# RetinaFace-MobileNet0.25 of github.com/biubug6/Pytorch_Retinaface, which both packages carry
_SIZES_OF_STRIDE = {8: (16.0, 32.0), 16: (64.0, 128.0), 32: (256.0, 512.0)}
_VARIANCES = (0.1, 0.2)
MEAN_BGR = (104.0, 117.0, 123.0)


@lru_cache(maxsize=32)
def anchors(height: int, width: int) -> Tensor:
    """`float32 [A, 3]`: x and y of the centre, and side, in pixels, for an image of this size."""
    levels = []
    for stride, sizes in _SIZES_OF_STRIDE.items():
        y, x, size = torch.meshgrid(
            (torch.arange(-(-height // stride)) + 0.5) * stride,
            (torch.arange(-(-width // stride)) + 0.5) * stride,
            torch.tensor(sizes),
            indexing="ij",
        )
        levels.append(torch.stack([x, y, size], -1).reshape(-1, 3))
    return torch.cat(levels)


def decode(
    boxes: Tensor, scores: Tensor, landmarks: Tensor, size: tuple[int, int], min_score: float, max_iou: float
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
    grid = anchors(*size).to(boxes.device)
    detections = []
    for offsets, probability, points in zip(boxes, scores[..., 1], landmarks, strict=True):
        rows = torch.nonzero(probability >= min_score).squeeze(1)
        centre, side = grid[rows, :2], grid[rows, 2:]
        middle = centre + side * offsets[rows, :2] * _VARIANCES[0]
        half = side * (offsets[rows, 2:] * _VARIANCES[1]).exp() / 2
        corners = torch.cat([middle - half, middle + half], dim=1)
        kept = nms(corners, probability[rows], max_iou)
        five = centre[:, None] + side[:, None] * points[rows].reshape(-1, 5, 2) * _VARIANCES[0]
        detections.append(Detections(corners[kept].cpu(), five[kept].cpu(), probability[rows][kept].cpu()))
    return detections
