"""What networks of other libraries have in common: chosen by name, without their classifier, before our neck."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerec.backbones.base import Backbone, check_width
from facerec.errors import ConfigError

_SIDE = 112


class NamedNetwork(Backbone):
    """A network of a library, whose features a fully connected layer maps to those of a crop.

    Its initial weights are the library's own for a training from scratch: no weights are fetched.

    Args:
        library: that has the network, for messages.
        name: of the network.
        names: of all networks of the library.
        make: makes the network of that name, without its classifier.
        embedding_dim: width of the fully connected layer, 1 to 16384.
        final_norm: batch normalisation, without scale and shift, of the features, as in `ResNet`.
        final_relu: ReLU after the last layer, so that no feature is negative.

    Raises:
        ConfigError: the library has no network of this name, or it can't be made for crops of 112 px.
    """

    def __init__(
        self,
        library: str,
        name: str,
        names: Sequence[str],
        make: Callable[[str], nn.Module],
        *,
        embedding_dim: int,
        final_norm: bool,
        final_relu: bool,
    ) -> None:
        super().__init__()
        check_width(embedding_dim)
        if name not in names:
            nearest = ", ".join(get_close_matches(name, names))
            cure = f"do you mean {nearest}?" if nearest else f"its names are those of {library}'s list_models()"
            raise ConfigError(f"backbone.name: {library} has no network {name!r}; {cure}")
        self.options = {
            "name": name,
            "embedding_dim": embedding_dim,
            "final_norm": final_norm,
            "final_relu": final_relu,
        }
        try:
            self.network = make(name)
            width = _width(self.network)
        except Exception as error:  # whatever foreign networks meet in a crop that is smaller than their images
            raise ConfigError(
                f"backbone.name: {library}'s {name} can't be made for crops of {_SIDE} px ({error}); choose another"
            ) from error
        self.fc = nn.Linear(width, embedding_dim)
        self.norm = nn.BatchNorm1d(embedding_dim, affine=False) if final_norm else nn.Identity()
        self.final_relu = final_relu
        self.out_features = embedding_dim

    def forward(self, x: Tensor) -> Tensor:
        """Normalised crops `float [N, 3, 112, 112]` → features `float32 [N, embedding_dim]`."""
        x = self.network(x)
        # bfloat16 would round away what sets features apart from their common mean
        with torch.autocast(x.device.type, enabled=False):
            features: Tensor = self.norm(self.fc(x.to(self.fc.weight.dtype)))
        return F.relu(features) if self.final_relu else features


def _width(network: nn.Module) -> int:
    """Length of what a network gives for a crop; its statistics and the random numbers stay as they are."""
    device = next(network.parameters()).device
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        features = network.eval()(torch.zeros(1, 3, _SIDE, _SIDE, device=device))
    network.train()
    if not isinstance(features, Tensor) or features.dim() != 2:
        raise ValueError("it gives no vector for a crop")
    return features.shape[1]
