"""Backbones: from a normalised crop to a feature vector."""

from facerec.backbones.base import Backbone
from facerec.backbones.resnet import ResNet

BACKBONES: dict[str, type[Backbone]] = {"ResNet": ResNet}
"""What a model folder may name; nothing else is ever built from one."""

__all__ = ["BACKBONES", "Backbone", "ResNet"]
