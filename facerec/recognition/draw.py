"""Draw frames and names around the faces in a photo."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from facerec.crops.contract import Photo
from facerec.faces import Face
from facerec.recognition.assignment import Named
from facerec.recognition.fonts import write

_KNOWN, _UNKNOWN = "#2e9e4f", "#c8553d"


def draw(photo: Photo, faces: Sequence[Face], people: Sequence[Named]) -> Photo:
    """A copy of the photo, `uint8 [H, W, 3]`, with a frame and a name for each face.

    Args:
        photo: `uint8 [H, W, 3]`.
        faces: in it.
        people: for each face; an unknown one is drawn in another colour, and one to be ignored not at all.
    """
    picture = Image.fromarray(photo)
    pen = ImageDraw.Draw(picture)
    width = max(2, round(max(picture.size) / 400))
    size = max(12, round(max(picture.size) / 50))
    for face, named in zip(faces, people, strict=True):
        if named.ignored:
            continue
        x0, y0, x1, y1 = face.box.tolist()
        colour = _KNOWN if named.person else _UNKNOWN
        pen.rectangle((x0, y0, x1, y1), outline=colour, width=width)
        text = write(named.label, size)
        left, top = round(x0), round(y1) + 2 * width
        top = min(top, picture.height - text.height - width)  # a name below the picture's edge is moved up
        right, bottom = left + text.width, top + text.height
        pen.rectangle((left - width, top - width, right + width, bottom + width), fill=colour)
        picture.paste(text, (left, top), text)
    return np.asarray(picture)
