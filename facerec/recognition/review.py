"""Decide whether a photo is good enough to enrol from."""

import hashlib

from facerec.crops import encode_png, sharpness
from facerec.faces import refusal_reasons
from facerec.gallery.records import Sample
from facerec.recognition.pipeline import NO_VECTOR, PhotoFaces


def review(
    photo: PhotoFaces, source: str, *, strict: bool, min_size: float, min_sharpness: float, keep: bool
) -> Sample | str:
    """The sample of the largest face, or why the photo is refused.

    Args:
        photo: with its faces.
        source: name of the photo in the gallery.
        strict: refuse photos with several faces, and small or blurred faces.
        min_size: shorter side of the box in pixels, when strict.
        min_sharpness: variance of the Laplacian of the crop, when strict.
        keep: store the crop with the sample.
    """
    if photo.problem:
        return photo.problem
    if not photo.faces:
        return "no face found"
    height, width = photo.photo.shape[:2]
    all_faces = [*photo.without_vector, *photo.faces]
    row = refusal_reasons(all_faces, "largest", 0, 0, (height, width)).index("") - len(photo.without_vector)
    if row < 0:  # the next largest may be somebody else
        return f"{NO_VECTOR} for the largest face"
    face, crop = photo.faces[row], photo.crops[row]
    if strict:
        sharp = sharpness(crop)
        if len(all_faces) > 1:
            return f"{len(all_faces)} faces"
        if face.size < min_size:
            return f"face of {face.size:.0f} pixels is smaller than {min_size:g}"
        if sharp < min_sharpness:
            return f"blurred (sharpness {sharp:.0f} is below {min_sharpness:g})"
    return sample_of(photo, row, source, keep=keep)


def sample_of(photo: PhotoFaces, row: int, source: str, *, keep: bool) -> Sample:
    """The sample of a face of a photo.

    Args:
        photo: with its faces.
        row: of the face.
        source: name of the photo in the gallery.
        keep: store the crop with the sample.
    """
    face, crop = photo.faces[row], photo.crops[row]
    x0, y0, x1, y1 = face.box.tolist()
    digest = hashlib.sha256(crop.tobytes()).digest()
    kept = encode_png(crop.transpose(1, 2, 0)) if keep else None
    return Sample(photo.vectors[row], source, digest, (x0, y0, x1, y1), face.score, kept)
