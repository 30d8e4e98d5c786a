"""Batch normalisation over the whole batch, where several processes share it: `conf/trainer/ddp.yaml`."""

import torch
from pytorch_lightning.plugins.layer_sync import LayerSync
from torch import Tensor, nn

from facerec.distributed import collectives as processes


class SyncedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """What `torch.nn.SyncBatchNorm` does on GPUs, for CPUs, which that refuses.

    Each process must give as many values. Statistics are in float32 at least, whatever the input.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        """Any is fine."""

    def forward(self, input: Tensor) -> Tensor:
        """`float [N, C, …]` → the same shape and type."""
        if not self.training:
            output: Tensor = super().forward(input)
            return output
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        x, dims = input.to(torch.promote_types(input.dtype, torch.float32)), [0, *range(2, input.ndim)]
        shape = [1, -1, *[1] * (input.ndim - 2)]
        count = input.numel() // input.shape[1] * torch.distributed.get_world_size()
        mean = processes.summed(x.sum(dims)) / count
        centred = x - mean.view(shape)  # a second pass: squares less squared mean would cancel
        variance = processes.summed(centred.square().sum(dims)) / count
        with torch.no_grad():
            momentum = self.momentum or 0.0
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), momentum)
        scale = (variance + self.eps).rsqrt()
        normal = centred * (scale if self.weight is None else scale * self.weight).view(shape)
        return (normal if self.bias is None else normal + self.bias.view(shape)).to(input.dtype)


class SyncedNorms(LayerSync):
    """Lets a training see the batch statistics of all processes, and gives the layers back as they were.

    On GPUs the layers become torch's own, on CPUs ours.
    """

    def __init__(self) -> None:
        self._were: dict[nn.Module, type[nn.Module]] = {}

    def apply(self, model: nn.Module) -> nn.Module:
        """Change the class of each batch normalisation: parameters, buffers and their names stay."""
        kind = SyncedBatchNorm if torch.distributed.get_backend() == "gloo" else nn.SyncBatchNorm
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                self._were[module] = type(module)
                module.__class__ = kind  # type: ignore[assignment]
                if kind is nn.SyncBatchNorm:
                    module.process_group = None  # type: ignore[assignment]  # all; what its constructor would have set
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Change it back."""
        for module, kind in self._were.items():
            module.__class__ = kind
        self._were.clear()
        return model
