"""Any classification network of torchvision, by name."""

from typing import Any

import torchvision
from torch import nn

from facerec.backbones.named import NamedNetwork

# what some networks have to be told: the size of their images, and not to have classifiers for training alone
_ALONE = {"aux_logits": False, "init_weights": True}
_TOLD: dict[str, dict[str, Any]] = {"vit_": {"image_size": 112}, "googlenet": _ALONE, "inception_v3": _ALONE}


class TorchvisionNetwork(NamedNetwork):
    """A classification network of torchvision before our neck; see `NamedNetwork`.

    All of it is kept but the last layer, which gives the scores of classes.

    Args:
        name: as in `torchvision.models.list_models(module=torchvision.models)`.
        embedding_dim: width of the fully connected layer, 1 to 16384.
        final_norm: see `NamedNetwork`.
        final_relu: see `NamedNetwork`.

    Raises:
        ConfigError: torchvision has no network of this name, or it can't be made for crops of 112 px.
    """

    def __init__(
        self, name: str, *, embedding_dim: int = 128, final_norm: bool = True, final_relu: bool = False
    ) -> None:
        super().__init__(
            "torchvision",
            name,
            torchvision.models.list_models(module=torchvision.models),
            _without_classifier,
            embedding_dim=embedding_dim,
            final_norm=final_norm,
            final_relu=final_relu,
        )


def _without_classifier(name: str) -> nn.Module:
    """The network up to what its last layer is given, `[N, C]`."""
    told = next((options for start, options in _TOLD.items() if name.startswith(start)), {})
    network: nn.Module = torchvision.models.get_model(name, weights=None, **told)
    layers = [path for path, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    parent, _, last = layers[-1].rpartition(".")
    setattr(network.get_submodule(parent), last, nn.Identity())
    return network
