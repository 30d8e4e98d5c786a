"""What every backbone tells about itself."""

from typing import Any

from torch import nn


class Backbone(nn.Module):
    """Maps normalised crops `float [N, 3, H, W]` to features `float [N, out_features]`.

    A new one subclasses this, sets both attributes, takes only `int`, `float`, `bool` and `str` arguments and
    is listed in `facerec.backbones.BACKBONES`; then a model folder can be rebuilt from it.

    Attributes:
        options: the constructor's arguments, all of them.
        out_features: length of the feature vector.
        any_size: whether it takes crops of other sizes than 112 px, too.
    """

    options: dict[str, Any]
    out_features: int
    any_size = False
