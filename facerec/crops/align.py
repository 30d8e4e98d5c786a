"""Align a face: map its five landmarks onto the template of all crops."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as V

from facerec.crops.contract import CROP_SIZE

# Left eye, right eye, nose, left and right mouth corner (as seen in the image) in a 112x112 crop: the
# reference points of ArcFace (Deng et al., arXiv 1801.07698) and of most models since.
ARCFACE_TEMPLATE = torch.tensor(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


def similarity_transform(points: Tensor, template: Tensor = ARCFACE_TEMPLATE) -> Tensor:
    """Least-squares rotation, scale and shift from points to template (Umeyama 1991, without reflection).

    In the plane the solution is one complex division: with centred points p and template q as complex
    numbers, scale and rotation are a = Σ conj(p)·q / Σ |p|².

    Args:
        points: `float [N, K, 2]`, x and y in pixels, K >= 2 and not all equal.
        template: `float [K, 2]`, their targets.

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
    """Resample an image through a similarity transform, antialiased where it shrinks.

    Args:
        image: `uint8 [3, H, W]`.
        matrix: `float [2, 3]`, from pixel coordinates of the image to those of the crop. Whole numbers
            are pixel centres, as in OpenCV.
        size: side of the crop in pixels.

    Returns:
        `uint8 [3, size, size]`; black outside the image.
    """
    return _resample([_reduce(image, matrix, size)], size)[0]


def align(photo: Tensor, landmarks: Tensor) -> Tensor:
    """The crops of all faces of a photo, on the photo's device.

    Args:
        photo: `uint8 [3, H, W]`.
        landmarks: `float [N, 5, 2]`, x and y in pixels of the photo; N may be 0.

    Returns:
        `uint8 [N, 3, 112, 112]`; black outside the photo.
    """
    if len(landmarks) == 0:
        return torch.empty(0, 3, CROP_SIZE, CROP_SIZE, dtype=torch.uint8, device=photo.device)
    matrices = similarity_transform(landmarks.cpu())
    return _resample([_reduce(photo, matrix, CROP_SIZE) for matrix in matrices], CROP_SIZE)


def _reduce(image: Tensor, matrix: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The part of an image around a crop, scaled down to about the crop's scale if that is smaller.

    Returns:
        `uint8 [3, h, w]`, and `float64 [3, 3]` from its pixel coordinates to those of the crop.
    """
    full = torch.eye(3, dtype=torch.float64)
    full[:2] = matrix.double()
    shrink = float(full[:2, 0].norm())
    height, width = image.shape[1:]
    reach = math.ceil((size / 2 * math.sqrt(2) + 3) / shrink)  # from the crop's centre to beyond its corners
    if max(height, width) > 4 * reach:  # a small face in a large photo: only the part around it is resized
        x, y = (torch.linalg.inv(full) @ torch.tensor([size / 2, size / 2, 1.0], dtype=torch.float64))[:2].tolist()
        left, top = (min(max(round(middle) - reach, 0), side - 1) for middle, side in ((x, width), (y, height)))
        image = image[:, top : max(round(y) + reach, top + 1), left : max(round(x) + reach, left + 1)]
        full = full @ torch.tensor([[1, 0, left], [0, 1, top], [0, 0, 1]], dtype=torch.float64)
        height, width = image.shape[1:]
    if shrink < 1.0:  # a first, antialiased step to about the final scale; the warp then only resamples
        smaller = [max(1, round(height * shrink)), max(1, round(width * shrink))]
        image = V.resize(image, smaller, antialias=True)
        sy, sx = height / smaller[0], width / smaller[1]
        back = torch.tensor([[sx, 0, sx / 2 - 0.5], [0, sy, sy / 2 - 0.5], [0, 0, 1]], dtype=torch.float64)
        full = full @ back
    return image, full


def _resample(parts: list[tuple[Tensor, Tensor]], size: int) -> Tensor:
    """The crops `uint8 [N, 3, size, size]` of N images, each with its `float64 [3, 3]`, at once."""
    # two pixels at least: along a side of one pixel, grid_sample does not tell inside from outside
    height, width = (max(2, *(image.shape[axis] for image, _ in parts)) for axis in (1, 2))
    images = torch.stack(
        [F.pad(image, (0, width - image.shape[2], 0, height - image.shape[1])) for image, _ in parts]
    )
    # grid_sample maps from crop to image, in coordinates where -1 and 1 are the outermost pixel centres
    to_pixels = torch.tensor([[(size - 1) / 2, 0, (size - 1) / 2], [0, (size - 1) / 2, (size - 1) / 2], [0, 0, 1]])
    to_unit = torch.tensor([[2 / (width - 1), 0, -1], [0, 2 / (height - 1), -1], [0, 0, 1]])
    inverse = torch.linalg.inv(torch.stack([full for _, full in parts]))
    theta = (to_unit.double() @ inverse @ to_pixels.double())[:, :2].float().to(images.device)
    grid = F.affine_grid(theta, [len(parts), 3, size, size], align_corners=True)
    crops = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return crops.round_().clamp_(0, 255).to(torch.uint8)
