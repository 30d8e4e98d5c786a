"""Which backbones a model folder may name: those of this package, and those that an installed package registers."""

from facerec.backbones.base import Backbone
from facerec.backbones.iresnet import IResNet
from facerec.backbones.mobilefacenet import MobileFaceNet
from facerec.backbones.resnet import ResNet
from facerec.backbones.timm_network import TimmNetwork
from facerec.backbones.torchvision_network import TorchvisionNetwork
from facerec.errors import ModelError
from facerec.runtime.entry_points import load_registered, registered

_GROUP = "backbones"

BACKBONES: dict[str, type[Backbone]] = {
    backbone.__name__: backbone for backbone in (IResNet, MobileFaceNet, ResNet, TimmNetwork, TorchvisionNetwork)
}
"""Those of this package."""


def find_backbone(name: str) -> type[Backbone] | None:
    """The class of this name: ours, or else that of the entry point `NAME` in the group `facerec.backbones`.

    Args:
        name: of a class, as a model folder has it. Nothing is imported but what is registered under it.

    Returns:
        The class; None: nobody registered it.

    Raises:
        MachineError: what is registered can't be imported.
        ModelError: what is registered is no backbone of that name.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    registered_class = load_registered(_GROUP, name)
    if registered_class is None:
        return None
    if not (
        isinstance(registered_class, type)
        and issubclass(registered_class, Backbone)
        and registered_class.__name__ == name
    ):
        raise ModelError(
            f"facerec.{_GROUP}: {name} must be a facerec.backbones.Backbone of that name, not {registered_class!r}"
        )
    return registered_class


def backbone_names() -> list[str]:
    """The names of all classes that a model folder may name, ours first."""
    return [*BACKBONES, *(point.name for point in registered(_GROUP) if point.name not in BACKBONES)]
