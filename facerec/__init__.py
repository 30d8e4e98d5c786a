"""Train face embedders, measure them honestly, and find out who is in a photo.

`facerec.open_model` opens any model, `facerec.load` the PyTorch module of a model folder. Names are imported when
first used, so `import facerec` does not import torch.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from facerec._version import __version__
    from facerec.models import Embedder, Ensemble, Model, load, open_model

__all__ = ["Embedder", "Ensemble", "Model", "__version__", "load", "open_model"]

_MODULES = {"_version": ["__version__"], "models": ["Embedder", "Ensemble", "Model", "load", "open_model"]}
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_MODULES)
