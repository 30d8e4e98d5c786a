"""Batch normalisation over the global batch of several processes: `conf/trainer/ddp.yaml`."""

import torch
from pytorch_lightning.plugins.layer_sync import LayerSync
from torch import Tensor, nn

from facerec.distributed import collectives


class CPUSyncBatchNorm(nn.modules.batchnorm._BatchNorm):
    """What `torch.nn.SyncBatchNorm` does on GPUs, for CPUs, which that refuses.

    All processes must give equally many values. Statistics are in float32 at least, whatever the input.
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
        mean = collectives.all_reduce_sum(x.sum(dims)) / count
        centred = x - mean.view(shape)  # a second pass: squares less squared mean would cancel
        variance = collectives.all_reduce_sum(centred.square().sum(dims)) / count
        with torch.no_grad():
            momentum = self.momentum or 0.0
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), momentum)
        scale = (variance + self.eps).rsqrt()
        normal = centred * (scale if self.weight is None else scale * self.weight).view(shape)
        return (normal if self.bias is None else normal + self.bias.view(shape)).to(input.dtype)


class SyncedNorms(LayerSync):
    """Lightning's plugin: layers see the batch statistics of all processes in training, and are restored after it.

    On GPUs they become torch's own, on CPUs ours.
    """

    def __init__(self) -> None:
        self._original_classes: dict[nn.Module, type[nn.Module]] = {}

    def apply(self, model: nn.Module) -> nn.Module:
        """Change the class of each batch normalisation: parameters, buffers and their names stay."""
        synced_class = CPUSyncBatchNorm if torch.distributed.get_backend() == "gloo" else nn.SyncBatchNorm
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                self._original_classes[module] = type(module)
                module.__class__ = synced_class  # type: ignore[assignment]
                if synced_class is nn.SyncBatchNorm:
                    module.process_group = None  # type: ignore[assignment]  # all; what its constructor would have set
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Restore the class of each."""
        for module, original_class in self._original_classes.items():
            module.__class__ = original_class
        self._original_classes.clear()
        return model
