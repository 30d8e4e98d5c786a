"""Train face embedders, measure them honestly, and find out who is in a photo.

`from facerec import load` is the door for using a model. What is offered here is imported when first asked
for, so `import facerec` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facerec.models import Embedder, Ensemble, load

    __version__: str

__all__ = ["Embedder", "Ensemble", "__version__", "load"]

_HOMES = {
    "Embedder": "facerec.models.embedder",
    "Ensemble": "facerec.models.ensemble",
    "load": "facerec.models.store",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("facerec")
        except PackageNotFoundError:  # run from a checkout that is not installed
            return "0+checkout"
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'facerec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
