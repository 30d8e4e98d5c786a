"""A name in any script, drawn with the fonts that this machine has."""

import logging
import unicodedata
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

log = logging.getLogger(__name__)

_LAST = ("bold", "italic", "oblique", "light", "thin", "black", "medium", "cond", "mono", "serif", "unifont")
_BITMAP_SIZES = (109, 160, 136, 128, 96)  # fonts of coloured emoji have one of them, and no other
_VARIATIONS = range(0xFE00, 0xFE10)
_NOTHING = (255, 255, 255, 0)  # white, so that the edges of letters don't darken


def write(text: str, size: int) -> Image.Image:
    """The text in white on nothing, in `size` pixels, as an RGBA picture without margins."""
    pieces = [_write(piece, _font(file, size), size) for file, piece in split(text)]
    above = max(ascent for _, ascent in pieces)
    below = max(piece.height - ascent for piece, ascent in pieces)
    line = Image.new("RGBA", (sum(piece.width for piece, _ in pieces), above + below), _NOTHING)
    left = 0
    for piece, ascent in pieces:
        line.paste(piece, (left, above - ascent))
        left += piece.width
    return line.crop(line.getbbox())


@cache
def split(text: str) -> list[tuple[str, str]]:
    """Font file and piece of the text, for as few fonts as there may be: one, if one has it all.

    A letter that no font has is left to the first of them, as a box, and the log says so, once a text.
    """
    pieces: list[tuple[str, str]] = []
    missing, left = "", text
    while left:
        file, count = _longest(left)
        if not count:
            missing, count = missing + left[0], 1
        if pieces and pieces[-1][0] == file:
            file, before = pieces.pop()
            pieces.append((file, before + left[:count]))
        else:
            pieces.append((file, left[:count]))
        left = left[count:]
    if missing:
        log.warning("%s: no font here has %s, drawn as boxes; install one, such as fonts-noto", text, missing)
    if not features.check("raqm") and any(_is_shaped(letter) for letter in text):
        log.warning(
            "%s: letters are drawn one by one, unshaped; install FriBiDi, which Pillow shapes them with", text
        )
    return pieces


def _longest(text: str) -> tuple[str, int]:
    """The font that has most of the letters that the text begins with, and how many; the first of several."""
    best, most = _fonts()[0], 0
    for file in _fonts():
        if (count := _count(file, text)) > most:
            best, most = file, count
        if most == len(text):
            break
    return best, most


def _count(file: str, text: str) -> int:
    letters = _letters(file)
    for count, letter in enumerate(text):
        invisible = unicodedata.category(letter) == "Cf" or ord(letter) in _VARIATIONS
        if not invisible and ord(letter) not in letters:
            return count
    return len(text)


@cache
def _letters(file: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):  # of a kind that it does not know
        return frozenset()


@cache
def _fonts() -> list[str]:
    """DejaVu Sans, which comes with matplotlib, then what the system has, plain ones first."""
    from matplotlib.font_manager import findfont, findSystemFonts

    def plainness(file: str) -> tuple[int, str]:
        name = Path(file).name.lower()
        return sum(word in name for word in _LAST), name

    found = [file for file in findSystemFonts() if "lastresort" not in Path(file).name.lower()]  # all boxes
    return [str(findfont("DejaVu Sans")), *sorted(found, key=plainness)]


@cache
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    for possible in (size, *_BITMAP_SIZES):
        try:
            return ImageFont.truetype(file, possible)
        except OSError:  # a font of pictures has its sizes
            continue
    return ImageFont.truetype(_fonts()[0], size)


def _write(text: str, font: ImageFont.FreeTypeFont, size: int) -> tuple[Image.Image, int]:
    """A piece as RGBA, and how many of its rows are above the line that letters stand on."""
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text, anchor="ls"))
    picture = Image.new("RGBA", (max(1, right - min(0, left)), max(1, bottom - top)), _NOTHING)
    ImageDraw.Draw(picture).text((-min(0, left), -top), text, "white", font, anchor="ls", embedded_color=True)
    scale = size / font.size
    if scale != 1:
        picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    return picture, round(-top * scale)


def _is_shaped(letter: str) -> bool:
    return unicodedata.bidirectional(letter) in ("R", "AL") or unicodedata.category(letter) in ("Mn", "Mc")
