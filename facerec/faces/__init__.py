"""Faces: from pictures to aligned crops."""

from facerec.faces.align import ARCFACE_TEMPLATE, similarity_transform, warp

__all__ = ["ARCFACE_TEMPLATE", "similarity_transform", "warp"]
