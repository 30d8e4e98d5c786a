"""Random changes to a whole batch of crops at once, on the device that holds it."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from facerec.data import corruptions
from facerec.errors import ConfigError

_DRAWS = 11  # numbers drawn for a crop, those of corruptions apart
_CPU_CHUNK = 8


class Augment(nn.Module):
    """Flip, zoom and shift, brightness and contrast, corruptions, random erasing; each drawn anew for every crop.

    Args:
        flip: probability of mirroring left and right.
        zoom: scale is drawn from [1 - zoom, 1 + zoom].
        shift: displacement along x and y is drawn from [-shift, shift], as a share of the crop's side.
        brightness: added brightness is drawn from [-brightness, brightness] · 255.
        contrast: contrast about the crop's mean is scaled by a factor from [1 - contrast, 1 + contrast].
        blur: probability of a Gaussian blur, with a sigma from 0.5 to 2.5 pixels.
        low_resolution: probability of sampling down to a side from 16 to 56 pixels, and up again.
        jpeg: probability of JPEG compression, with a quality from 20 to 90.
        grey: probability of losing all colour.
        erase: probability of painting a rectangle in the crop's mean colour (Zhong et al., arXiv 1708.04896),
            with sides from 10 % to 40 % of the crop's.
        mixup: probability of mixing a batch with a permutation of itself, λ of the one and 1 - λ of the other, λ
            uniform in 0..1 (Zhang et al., arXiv 1710.09412 with α = 1). Labels are not mixed, so it is for training
            without them.
    """

    DRAWS: ClassVar[int] = _DRAWS + corruptions.DRAWS  # numbers drawn for a crop

    def __init__(
        self,
        flip: float = 0.0,
        zoom: float = 0.0,
        shift: float = 0.0,
        brightness: float = 0.0,
        contrast: float = 0.0,
        erase: float = 0.0,
        blur: float = 0.0,
        low_resolution: float = 0.0,
        jpeg: float = 0.0,
        grey: float = 0.0,
        mixup: float = 0.0,
    ) -> None:
        super().__init__()
        corrupting = {"blur": blur, "low_resolution": low_resolution, "jpeg": jpeg, "grey": grey}
        given = {
            "flip": flip,
            "zoom": zoom,
            "shift": shift,
            "brightness": brightness,
            "contrast": contrast,
            "erase": erase,
            "mixup": mixup,
        }
        for name, value in (given | corrupting).items():
            if not 0 <= value <= 1:
                raise ConfigError(f"augment.{name} must lie between 0 and 1, not {value}")
        self.flip, self.zoom, self.shift = flip, zoom, shift
        self.brightness, self.contrast, self.erase, self.mixup = brightness, contrast, erase, mixup
        self._corrupting = corrupting
        self.settings = given | corrupting

    def forward(self, crops: Tensor, generator: Generator | None = None, share: tuple[int, int] = (0, 1)) -> Tensor:
        """`uint8 [N, 3, H, W]` → the same shape and type.

        Args:
            crops: a batch, or a process's share of one.
            generator: of the draws, on the crops' device.
            share: (i, n) if these are the crops i, i + n, i + 2n, … of a batch: they are changed as they would
                be in the whole batch, but mixed with crops of the share only.
        """
        index, count = share
        drawn = self.draw(len(crops) * count, generator, crops.device)[:, index::count]
        changed = self.apply(crops, drawn)
        return self._mix(changed, generator) if self.mixup else changed

    def draw(
        self, count: int, generator: Generator | None = None, device: torch.device | str | None = None
    ) -> Tensor:
        """What decides the changes of `count` crops: `float32 [DRAWS, count]`, uniform in 0..1.

        Args:
            count: of the crops.
            generator: on `device`.
            device: that of the crops; the CPU without.
        """
        # one after the other, so that a seed gives what it gave before there were corruptions
        parts = (_DRAWS, corruptions.DRAWS)
        return torch.cat([torch.rand(rows, count, generator=generator, device=device) for rows in parts])

    def apply(self, crops: Tensor, drawn: Tensor) -> Tensor:  # type: ignore[override]
        """`uint8 [N, 3, H, W]` → the same shape and type, by the draws alone, each crop on its own: all but mixup.

        A crop and its draws give the same bytes in any batch of a device.

        Args:
            crops: of any number.
            drawn: `[DRAWS, N]`, of `draw`, on the crops' device.
        """
        # a few crops stay in a CPU's cache, which makes it twice as fast
        size = _CPU_CHUNK if crops.device.type == "cpu" else max(1, len(crops))
        chunks = zip(crops.split(size), drawn.split(size, dim=1), strict=True)
        return torch.cat([self._change(chunk, draws) for chunk, draws in chunks])

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile the changes with torch.compile, but not the draws: it knows no generators."""
        self._change = torch.compile(self._change, *args, **kwargs)  # type: ignore[method-assign]

    def _change(self, crops: Tensor, drawn: Tensor) -> Tensor:
        flipped, erased = drawn[0] < self.flip, drawn[1] < self.erase
        scale, x, y, gain, light = (2 * drawn[2:7] - 1).unbind()
        pixels = crops.float()
        if self.zoom or self.shift:
            pixels = resample(pixels, flipped, 1 / (1 + self.zoom * scale), self.shift * x, self.shift * y)
        elif self.flip:
            pixels = torch.where(flipped[:, None, None, None], pixels.flip(3), pixels)
        if self.brightness or self.contrast:
            pixels = _relight(pixels, 1 + self.contrast * gain, 255 * self.brightness * light)
        if any(self._corrupting.values()):
            pixels = corruptions.corrupt(pixels, drawn[_DRAWS:], **self._corrupting)
        if self.erase:
            pixels = _erase(pixels, erased, drawn[7:_DRAWS])
        return pixels.round_().to(torch.uint8)

    def _mix(self, crops: Tensor, generator: Generator | None) -> Tensor:
        chance, ratio = torch.rand(2, generator=generator, device=crops.device)
        other = crops[torch.randperm(len(crops), generator=generator, device=crops.device)]
        ratio = torch.where(chance < self.mixup, ratio, 1.0)  # without asking the device, which would wait for it
        return torch.lerp(other.float(), crops.float(), ratio).round_().to(torch.uint8)


def resample(pixels: Tensor, flipped: Tensor, scale: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bilinear, about the middle; `x` and `y` are shares of the side, and beyond the edge lies what is at it."""
    # nothing turns, so there is no need for affine_grid, which takes twice as long as the sampling itself
    columns = torch.where(flipped, -scale, scale)[:, None] * _axis(pixels, 3) + 2 * x[:, None]
    rows = scale[:, None] * _axis(pixels, 2) + 2 * y[:, None]
    grid = torch.stack(torch.broadcast_tensors(columns[:, None, :], rows[:, :, None]), dim=3)
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _relight(pixels: Tensor, gain: Tensor, light: Tensor) -> Tensor:
    """Contrast about the mean, then brightness; in place."""
    # in float64 a mean does not depend on the order of summing, which differs from batch size to batch size
    offset = pixels.mean(dim=(1, 2, 3), dtype=torch.float64).float() * (1 - gain) + light
    return pixels.mul_(gain[:, None, None, None]).add_(offset[:, None, None, None]).clamp_(0, 255)


def _erase(pixels: Tensor, erased: Tensor, drawn: Tensor) -> Tensor:
    """A rectangle in the mean colour; `drawn [4, N]` says how high, where, how wide and where."""

    def span(dim: int, size: Tensor, start: Tensor) -> Tensor:
        """`bool [N, length]`: a stretch of the axis."""
        length = pixels.shape[dim]
        size = (0.1 + 0.3 * size) * length
        start = start * (length - size)
        axis = torch.arange(length, device=pixels.device)
        return (axis >= start[:, None]) & (axis < (start + size)[:, None])

    mean = pixels.mean(dim=(2, 3), keepdim=True, dtype=torch.float64)
    box = span(2, *drawn[:2])[:, None, :, None] & span(3, *drawn[2:])[:, None, None, :]
    return torch.where(box & erased[:, None, None, None], mean.float(), pixels)


def _axis(pixels: Tensor, dim: int) -> Tensor:
    """Centres of the pixels, in the coordinates of `grid_sample`: between -1 and 1."""
    length = pixels.shape[dim]
    return (2 * torch.arange(length, device=pixels.device) + 1) / length - 1
