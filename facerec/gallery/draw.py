"""A photo with its faces framed and named."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from facerec.faces import Face

_KNOWN, _UNKNOWN = "#2e9e4f", "#c8553d"


def draw(photo: Tensor, faces: Sequence[Face], names: Sequence[str | None], file: Path) -> None:
    """Write a copy of the photo with a frame and a name for each face.

    Args:
        photo: `uint8 [3, H, W]`.
        faces: in it.
        names: of each face; None is written as unknown, in another colour.
        file: a PNG; folders are made.
    """
    picture = Image.fromarray(photo.permute(1, 2, 0).contiguous().numpy())
    pen = ImageDraw.Draw(picture)
    width = max(2, round(max(picture.size) / 400))
    font = _font(max(12, round(max(picture.size) / 50)))
    for face, name in zip(faces, names, strict=True):
        x0, y0, x1, y1 = face.box.tolist()
        colour = _KNOWN if name else _UNKNOWN
        pen.rectangle((x0, y0, x1, y1), outline=colour, width=width)
        text = name or "unknown"
        left, top, right, bottom = pen.textbbox((x0, y1), text, font=font)
        down = min(0, picture.height - bottom - width)  # a name below the picture's edge is moved up
        pen.rectangle((left - width, top + down - width, right + width, bottom + down + width), fill=colour)
        pen.text((x0, y1 + down), text, fill="white", font=font)
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    from matplotlib.font_manager import findfont  # its DejaVu Sans has more alphabets than Pillow's own

    return ImageFont.truetype(findfont("DejaVu Sans"), size)
