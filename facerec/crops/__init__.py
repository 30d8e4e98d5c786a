"""Crops: their size and template, reading photos, aligning faces to the template."""

from facerec.crops.align import ALIGNER_VERSION, ARCFACE_TEMPLATE, align, similarity_transform, warp
from facerec.crops.contract import Crops, Photo
from facerec.crops.crop_file import crop_file
from facerec.crops.header import PhotoHeader, read_header
from facerec.crops.listing import list_photos
from facerec.crops.photo import is_photo, read_photo
from facerec.crops.png import encode_png
from facerec.crops.sharpness import sharpness

__all__ = [
    "ALIGNER_VERSION",
    "ARCFACE_TEMPLATE",
    "Crops",
    "Photo",
    "PhotoHeader",
    "align",
    "crop_file",
    "encode_png",
    "is_photo",
    "list_photos",
    "read_header",
    "read_photo",
    "sharpness",
    "similarity_transform",
    "warp",
]
