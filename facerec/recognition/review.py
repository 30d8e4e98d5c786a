"""Decide whether a photo is good enough to enrol from."""

import hashlib
from collections.abc import Sequence

from facerec.crops import encode_png, sharpness
from facerec.faces import refusal_reasons
from facerec.gallery.records import Sample
from facerec.recognition.pipeline import NO_VECTOR, PhotoFaces
from facerec.recognition.xmp import Area, area_of, pair_up


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


def review_people(
    photo: PhotoFaces,
    people: Sequence[tuple[str, Area | None]],
    *,
    strict: bool,
    min_size: float,
    min_sharpness: float,
    keep: bool,
) -> list[tuple[str, Sample | str]]:
    """For each person in a photo, the sample of their face, or why it is refused; the file's name is the source.

    Args:
        photo: with its faces.
        people: names, and the areas that mean a face each (see `pair_up`); no area: the largest face.
        strict: as for `review`; where an area means a face, other faces of the photo don't count.
        min_size: as for `review`.
        min_sharpness: as for `review`.
        keep: as for `review`.
    """
    bounds = {"min_size": min_size, "min_sharpness": min_sharpness}
    faces, size = [*photo.without_vector, *photo.faces], photo.photo.shape[:2]
    numbers = iter(pair_up([area for _, area in people if area], [area_of(face, size) for face in faces]))
    reviewed: list[tuple[str, Sample | str]] = []
    for name, area in people:
        sample: Sample | str
        number = next(numbers) if area else None
        if photo.problem or area is None:
            sample = review(photo, photo.file.name, strict=strict, keep=keep, **bounds)
        elif number is None:
            sample = "no face found in the region"
        elif number < len(photo.without_vector):
            sample = f"{NO_VECTOR} for the face in the region"
        else:
            only = photo.only(number - len(photo.without_vector))
            sample = review(only, photo.file.name, strict=strict, keep=keep, **bounds)
        reviewed.append((name, sample))
    return reviewed
