"""Degradations that real photos have and aligned data sets lack: blur, low resolution, JPEG, no colour.

All take and give `float32 [N, 3, H, W]`, RGB, 0..255, and change a crop alike whatever else is in the batch.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

DRAWS = 7  # numbers drawn for a crop
_SIGMA, _SIDE, _QUALITY = (0.5, 2.5), (16, 56), (20, 90)
_REACH = 8  # pixels: more than three times the largest sigma


def corrupt(
    pixels: Tensor, drawn: Tensor, *, blur: float, low_resolution: float, jpeg: float, grey: float
) -> Tensor:
    """Each with its probability, in the order in which a photo gets them.

    One that may happen waits for a GPU, to know which crops it changes.

    Args:
        pixels: changed in place.
        drawn: uniform in 0..1, `[7, N]`: which of them a crop gets, then how strong they are.
        blur: probability of a Gaussian blur with a sigma of 0.5 to 2.5 pixels.
        low_resolution: of sampling down to a side of 16 to 56 pixels and up again.
        jpeg: of compression with a quality of 20 to 90.
        grey: of losing all colour.
    """
    sigma, side, quality = drawn[4:]
    if blur and len(rows := _rows(drawn[0] < blur)):
        pixels[rows] = blurred(pixels[rows], _between(*_SIGMA, sigma[rows]))
    if low_resolution and len(rows := _rows(drawn[1] < low_resolution)):
        pixels[rows] = at_low_resolution(pixels[rows], _between(*_SIDE, side[rows]).round())
    if jpeg and len(rows := _rows(drawn[2] < jpeg)):
        pixels[rows] = compressed(pixels[rows], _between(*_QUALITY, quality[rows]).round())
    if grey and len(rows := _rows(drawn[3] < grey)):
        pixels[rows] = in_grey(pixels[rows])
    return pixels


def blurred(pixels: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of each crop with its own `sigma [N]` up to 2.5; beyond the edge lies the mirror image."""
    offsets = torch.arange(-_REACH, _REACH + 1, device=pixels.device)
    weights = (-((offsets[:, None] / sigma.double()) ** 2) / 2).exp()
    weights = (weights / weights.sum(0)).float()[:, :, None, None, None]
    for dim, pad in ((2, (0, 0, _REACH, _REACH)), (3, (_REACH, _REACH, 0, 0))):
        length, padded = pixels.shape[dim], F.pad(pixels, pad, mode="reflect")
        pixels = torch.zeros_like(pixels)
        # no convolution: that sums in an order of its own for each batch size
        for start, weight in enumerate(weights):
            pixels += weight * padded.narrow(dim, start, length)
    return pixels


def at_low_resolution(pixels: Tensor, side: Tensor) -> Tensor:
    """Down to `side [N]` pixels by the mean of areas, and up again, bilinear."""
    smaller = [
        F.interpolate(crop, (length, length), mode="area")
        for crop, length in zip(pixels.split(1), side.int().tolist(), strict=True)
    ]
    size = tuple(pixels.shape[2:])
    return torch.cat([F.interpolate(crop, size, mode="bilinear", align_corners=False) for crop in smaller])


def compressed(pixels: Tensor, quality: Tensor) -> Tensor:
    """As JPEG keeps them, with `quality [N]` from 1 to 100; on the CPU."""
    bgr = pixels.round().to(torch.uint8).permute(0, 2, 3, 1).flip(3).cpu().numpy()
    result = np.empty_like(bgr)
    for place, (crop, value) in enumerate(zip(bgr, quality.int().tolist(), strict=True)):
        data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, value])[1]
        result[place] = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return torch.from_numpy(result).to(pixels.device).flip(3).permute(0, 3, 1, 2).float()


def in_grey(pixels: Tensor) -> Tensor:
    """The luma of ITU-R BT.601 in all three channels."""
    red, green, blue = pixels.unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma[:, None].expand_as(pixels)


def _rows(chosen: Tensor) -> Tensor:
    return chosen.nonzero().flatten()


def _between(low: float, high: float, drawn: Tensor) -> Tensor:
    return low + (high - low) * drawn
