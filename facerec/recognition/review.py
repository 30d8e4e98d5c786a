"""Decide whether a photo is good enough to enrol from."""

import hashlib
from collections.abc import Sequence

from facerec.crops import encode_png
from facerec.faces import refusal_reasons
from facerec.gallery.records import Sample
from facerec.recognition.pipeline import NO_VECTOR, PhotoFaces
from facerec.recognition.quality import Gates, measure, weaknesses
from facerec.recognition.xmp import Area, area_of, pair_up


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


def review_people(
    photo: PhotoFaces, people: Sequence[tuple[str, Area | None]], gates: Gates, *, strict: bool, keep: bool
) -> list[tuple[str, Sample | str, str]]:
    """For each person in a photo, the sample of their face or why it is refused, and what is weak about it.

    Args:
        photo: with its faces; its file's name is the source.
        people: names, and the areas that mean a face each (see `pair_up`); no area: the largest face.
        gates: below which a face is weak.
        strict: refuse photos with several faces, unless an area means one of them, and weak faces.
        keep: store the crops with the samples.
    """
    faces, size = [*photo.without_vector, *photo.faces], photo.photo.shape[:2]
    numbers = iter(pair_up([area for _, area in people if area], [area_of(face, size) for face in faces]))
    reviewed: list[tuple[str, Sample | str, str]] = []
    for name, area in people:
        number = next(numbers) if area else None
        if not photo.problem and area is not None and number is None:
            reviewed.append((name, "no face found in the region", ""))
        elif not photo.problem and number is not None and number < len(photo.without_vector):
            reviewed.append((name, f"{NO_VECTOR} for the face in the region", ""))
        else:
            meant = photo if photo.problem or number is None else photo.only(number - len(photo.without_vector))
            sample = review(meant, photo.file.name, strict=gates if strict else None, keep=keep)
            reviewed.append((name, sample, weakness(meant, gates)))
    return reviewed
