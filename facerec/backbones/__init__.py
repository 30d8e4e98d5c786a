"""Backbones: from a normalised crop to a feature vector."""

from facerec.backbones.base import Backbone
from facerec.backbones.iresnet import IResNet
from facerec.backbones.mobilefacenet import MobileFaceNet
from facerec.backbones.registry import BACKBONES, backbone_names, find_backbone
from facerec.backbones.resnet import ResNet
from facerec.backbones.timm_network import TimmNetwork
from facerec.backbones.torchvision_network import TorchvisionNetwork

__all__ = [
    "BACKBONES",
    "Backbone",
    "IResNet",
    "MobileFaceNet",
    "ResNet",
    "TimmNetwork",
    "TorchvisionNetwork",
    "backbone_names",
    "find_backbone",
]
