"""Backbones: from a normalised crop to a feature vector."""

from facerec.backbones.base import Backbone
from facerec.backbones.iresnet import IResNet
from facerec.backbones.mobilefacenet import MobileFaceNet
from facerec.backbones.resnet import ResNet

BACKBONES: dict[str, type[Backbone]] = {"IResNet": IResNet, "MobileFaceNet": MobileFaceNet, "ResNet": ResNet}
"""What a model folder may name; nothing else is ever built from one."""

__all__ = ["BACKBONES", "Backbone", "IResNet", "MobileFaceNet", "ResNet"]
