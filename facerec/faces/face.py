"""A face, and the interface of detectors."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import Photo


class Face(NamedTuple):
    """Where a face is in a photo, in pixels of the photo; whole numbers are pixel centres.

    Attributes:
        box: `float32 [4]`: x0, y0, x1, y1, inside the photo.
        landmarks: `float32 [5, 2]`, x and y: left eye, right eye, nose, left and right mouth corner as the
            face stands upright; may lie outside the photo.
        score: how sure the detector is, 0..1.
    """

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float

    @property
    def size(self) -> float:
        """The shorter side of the box in pixels."""
        return float(min(self.box[2] - self.box[0], self.box[3] - self.box[1]))


class Detector(Protocol):
    """Finds the faces in photos."""

    def find(self, photos: Sequence[Photo]) -> list[list[Face]]:
        """The faces of each photo `uint8 [H, W, 3]`, best score first; they do not depend on the batch."""
