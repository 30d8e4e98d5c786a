"""Align a face: map its five landmarks onto the template of all crops."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import CROP_SIZE, Crops, Photo
from facerec.crops.resize import resize

# Left eye, right eye, nose, left and right mouth corner (as seen in the image) in a 112x112 crop: the
# reference points of ArcFace (Deng et al., arXiv 1801.07698) and of most models since.
ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    np.float32,
)
ALIGNER_VERSION = 2  # to be raised when crops change; those of 1 differ by a grey level at most


def similarity_transform(
    points: NDArray[np.floating[Any]], template: NDArray[np.floating[Any]] = ARCFACE_TEMPLATE
) -> NDArray[np.float64]:
    """Least-squares rotation, scale and shift from points to template (Umeyama 1991, without reflection).

    In the plane the solution is one complex division: with centred points p and template q as complex
    numbers, scale and rotation are a = Σ conj(p)·q / Σ |p|².

    Args:
        points: `float [K, 2]`, x and y in pixels, K >= 2 and not all equal.
        template: `float [K, 2]`, their targets.

    Returns:
        `float64 [2, 3]`, a matrix M with M @ [x, y, 1] ≈ template.
    """
    p, q = (np.asarray(pairs, np.float64) @ [1, 1j] for pairs in (points, template))
    a = np.vdot(p - p.mean(), q - q.mean()) / np.square(np.abs(p - p.mean())).sum()
    shift = q.mean() - a * p.mean()
    return np.array([[a.real, -a.imag, shift.real], [a.imag, a.real, shift.imag]])


def warp(photo: Photo, matrix: NDArray[np.floating[Any]]) -> Photo:
    """Resample a photo through a similarity transform, antialiased where it shrinks.

    Args:
        photo: `uint8 [H, W, 3]`.
        matrix: `float [2, 3]`, from pixel coordinates of the photo to those of the crop. Whole numbers
            are pixel centres, as in OpenCV.

    Returns:
        `uint8 [112, 112, 3]`; black outside the photo.
    """
    part, transform = _reduce(photo, matrix)
    return cv2.warpAffine(part, transform[:2], (CROP_SIZE, CROP_SIZE), flags=cv2.INTER_LINEAR)  # type: ignore[return-value]


def align(photo: Photo, landmarks: NDArray[np.floating[Any]]) -> Crops:
    """The crops of all faces of a photo.

    Args:
        photo: `uint8 [H, W, 3]`.
        landmarks: `float [N, 5, 2]`, x and y in pixels of the photo; N may be 0.

    Returns:
        `uint8 [N, 3, 112, 112]`; black outside the photo.
    """
    crops = np.empty((len(landmarks), 3, CROP_SIZE, CROP_SIZE), np.uint8)
    for crop, points in zip(crops, landmarks, strict=True):
        crop[:] = warp(photo, similarity_transform(points)).transpose(2, 0, 1)
    return crops


def _reduce(photo: Photo, matrix: NDArray[np.floating[Any]]) -> tuple[Photo, NDArray[np.float64]]:
    """The part of a photo around a crop, scaled down to about the crop's scale if that is smaller.

    Returns:
        `uint8 [h, w, 3]`, and `float64 [3, 3]` from its pixel coordinates to those of the crop.
    """
    transform = np.vstack([matrix, [0, 0, 1]]).astype(np.float64)
    shrink = math.hypot(*transform[:2, 0])
    height, width = photo.shape[:2]
    reach = math.ceil((CROP_SIZE / 2 * math.sqrt(2) + 3) / shrink)  # from the crop's centre to beyond its corners
    if max(height, width) > 4 * reach:  # a small face in a large photo: only the part around it is resized
        x, y = (np.linalg.inv(transform) @ [CROP_SIZE / 2, CROP_SIZE / 2, 1])[:2].tolist()
        left, top = (min(max(round(middle) - reach, 0), side - 1) for middle, side in ((x, width), (y, height)))
        photo = photo[top : max(round(y) + reach, top + 1), left : max(round(x) + reach, left + 1)]
        transform = transform @ [[1, 0, left], [0, 1, top], [0, 0, 1]]
        height, width = photo.shape[:2]
    if shrink < 1.0:  # a first, antialiased step to about the final scale; the warp then only resamples
        smaller = (max(1, round(height * shrink)), max(1, round(width * shrink)))
        photo = resize(photo, smaller)
        sy, sx = height / smaller[0], width / smaller[1]
        transform = transform @ [[sx, 0, sx / 2 - 0.5], [0, sy, sy / 2 - 0.5], [0, 0, 1]]
    return photo, transform
