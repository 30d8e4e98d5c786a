"""Faces: from photos to aligned crops."""

from facerec.faces.align import ARCFACE_TEMPLATE, align, similarity_transform, warp
from facerec.faces.choose import choose, refuse
from facerec.faces.face import Face, Finder
from facerec.faces.face_alignment import FaceAlignmentFinder
from facerec.faces.photo import IMAGE_SUFFIXES, read_photo
from facerec.faces.retinaface import RetinaFaceFinder
from facerec.faces.sharpness import sharpness
from facerec.faces.whole import WholePhoto

__all__ = [
    "ARCFACE_TEMPLATE",
    "IMAGE_SUFFIXES",
    "Face",
    "FaceAlignmentFinder",
    "Finder",
    "RetinaFaceFinder",
    "WholePhoto",
    "align",
    "choose",
    "read_photo",
    "refuse",
    "sharpness",
    "similarity_transform",
    "warp",
]
