"""Random changes to a whole batch of crops at once, on the device that holds it."""

import torch
from torch import Generator, Tensor, nn

from facerec.errors import ConfigError


class Augment(nn.Module):
    """Flip, zoom and shift, brightness and contrast, random erasing; each drawn anew for every crop.

    Args:
        flip: probability of mirroring left and right.
        zoom: scale is drawn from [1 - zoom, 1 + zoom].
        shift: displacement along x and y is drawn from [-shift, shift], as a share of the crop's side.
        brightness: added brightness is drawn from [-brightness, brightness] · 255.
        contrast: contrast about the crop's mean is scaled by a factor from [1 - contrast, 1 + contrast].
        erase: probability of painting a rectangle in the crop's mean colour (Zhong et al., arXiv 1708.04896),
            with sides from 10 % to 40 % of the crop's.
    """

    def __init__(
        self,
        flip: float = 0.0,
        zoom: float = 0.0,
        shift: float = 0.0,
        brightness: float = 0.0,
        contrast: float = 0.0,
        erase: float = 0.0,
    ) -> None:
        super().__init__()
        given = {
            "flip": flip,
            "zoom": zoom,
            "shift": shift,
            "brightness": brightness,
            "contrast": contrast,
            "erase": erase,
        }
        for name, value in given.items():
            if not 0 <= value <= 1:
                raise ConfigError(f"augment.{name} must lie between 0 and 1, not {value}")
        self.flip, self.zoom, self.shift = flip, zoom, shift
        self.brightness, self.contrast, self.erase = brightness, contrast, erase
        self._share = (0, 1)

    def forward(self, crops: Tensor, generator: Generator | None = None, share: tuple[int, int] = (0, 1)) -> Tensor:
        """`uint8 [N, 3, H, W]` → the same shape and type.

        Args:
            crops: a batch, or a process's share of one.
            generator: of the draws, on the crops' device.
            share: (i, n) if these are the crops i, i + n, i + 2n, … of a batch: they are changed as they would
                be in the whole one.
        """
        self._share = share
        if not (self.flip or self.zoom or self.shift or self.brightness or self.contrast or self.erase):
            return crops
        if self.zoom or self.shift:
            pixels = self._resample(crops.float(), generator)
        else:
            pixels = self._mirror(crops, generator).float()
        if self.brightness or self.contrast:
            pixels = self._relight(pixels, generator)
        if self.erase:
            pixels = self._erase(pixels, generator)
        return pixels.round_().to(torch.uint8)

    def _draw(self, crops: Tensor, generator: Generator | None, low: float = 0.0, high: float = 1.0) -> Tensor:
        index, count = self._share
        drawn = torch.rand(len(crops) * count, generator=generator, device=crops.device)[index::count]
        return drawn * (high - low) + low

    def _mirror(self, crops: Tensor, generator: Generator | None) -> Tensor:
        mirrored = self._draw(crops, generator) < self.flip
        return torch.where(mirrored[:, None, None, None], crops.flip(3), crops)

    def _resample(self, pixels: Tensor, generator: Generator | None) -> Tensor:
        side = torch.where(self._draw(pixels, generator) < self.flip, -1.0, 1.0)
        scale = 1 / self._draw(pixels, generator, 1 - self.zoom, 1 + self.zoom)
        x, y = (self._draw(pixels, generator, -self.shift, self.shift) for _ in range(2))
        # nothing turns, so bilinear resampling is one product along each axis: 3 times as fast as grid_sample
        along_x = resampling(scale * side, x, pixels.shape[3])
        along_y = resampling(scale, y, pixels.shape[2])
        return along_y[:, None] @ (pixels @ along_x[:, None].mT)

    def _relight(self, pixels: Tensor, generator: Generator | None) -> Tensor:
        mean = pixels.mean(dim=(1, 2, 3))
        gain = self._draw(pixels, generator, 1 - self.contrast, 1 + self.contrast)
        offset = mean * (1 - gain) + 255 * self._draw(pixels, generator, -self.brightness, self.brightness)
        return pixels.mul_(gain[:, None, None, None]).add_(offset[:, None, None, None]).clamp_(0, 255)

    def _erase(self, pixels: Tensor, generator: Generator | None) -> Tensor:
        def span(length: int) -> Tensor:
            """`bool [N, length]`: a random stretch of the axis."""
            size = self._draw(pixels, generator, 0.1, 0.4) * length
            start = self._draw(pixels, generator) * (length - size)
            axis = torch.arange(length, device=pixels.device)
            return (axis >= start[:, None]) & (axis < (start + size)[:, None])

        erased = self._draw(pixels, generator) < self.erase
        box = span(pixels.shape[2])[:, None, :, None] & span(pixels.shape[3])[:, None, None, :]
        return torch.where(box & erased[:, None, None, None], pixels.mean(dim=(2, 3), keepdim=True), pixels)


def resampling(scale: Tensor, shift: Tensor, length: int) -> Tensor:
    """Bilinear weights `float32 [N, to, from]` of an axis, scaled about its middle and shifted by a share of it.

    Beyond the edge lies what is at the edge.
    """
    axis = torch.arange(length, device=scale.device)
    middle = (length - 1) / 2
    source = scale[:, None] * (axis - middle) + middle + length * shift[:, None]
    return (1 - (source.clamp(0, length - 1)[:, :, None] - axis).abs()).clamp_(min=0)
