"""Faces: from photos to aligned crops."""

from facerec.faces.choose import choose, refuse
from facerec.faces.face import Detector, Face
from facerec.faces.face_alignment import FaceAlignmentDetector
from facerec.faces.retinaface import RetinaFaceDetector
from facerec.faces.whole import WholePhoto

__all__ = [
    "Detector",
    "Face",
    "FaceAlignmentDetector",
    "RetinaFaceDetector",
    "WholePhoto",
    "choose",
    "refuse",
]
