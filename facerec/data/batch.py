"""What a loader gives."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """A batch of crops.

    Attributes:
        crops: `uint8 [N, 3, 112, 112]`.
        labels: `int64 [N]`.
        indices: `int64 [N]`, rows of the data set's table.
        views: `int64 [N]`, which of the `FixedViews` is shown of each crop; None where it is augmented anew.
    """

    crops: Tensor
    labels: Tensor
    indices: Tensor
    views: Tensor | None = None
