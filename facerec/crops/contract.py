"""The crop contract: what a crop is, the same in training and in use."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

CROP_SIZE = 112
CROP_BYTES = 3 * CROP_SIZE * CROP_SIZE

Photo = NDArray[np.uint8]
"""`uint8 [H, W, 3]`, RGB, 0..255."""

Crops = NDArray[np.uint8]
"""`uint8 [N, 3, 112, 112]`, RGB, 0..255."""


class IndexedCrops(Protocol):
    """Crops that are read by their rows: an array, or what reads like one."""

    def __getitem__(self, rows: NDArray[np.int64], /) -> Crops:
        """The crops of these rows: `uint8 [N, 3, 112, 112]`."""


@dataclass(frozen=True)
class CropContract:
    """What a model expects of a crop: `uint8` RGB `3 x size x size`, aligned to the named template."""

    size: int = CROP_SIZE
    template: str = "arcface-112"
    colour: str = "RGB"
