"""Train face embedders, measure them honestly, and find out who is in a photo.

`from facerec import load` opens a trained model. What is offered here is imported when first asked for, so
`import facerec` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facerec._version import __version__
    from facerec.models import Embedder, Ensemble, Model, load, open_model

__all__ = ["Embedder", "Ensemble", "Model", "__version__", "load", "open_model"]

_HOMES = {"__version__": "facerec._version"} | dict.fromkeys(set(__all__) - {"__version__"}, "facerec.models")


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'facerec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
