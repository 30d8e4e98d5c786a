"""Non-maximum suppression: of boxes that overlap, keep the one with the best score."""

import cv2
import numpy as np
from numpy.typing import NDArray


def drop_overlapping(boxes: NDArray[np.float32], scores: NDArray[np.float32], max_iou: float) -> NDArray[np.int64]:
    """The rows of the boxes that stay, best score first.

    Args:
        boxes: `float32 [N, 4]`: x0, y0, x1, y1; N may be 0.
        scores: `float32 [N]`, above 0.
        max_iou: a box that overlaps a better one more than this, intersection over union, is dropped.
    """
    corners_and_sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
    kept = cv2.dnn.NMSBoxes(corners_and_sizes, scores.tolist(), score_threshold=0, nms_threshold=max_iou)
    return np.asarray(kept, dtype=np.int64).reshape(-1)
