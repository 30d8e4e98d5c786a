"""Random changes to a whole batch of crops at once, on the device that holds it."""

import torch
import torch.nn.functional as F
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
        if self.zoom or self.shift:
            crops = self._resample(crops, generator)
        elif self.flip:
            mirrored = self._draw(crops, generator) < self.flip
            crops = torch.where(mirrored[:, None, None, None], crops.flip(3), crops)
        if self.brightness or self.contrast:
            crops = self._relight(crops, generator)
        return self._erase(crops, generator) if self.erase else crops

    def _draw(self, crops: Tensor, generator: Generator | None, low: float = 0.0, high: float = 1.0) -> Tensor:
        index, count = self._share
        drawn = torch.rand(len(crops) * count, generator=generator, device=crops.device)[index::count]
        return drawn * (high - low) + low

    def _resample(self, crops: Tensor, generator: Generator | None) -> Tensor:
        side = torch.where(self._draw(crops, generator) < self.flip, -1.0, 1.0)
        scale = 1 / self._draw(crops, generator, 1 - self.zoom, 1 + self.zoom)
        # grid coordinates run over [-1, 1], so a share of the side counts double
        x, y = (self._draw(crops, generator, -2 * self.shift, 2 * self.shift) for _ in range(2))
        zero = torch.zeros_like(scale)
        theta = torch.stack([torch.stack([scale * side, zero, x], 1), torch.stack([zero, scale, y], 1)], 1)
        grid = F.affine_grid(theta, list(crops.shape), align_corners=False)
        warped = F.grid_sample(crops.float(), grid, padding_mode="border", align_corners=False)
        return warped.round_().to(torch.uint8)

    def _relight(self, crops: Tensor, generator: Generator | None) -> Tensor:
        pixels = crops.float()
        mean = pixels.mean(dim=(1, 2, 3))
        gain = self._draw(crops, generator, 1 - self.contrast, 1 + self.contrast)
        offset = mean * (1 - gain) + 255 * self._draw(crops, generator, -self.brightness, self.brightness)
        pixels.mul_(gain[:, None, None, None]).add_(offset[:, None, None, None])
        return pixels.round_().clamp_(0, 255).to(torch.uint8)

    def _erase(self, crops: Tensor, generator: Generator | None) -> Tensor:
        def span(length: int) -> Tensor:
            """`bool [N, length]`: a random stretch of the axis."""
            size = self._draw(crops, generator, 0.1, 0.4) * length
            start = self._draw(crops, generator) * (length - size)
            axis = torch.arange(length, device=crops.device)
            return (axis >= start[:, None]) & (axis < (start + size)[:, None])

        erased = self._draw(crops, generator) < self.erase
        box = span(crops.shape[2])[:, None, :, None] & span(crops.shape[3])[:, None, None, :]
        colour = crops.float().mean(dim=(2, 3), keepdim=True).round_().to(torch.uint8)
        return torch.where(box & erased[:, None, None, None], colour, crops)
