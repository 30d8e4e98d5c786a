"""Names are drawn as letters: no box where this machine has a font for them, and a word in the log where not."""

import logging
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageColor, ImageFont, features

from facerec.faces import Face
from facerec.recognition import draw, fonts

NAMES = {
    "Latin": "Zoë Ångström",
    "Greek": "Ελένη",
    "Cyrillic": "Юлия Йе́",
    "Chinese": "王小明",
    "Japanese": "山田\u3000たろう",
    "Korean": "김철수",
    "Devanagari": "क्षत्रिय श्री",
    "Thai": "ใจดี",
    "Arabic": "محمد علي",
    "Persian": "می\u200cخواهم",  # noqa: RUF001
    "Hebrew": "דוד כהן",
    "emoji": "👩\u200d🔬 ❤\ufe0f",
    "mixed": "王小明 (Ann) דוד",
}


def _boxes(text: str, file: str) -> bool:
    """Whether a letter is drawn as the font's box for letters that it lacks."""
    font = fonts._font(file, 40)
    box = font.getmask("\U0010fffd")  # of a private plane, which no font has
    visible = (letter for letter in text if unicodedata.category(letter) not in ("Cf", "Zs", "Mn"))
    return any(font.getmask(letter).getbbox() and bytes(font.getmask(letter)) == bytes(box) for letter in visible)


@pytest.mark.parametrize("script", NAMES)
def test_no_boxes(script: str, caplog: pytest.LogCaptureFixture) -> None:
    name = NAMES[script]
    fonts.split.cache_clear()
    pieces = fonts.split(name)
    assert "".join(piece for _, piece in pieces) == name
    if "no font here has" in caplog.text:
        assert any(_boxes(piece, file) for file, piece in pieces)
        pytest.skip("no font for a script on this machine: apt-get install fonts-noto")
    assert not any(_boxes(piece, file) for file, piece in pieces)
    ink = np.asarray(fonts.write(name, 40))[..., 3] > 0
    assert all(edge.any() for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1]))
    assert 15 < ink.shape[0] < 90


def test_boxes_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    name = "Ann \U0010fffd\U0010fffe"
    fonts.split.cache_clear()
    [(file, piece)] = [fonts.split(name)[0] for _ in range(2)][:1]
    assert piece == name
    assert _boxes(name, file)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "\U0010fffd\U0010fffe, drawn as boxes; install one" in caplog.text


def test_arabic_is_shaped(caplog: pytest.LogCaptureFixture) -> None:
    fonts.split.cache_clear()
    name = NAMES["Arabic"]
    [(file, _)] = fonts.split(name)
    if not features.check("raqm"):
        assert "unshaped; install FriBiDi" in caplog.text
        pytest.skip("Pillow finds no FriBiDi: apt-get install libfribidi0")
    assert caplog.text == ""
    apart = ImageFont.truetype(file, 40, layout_engine=ImageFont.Layout.BASIC)
    assert fonts.write(name, 40).width < 0.9 * apart.getlength(name)  # joined letters are narrower


@given(st.text(st.sampled_from("".join(NAMES.values())), min_size=1, max_size=12), st.integers(12, 60))
@settings(max_examples=100, deadline=None)
def test_any_text_is_drawn(text: str, size: int) -> None:
    assert "".join(piece for _, piece in fonts.split(text)) == text
    picture = fonts.write(text, size)
    assert picture.mode == "RGBA"
    assert min(picture.size) >= 1


def test_names_stand_at_their_faces_and_inside_the_picture() -> None:
    photo = np.full((200, 300, 3), 7, np.uint8)
    boxes = ((10, 10, 60, 60), (150, 120, 199, 199))
    faces = [Face(np.array(box, np.float32), np.zeros((5, 2), np.float32), 0.9) for box in boxes]
    drawn = draw(photo, faces, ["محمد", None])
    assert drawn.shape == photo.shape
    for (left, _, _, bottom), colour in zip(boxes, ("#2e9e4f", "#c8553d"), strict=True):
        wanted = ImageColor.getrgb(colour)
        label = (drawn[min(bottom + 3, 180) :, left:] == wanted).all(axis=2)
        assert label.sum() > 100
