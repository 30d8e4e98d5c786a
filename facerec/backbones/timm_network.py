"""Any network of timm (Wightman, PyTorch Image Models), by name."""

from typing import Any

from torch import nn

from facerec.backbones.named import NamedNetwork
from facerec.errors import ConfigError


class TimmNetwork(NamedNetwork):
    """A network of timm before our neck; see `NamedNetwork`.

    Networks that are made for images of one size, such as vision transformers, are made for crops.

    Args:
        name: as in `timm.list_models()`, without the tag of pretrained weights.
        embedding_dim: width of the fully connected layer, 1 to 16384.
        final_norm: see `NamedNetwork`.
        final_relu: see `NamedNetwork`.

    Raises:
        ConfigError: timm is not installed, has no network of this name, or it can't be made for crops of 112 px.
    """

    def __init__(
        self, name: str, *, embedding_dim: int = 128, final_norm: bool = True, final_relu: bool = False
    ) -> None:
        try:
            import timm
        except ModuleNotFoundError as error:
            raise ConfigError(f"backbone: {error.name} is not installed: pip install 'facerec[timm]'") from error
        super().__init__(
            "timm",
            name,
            timm.list_models(),
            _without_classifier,
            embedding_dim=embedding_dim,
            final_norm=final_norm,
            final_relu=final_relu,
        )


def _without_classifier(name: str) -> nn.Module:
    """The network up to its pooled features `[N, C]`."""
    import timm

    published = timm.get_pretrained_cfg(name)
    fixed: dict[str, Any] = {"img_size": 112} if published and published.fixed_input_size else {}
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **fixed)
    return network
