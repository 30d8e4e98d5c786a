"""Faces: from photos to aligned crops."""

from facerec.faces.choose import choose, refuse
from facerec.faces.face import Face, Finder
from facerec.faces.face_alignment import FaceAlignmentFinder
from facerec.faces.retinaface import RetinaFaceFinder
from facerec.faces.whole import WholePhoto

__all__ = [
    "Face",
    "FaceAlignmentFinder",
    "Finder",
    "RetinaFaceFinder",
    "WholePhoto",
    "choose",
    "refuse",
]
