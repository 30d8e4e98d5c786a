"""What embedders and ensembles in PyTorch have in common."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facerec.crops.contract import Crops
from facerec.models.base import in_batches


class CropModel(nn.Module, ABC):
    """Maps crops `uint8 [N, 3, 112, 112]` to unit vectors `float32 [N, embedding_dim]`; owns a buffer at least."""

    @property
    @abstractmethod
    def embedding_dim(self) -> int:
        """Length of an embedding."""

    def embed(self, crops: Crops | Tensor, batch_size: int = 256) -> NDArray[np.float32]:
        """Embed any number of crops, in evaluation mode and without gradients, on the model's device.

        Args:
            crops: `uint8 [N, 3, 112, 112]`, or one crop `[3, 112, 112]`; N may be 0. A memory-mapped array is
                read a batch at a time.
            batch_size: crops on the device at once.

        Returns:
            `float32 [N, d]`, of unit length; `[1, d]` for one crop.

        Raises:
            ValueError: `crops` are not `uint8` crops, or `batch_size` is below 1.
        """
        if isinstance(crops, Tensor):
            crops = crops.numpy(force=True)
        device = next(self.buffers()).device
        modes = [(module, module.training) for module in self.modules()]
        self.eval()

        def embed(batch: Crops) -> NDArray[np.float32]:
            # a copy, because torch refuses negative strides and warns about read-only memory
            given = torch.from_numpy(np.array(batch, order="C")).to(device)
            with torch.inference_mode():
                embeddings: NDArray[np.float32] = self(given).float().cpu().numpy()
            return embeddings

        try:
            return in_batches(embed, crops, self.embedding_dim, batch_size)
        finally:
            for module, mode in modes:
                module.training = mode
