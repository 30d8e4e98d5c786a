"""Draw a name in any script with the fonts of this machine."""

import logging
import os
import struct
import sys
import unicodedata
from functools import cache
from pathlib import Path
from typing import cast

from PIL import Image, ImageDraw, ImageFont, features
from platformdirs import site_data_dir, user_data_dir

log = logging.getLogger(__name__)

_LAST = ("bold", "italic", "oblique", "light", "thin", "black", "medium", "cond", "mono", "serif", "unifont")
_BITMAP_SIZES = (109, 160, 136, 128, 96)  # fonts of coloured emoji have one of them, and no other
_VARIATIONS = range(0xFE00, 0xFE10)
_SUFFIXES = (".ttf", ".otf", ".ttc")
_NOTHING = (255, 255, 255, 0)  # white, so that the edges of letters don't darken


def write(text: str, size: int) -> Image.Image:
    """The text in white on transparency, `size` pixels high, as an RGBA image without margins."""
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
    """Split the text into pieces that one font has, as few as possible: pairs of font file and piece.

    Letters that no font has are drawn by the first font, as boxes; the log says so, once for each text.
    """
    pieces: list[tuple[str, str]] = []
    missing, rest = "", text
    while rest:
        file, count = _longest(rest)
        if not count:
            missing, count = missing + rest[0], 1
        if pieces and pieces[-1][0] == file:
            file, before = pieces.pop()
            pieces.append((file, before + rest[:count]))
        else:
            pieces.append((file, rest[:count]))
        rest = rest[count:]
    if missing:
        log.warning("%s: no font here has %s, drawn as boxes; install one, such as fonts-noto", text, missing)
    if not features.check("raqm") and any(_is_shaped(letter) for letter in text):
        log.warning(
            "%s: letters are drawn one by one, unshaped; install FriBiDi, which Pillow needs to shape them", text
        )
    return pieces


def _longest(text: str) -> tuple[str, int]:
    """The font that can draw the longest beginning of the text, and the length of that beginning."""
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
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(file or _font("", 20).path, fontNumber=0, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (OSError, TTLibError, KeyError, AssertionError, struct.error):  # damaged, or an unknown kind of font
        return frozenset()


@cache
def _fonts() -> list[str]:
    """The fonts of the system, plain ones first, then "": Pillow's own, which has the letters of ASCII alone."""

    def plainness(file: Path) -> tuple[bool, int, str]:
        name = file.name.lower()
        return "dejavusans." not in name, sum(word in name for word in _LAST), name

    files = [file for folder in _folders() for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES]
    known = [file for file in files if "lastresort" not in file.name.lower()]  # a font of boxes
    return [*map(str, sorted(known, key=plainness)), ""]


def _folders() -> list[Path]:
    """Where this system keeps its fonts."""
    if sys.platform == "win32":
        roots = [f"{os.environ.get('WINDIR')}/Fonts", f"{os.environ.get('LOCALAPPDATA')}/Microsoft/Windows/Fonts"]
    elif sys.platform == "darwin":
        roots = ["/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"]
    else:
        data = [user_data_dir(), *site_data_dir(multipath=True).split(os.pathsep)]
        roots = ["~/.fonts", *(f"{folder}/fonts" for folder in data)]
    return [Path(root).expanduser() for root in roots]


@cache
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    for possible in (size, *_BITMAP_SIZES) if file else ():
        try:
            return ImageFont.truetype(file, possible)
        except OSError:  # a bitmap font has fixed sizes
            continue
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))


def _write(text: str, font: ImageFont.FreeTypeFont, size: int) -> tuple[Image.Image, int]:
    """A piece of text as RGBA, and how many of its rows are above the baseline."""
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text, anchor="ls"))
    picture = Image.new("RGBA", (max(1, right - min(0, left)), max(1, bottom - top)), _NOTHING)
    ImageDraw.Draw(picture).text((-min(0, left), -top), text, "white", font, anchor="ls", embedded_color=True)
    scale = size / font.size
    if scale != 1:
        picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    return picture, round(-top * scale)


def _is_shaped(letter: str) -> bool:
    return unicodedata.bidirectional(letter) in ("R", "AL") or unicodedata.category(letter) in ("Mn", "Mc")
