"""Faces: from photos to aligned crops."""

from facerec.faces.align import ARCFACE_TEMPLATE, align, similarity_transform, warp
from facerec.faces.choose import choose, refuse
from facerec.faces.face import Face, Finder
from facerec.faces.face_alignment import FaceAlignmentFinder
from facerec.faces.listing import pick_photos
from facerec.faces.photo import FORMATS, is_photo, read_photo
from facerec.faces.retinaface import RetinaFaceFinder
from facerec.faces.sharpness import sharpness
from facerec.faces.whole import WholePhoto

__all__ = [
    "ARCFACE_TEMPLATE",
    "FORMATS",
    "Face",
    "FaceAlignmentFinder",
    "Finder",
    "RetinaFaceFinder",
    "WholePhoto",
    "align",
    "choose",
    "is_photo",
    "pick_photos",
    "read_photo",
    "refuse",
    "sharpness",
    "similarity_transform",
    "warp",
]
