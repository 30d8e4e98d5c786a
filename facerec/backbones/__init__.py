"""Backbones: from a normalised crop to a feature vector."""

from facerec.backbones.base import Backbone
from facerec.backbones.iresnet import IResNet
from facerec.backbones.mobilefacenet import MobileFaceNet
from facerec.backbones.resnet import ResNet
from facerec.backbones.timm_network import TimmNetwork
from facerec.backbones.torchvision_network import TorchvisionNetwork

BACKBONES: dict[str, type[Backbone]] = {
    backbone.__name__: backbone for backbone in (IResNet, MobileFaceNet, ResNet, TimmNetwork, TorchvisionNetwork)
}
"""What a model folder may name; nothing else is ever built from one."""

__all__ = ["BACKBONES", "Backbone", "IResNet", "MobileFaceNet", "ResNet", "TimmNetwork", "TorchvisionNetwork"]
