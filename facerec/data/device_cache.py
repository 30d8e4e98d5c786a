"""Training crops in the memory of the device: a batch is an index there, and nothing is copied or waited for."""

import logging

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from facerec.crops.contract import CROP_SIZE, IndexedCrops
from facerec.data.batch import Batch
from facerec.errors import ConfigError

log = logging.getLogger(__name__)

SHARE = 0.25  # of an accelerator's free memory that crops may take without being asked to
_AT_ONCE = 4096  # crops that are copied in one go


def wants_device_cache(setting: bool | str, crops: int, size: int, device: torch.device) -> bool:
    """Whether crops go to the device.

    Args:
        setting: true, false, or "auto": if they take no more than a quarter of a GPU's free memory.
        crops: how many.
        size: of one, in bytes.
        device: of the training.

    Raises:
        ConfigError: the setting is none of these.
    """
    if isinstance(setting, bool):
        return setting
    if setting != "auto":
        raise ConfigError(f"data.device_cache must be true, false or auto, not {setting!r}")
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    fits = crops * size <= SHARE * free
    where = "go to the GPU's memory" if fits else "stay in the cache (data.device_cache=true: to the GPU's memory)"
    log.info("data: the %d training crops, %.1f GB, %s", crops, crops * size / 1e9, where)
    return fits


class DeviceCrops(Dataset[Batch]):
    """The rows of a crop cache, copied to a device.

    Args:
        crops: `uint8 [M, 3, 112, 112]`, usually memory-mapped.
        labels: `int64 [M]`.
        rows: `int64 [N]`, which of them.
        device: where they go.
    """

    def __init__(
        self, crops: IndexedCrops, labels: NDArray[np.int64], rows: NDArray[np.int64], device: torch.device
    ) -> None:
        self._crops = torch.empty((len(rows), 3, CROP_SIZE, CROP_SIZE), dtype=torch.uint8, device=device)
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            self._crops[start : start + len(part)] = torch.from_numpy(crops[part]).to(device)
        self._labels, self._rows = (torch.from_numpy(values).to(device) for values in (labels[rows], rows))

    def __len__(self) -> int:
        """Count the images."""
        return len(self._rows)

    def __getitem__(self, index: int) -> Batch:
        """One image: `uint8 [3, 112, 112]`, its label and row."""
        return Batch(self._crops[index], self._labels[index], self._rows[index])

    def __getitems__(self, indices: list[int]) -> Batch:
        """Read many images at once; this is what a DataLoader calls."""
        chosen = torch.tensor(indices)
        if self._rows.is_cuda:
            chosen = chosen.pin_memory().to(self._rows.device, non_blocking=True)
        return Batch(self._crops[chosen], self._labels[chosen], self._rows[chosen])
