"""Several processes as one run: collectives, batch normalisation, relaunch; imported when first asked for."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from facerec.distributed.batch_norm import SyncedNorms

__all__ = ["SyncedNorms"]

_MODULES = {
    "batch_norm": ["SyncedNorms"],
}
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_MODULES)
