"""Decide whether a photo is good enough to enrol from."""

import hashlib

from facerec.crops import encode_png
from facerec.faces import refusal_reasons
from facerec.gallery.records import Sample
from facerec.recognition.pipeline import NO_VECTOR, PhotoFaces
from facerec.recognition.quality import Gates, measure, weaknesses


def review(photo: PhotoFaces, source: str, *, strict: Gates | None, keep: bool) -> Sample | str:
    """The sample of the largest face, or why the photo is refused.

    Args:
        photo: with its faces.
        source: name of the photo in the gallery.
        strict: refuse photos with several faces, and those that are weak by these gates; None: don't.
        keep: store the crop with the sample.
    """
    row = _largest(photo)
    if isinstance(row, str):
        return row
    face, crop = photo.faces[row], photo.crops[row]
    if strict:
        if (count := len(photo.without_vector) + len(photo.faces)) > 1:
            return f"{count} faces"
        if weak := weakness(photo, strict):
            return weak
    x0, y0, x1, y1 = face.box.tolist()
    digest = hashlib.sha256(crop.tobytes()).digest()
    kept = encode_png(crop.transpose(1, 2, 0)) if keep else None
    return Sample(photo.vectors[row], source, digest, (x0, y0, x1, y1), face.score, kept)


def weakness(photo: PhotoFaces, gates: Gates) -> str:
    """What is weak about the largest face of a photo, in words; "" if nothing is, or if there is none."""
    row = _largest(photo)
    return "" if isinstance(row, str) else ", ".join(weaknesses(measure(photo.faces[row], photo.crops[row]), gates))


def _largest(photo: PhotoFaces) -> int | str:
    """The number of the largest face, or why there is none to enrol."""
    if photo.problem:
        return photo.problem
    if not photo.faces:
        return "no face found"
    height, width = photo.photo.shape[:2]
    all_faces = [*photo.without_vector, *photo.faces]
    row = refusal_reasons(all_faces, "largest", 0, 0, (height, width)).index("") - len(photo.without_vector)
    # the next largest may be somebody else
    return row if row >= 0 else f"{NO_VECTOR} for the largest face"
