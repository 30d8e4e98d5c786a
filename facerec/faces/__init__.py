"""Photos → faces → aligned crops: detectors, and the one function that crops."""

from facerec.faces.cropping import CroppedPhoto, crop_faces, crop_files
from facerec.faces.face import Detector, Face
from facerec.faces.face_alignment import FaceAlignmentDetector
from facerec.faces.refusal import Which, refusal_reasons
from facerec.faces.retinaface import RetinaFaceDetector
from facerec.faces.whole import WholePhoto

__all__ = [
    "CroppedPhoto",
    "Detector",
    "Face",
    "FaceAlignmentDetector",
    "RetinaFaceDetector",
    "Which",
    "WholePhoto",
    "crop_faces",
    "crop_files",
    "refusal_reasons",
]
