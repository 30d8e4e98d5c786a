"""How sharp a crop is."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as V


def sharpness(crops: Tensor) -> Tensor:
    """Variance of the Laplacian of the grey crop (Pech-Pacheco et al., ICPR 2000); blur makes it small.

    Args:
        crops: `uint8 [N, 3, H, W]`, H and W at least 3.

    Returns:
        `float32 [N]`, 0 or more, in squared grey levels.
    """
    grey = V.rgb_to_grayscale(crops).float()
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], device=crops.device)
    return F.conv2d(grey, kernel[None, None]).flatten(1).var(dim=1)
