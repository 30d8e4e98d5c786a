"""How sharp a crop is."""

import cv2
import numpy as np
from numpy.typing import NDArray


def sharpness(crop: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of the grey crop (Pech-Pacheco et al., ICPR 2000); blur makes it small.

    Args:
        crop: `uint8 [3, H, W]`, H and W at least 3.

    Returns:
        0 or more, in squared grey levels.
    """
    grey = cv2.cvtColor(crop.transpose(1, 2, 0), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F)[1:-1, 1:-1].var())
