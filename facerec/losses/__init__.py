"""Heads: margin classifiers that train an embedder."""

from facerec.losses.adaface import AdaFace
from facerec.losses.arcface import ArcFace
from facerec.losses.base import Head, HeadOutput, MarginHead
from facerec.losses.combined import Combined
from facerec.losses.cosface import CosFace
from facerec.losses.none import no_head
from facerec.losses.normface import NormFace
from facerec.losses.softmax import Softmax
from facerec.losses.sphereface import SphereFace
from facerec.losses.subcenter import SubCenterArcFace

__all__ = [
    "AdaFace",
    "ArcFace",
    "Combined",
    "CosFace",
    "Head",
    "HeadOutput",
    "MarginHead",
    "NormFace",
    "Softmax",
    "SphereFace",
    "SubCenterArcFace",
    "no_head",
]
