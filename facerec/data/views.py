"""Fixed views of crops: the same whenever they are shown, so that a teacher has to see them once only."""

import hashlib
import json

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from facerec.crops.contract import Crops, IndexedCrops
from facerec.data.augment import Augment
from facerec.errors import ConfigError

_VERSION = 1  # raise it when the same draws come to give other pixels


class FixedViews:
    """View 0 of a crop is the crop itself, view 1 its mirror image, and every further one is augmented.

    Of an augmented view the draws are kept, not the pixels. They don't depend on the run's seed:
    what a teacher says of the views serves runs of all seeds.

    Args:
        augment: makes the views from the third on.
        count: views of each crop, 1 or more.
        images: rows of the data set's table.
    """

    def __init__(self, augment: Augment, count: int, images: int) -> None:
        if count < 1:
            raise ConfigError(f"teacher.views must be 1 or more, auto or online, not {count}")
        self.augment, self.count = augment, count
        self.images = images
        # a view is the same however many there are
        self._draws = [augment.draw(images, Generator().manual_seed(view)) for view in range(2, count)]

    def __call__(self, crops: Tensor, rows: Tensor, views: Tensor) -> Tensor:
        """Show crops in these views. On a GPU this waits for it, to know which crops to augment.

        Args:
            crops: `uint8 [N, 3, 112, 112]`.
            rows: `int64 [N]`, of the crops in the table.
            views: `int64 [N]`, 0 … count - 1.

        Returns:
            `uint8 [N, 3, 112, 112]`, on the crops' device.
        """
        shown = crops.clone()
        if len(mirrored := torch.nonzero(views == 1).flatten()):
            shown[mirrored] = crops[mirrored].flip(3)
        for view, draws in enumerate(self._draws, start=2):
            if len(augmented := torch.nonzero(views == view).flatten()):
                drawn = draws[:, rows[augmented].cpu()].to(crops.device)
                shown[augmented] = self.augment.apply(crops[augmented], drawn)
        return shown

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Which view to show of each of `count` crops: `int64 [count]`, all views equally often."""
        return torch.randint(self.count, (count,), generator=generator, device=generator.device)

    def key(self, view: int) -> str:
        """Tells one view from another, and from that of other settings."""
        if view < 2:
            return ("crop", "mirror")[view]
        augment = {name: value for name, value in self.augment.settings.items() if name != "mixup"}  # not in views
        settings = {"augment": augment, "view": view, "of": self.images, "version": _VERSION}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


class ViewedCrops:
    """The crops of a table in one view, read as an array of crops is.

    Args:
        crops: `uint8 [N, 3, 112, 112]`, usually memory-mapped.
        views: of them.
        view: which.
    """

    def __init__(self, crops: IndexedCrops, views: FixedViews, view: int) -> None:
        self._crops, self._views, self._view = crops, views, view

    def __getitem__(self, rows: NDArray[np.int64]) -> Crops:
        """The crops of these rows, `int64 [N]`."""
        given = torch.from_numpy(self._crops[rows])
        shown: Crops = self._views(given, torch.from_numpy(rows), torch.full((len(rows),), self._view)).numpy()
        return shown
