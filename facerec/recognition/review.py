"""Is this a photo to enrol somebody from?"""

import hashlib

from torchvision.io import encode_png

from facerec.crops import sharpness
from facerec.faces import refuse
from facerec.gallery.records import Sample
from facerec.recognition.pipeline import NO_VECTOR, Seen


def review(
    seen: Seen, source: str, *, strict: bool, min_size: float, min_sharpness: float, keep: bool
) -> Sample | str:
    """The sample to enrol, of the largest face, or else why there is none.

    Args:
        seen: the photo.
        source: what the gallery is to call it.
        strict: refuse a photo of several faces, and a face that is small or blurred.
        min_size: shorter side of the box in pixels, when strict.
        min_sharpness: variance of the Laplacian of the crop, when strict.
        keep: keep the crop with the sample.
    """
    if seen.problem:
        return seen.problem
    if not seen.faces:
        return "no face found"
    height, width = seen.photo.shape[1:]
    all_faces = [*seen.without_vector, *seen.faces]
    row = refuse(all_faces, "largest", 0, 0, (height, width)).index("") - len(seen.without_vector)
    if row < 0:  # the next largest may be somebody else
        return f"{NO_VECTOR} for the largest face"
    face, crop = seen.faces[row], seen.crops[row]
    if strict:
        sharp = float(sharpness(crop[None]))
        if len(all_faces) > 1:
            return f"{len(all_faces)} faces"
        if face.size < min_size:
            return f"face of {face.size:.0f} pixels is smaller than {min_size:g}"
        if sharp < min_sharpness:
            return f"blurred (sharpness {sharp:.0f} is below {min_sharpness:g})"
    x0, y0, x1, y1 = face.box.tolist()
    digest = hashlib.sha256(crop.contiguous().numpy().tobytes()).digest()
    kept = encode_png(crop).numpy().tobytes() if keep else None
    return Sample(seen.vectors[row], source, digest, (x0, y0, x1, y1), face.score, kept)
