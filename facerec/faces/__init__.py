"""Photos → faces → aligned crops: detectors, and the one function that crops.

The detector of `face-alignment` is imported when first used: it alone needs torch.
"""

from typing import TYPE_CHECKING

import lazy_loader

from facerec.faces.cropping import CroppedPhoto, crop_faces, crop_files
from facerec.faces.face import Detector, Face
from facerec.faces.refusal import Which, refusal_reasons
from facerec.faces.retinaface import RetinaFaceDetector
from facerec.faces.whole import WholePhoto

if TYPE_CHECKING:
    from facerec.faces.face_alignment import FaceAlignmentDetector

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

__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs={"face_alignment": ["FaceAlignmentDetector"]})
