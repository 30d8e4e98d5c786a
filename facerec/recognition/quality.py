"""How good a face is to enrol from: four measures, and in words which of them is weak."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from facerec.crops import sharpness
from facerec.faces import Face

# rows and columns of a crop that show skin, whatever hair and background are
_MIDDLE = (slice(24, 104), slice(24, 88))


class FaceQuality(NamedTuple):
    """Measures of one face.

    Attributes:
        size: shorter side of the box in pixels of the photo.
        sharpness: variance of the Laplacian of the middle of the crop; see `facerec.crops.sharpness`. Edges of the
            photo, beyond which a crop is black, are as sharp as can be, and mostly lie outside the middle.
        turn: how far the head is turned aside; see `turn`.
        brightness: mean grey level of the middle of the crop, 0..255.
    """

    size: float
    sharpness: float
    turn: float
    brightness: float


class Gates(NamedTuple):
    """Beyond these a photo is weak; docs/gallery.md says how they were found."""

    min_size: float
    min_sharpness: float
    max_turn: float
    min_brightness: float


def measure(face: Face, crop: NDArray[np.uint8]) -> FaceQuality:
    """The measures of a face and of its crop `uint8 [3, 112, 112]`."""
    middle = np.ascontiguousarray(crop[:, *_MIDDLE])
    grey = cv2.cvtColor(middle.transpose(1, 2, 0), cv2.COLOR_RGB2GRAY)
    return FaceQuality(face.size, sharpness(middle), turn(face.landmarks), float(grey.mean()))


def turn(landmarks: NDArray[np.floating]) -> float:
    """How far a head is turned to its left or right: 0 if the nose is in the middle, 1 if it is below an eye.

    Args:
        landmarks: `float [5, 2]`, as of a `Face`. A head that is tilted is not turned.

    Returns:
        0 or more; infinite where both eyes are one point.
    """
    left, right, nose = np.asarray(landmarks[:3], np.float64)
    width = float(np.square(right - left).sum())
    return abs(float((2 * nose - left - right) @ (right - left)) / width) if width else float("inf")


def weaknesses(quality: FaceQuality, gates: Gates) -> list[str]:
    """What is weak, in words; empty if nothing is."""
    measures = {
        f"small (face of {quality.size:.0f} pixels is smaller than {gates.min_size:g})": (
            quality.size < gates.min_size
        ),
        f"blurred (sharpness {quality.sharpness:.0f} is below {gates.min_sharpness:g})": (
            quality.sharpness < gates.min_sharpness
        ),
        f"turned away ({quality.turn:.2f} is above {gates.max_turn:g})": quality.turn > gates.max_turn,
        f"dark (brightness {quality.brightness:.0f} is below {gates.min_brightness:g})": (
            quality.brightness < gates.min_brightness
        ),
    }
    return [words for words, weak in measures.items() if weak]
