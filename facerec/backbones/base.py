"""What every backbone tells about itself."""

from typing import Any

from torch import nn

from facerec.errors import ConfigError

_WIDEST = 16_384  # far beyond any embedding; a typing error must not fill the memory


class Backbone(nn.Module):
    """Maps normalised crops `float [N, 3, H, W]` to features `float [N, out_features]`.

    A new one subclasses this, sets both attributes, takes only arguments that are annotated as `int`, `float`,
    `bool` or `str`, and is listed in `facerec.backbones.BACKBONES`, or registered by an installed package as the
    entry point of its name in the group `facerec.backbones`; then a model folder can be rebuilt from it.

    Attributes:
        options: the constructor's arguments, but for those of `initial`.
        initial: names of its arguments that decide nothing but initial weights, which trained ones replace.
        out_features: length of the feature vector.
        any_size: whether it takes crops of other sizes than 112 px, too.
    """

    options: dict[str, Any]
    initial: tuple[str, ...] = ()
    out_features: int
    any_size = False


def check_width(embedding_dim: int) -> None:
    """Refuse a width that no embedding has.

    Raises:
        ConfigError: it is not from 1 to 16384.
    """
    if not 1 <= embedding_dim <= _WIDEST:
        raise ConfigError(f"backbone.embedding_dim must be from 1 to {_WIDEST}, not {embedding_dim!r}")
