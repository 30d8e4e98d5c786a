"""Map five landmarks of a face onto the template that every crop shares."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as V

from facerec.crop import CROP_SIZE

# Left eye, right eye, nose, left and right mouth corner (as seen in the picture) in a 112x112 crop: the
# reference points of ArcFace (Deng et al., arXiv 1801.07698) and of the models that follow it.
ARCFACE_TEMPLATE = torch.tensor(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


def similarity_transform(points: Tensor, template: Tensor = ARCFACE_TEMPLATE) -> Tensor:
    """Least-squares rotation, scale and shift from points to template (Umeyama 1991, without reflection).

    In the plane the solution is one complex division: with centred points p and template q as complex
    numbers, scale and rotation are a = Σ conj(p)·q / Σ |p|².

    Args:
        points: `float [N, K, 2]`, x and y in pixels, K >= 2 and not all equal.
        template: `float [K, 2]`, where they shall go.

    Returns:
        `float32 [N, 2, 3]`, matrices M with M @ [x, y, 1] ≈ template.
    """
    p = torch.view_as_complex(points.double().contiguous())
    q = torch.view_as_complex(template.double().contiguous())
    p_mean, q_mean = p.mean(dim=1, keepdim=True), q.mean()
    p = p - p_mean
    a = (p.conj() * (q - q_mean)).sum(dim=1) / p.abs().square().sum(dim=1)
    shift = q_mean - a * p_mean.squeeze(1)
    rows = [torch.stack([a.real, -a.imag, shift.real], -1), torch.stack([a.imag, a.real, shift.imag], -1)]
    return torch.stack(rows, dim=1).float()


def warp(image: Tensor, matrix: Tensor, size: int = CROP_SIZE) -> Tensor:
    """Resample a picture through a similarity transform, antialiased where it shrinks.

    Args:
        image: `uint8 [3, H, W]`.
        matrix: `float [2, 3]`, from pixel coordinates of the picture to those of the crop. Whole numbers
            are pixel centres, as in OpenCV.
        size: side of the crop in pixels.

    Returns:
        `uint8 [3, size, size]`; what lies outside the picture is black.
    """
    full = torch.eye(3, dtype=torch.float64)
    full[:2] = matrix.double()
    shrink = float(full[:2, 0].norm())
    if shrink < 1.0:  # a first, antialiased step to about the final scale; the warp then only resamples
        height, width = image.shape[1:]
        smaller = [max(1, round(height * shrink)), max(1, round(width * shrink))]
        image = V.resize(image, smaller, antialias=True)
        sy, sx = height / smaller[0], width / smaller[1]
        back = torch.tensor([[sx, 0, sx / 2 - 0.5], [0, sy, sy / 2 - 0.5], [0, 0, 1]], dtype=torch.float64)
        full = full @ back
    height, width = image.shape[1:]
    # grid_sample runs from crop to picture, in coordinates where -1 and 1 are the outermost pixel centres
    to_pixels = torch.tensor([[(size - 1) / 2, 0, (size - 1) / 2], [0, (size - 1) / 2, (size - 1) / 2], [0, 0, 1]])
    to_unit = torch.tensor([[2 / max(width - 1, 1), 0, -1], [0, 2 / max(height - 1, 1), -1], [0, 0, 1]])
    theta = (to_unit.double() @ torch.linalg.inv(full) @ to_pixels.double())[:2].float()
    grid = F.affine_grid(theta[None], [1, 3, size, size], align_corners=True)
    crop = F.grid_sample(image[None].float(), grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return crop[0].round_().clamp_(0, 255).to(torch.uint8)
