import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facerec.errors import GalleryError
from facerec.gallery.names import LONGEST_NAME, clean_name

ANY = st.text(st.characters(), max_size=20)  # surrogates and control characters too
SPACES = st.text(" \u00a0\u2003\u3000", max_size=3)


@given(ANY)
def test_a_cleaned_name_is_storable_and_stays_as_it_is(text: str) -> None:
    try:
        name = clean_name(text)
    except GalleryError as error:
        str(error).encode()
        return
    assert clean_name(name) == name
    name.encode()  # or PostgreSQL could not have it
    assert "\0" not in name
    assert name == name.strip() == unicodedata.normalize("NFC", name)
    assert len(name.splitlines()) == 1


@given(ANY, SPACES, SPACES, SPACES)
def test_white_space_and_the_form_of_letters_make_no_other_person(
    text: str, before: str, between: str, after: str
) -> None:
    try:
        name = clean_name(f"Ann {text}")
    except GalleryError:
        return
    assert clean_name(f"{before}Ann {between}{unicodedata.normalize('NFD', text)}{after}") == name


@pytest.mark.parametrize(
    "name",
    [
        "Zoë O'Neil",
        "علی\u200cرضا",  # noqa: RUF001 - Persian, with a zero-width non-joiner
        "क्\u200dष",  # Devanagari, with a joiner
        "Ann 👩\u200d🚀",
        "Ann \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # a flag, with tags
        "[/b] ${x} 100% *?",
        "1.50",
        "李" * LONGEST_NAME,
    ],
)
def test_names_that_people_have(name: str) -> None:
    assert clean_name(name) == name


def test_one_person_however_it_is_typed() -> None:
    assert clean_name("Jose\u0301") == clean_name("José\u00a0") == "José"
    assert clean_name("山田\u3000太郎") == clean_name("山田  太郎") == "山田 太郎"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must not be empty"),
        (" \u3000\u00a0", "must not be empty"),
        ("\u200d\u200b\ufe0f", "must not be empty"),
        ("a" * (LONGEST_NAME + 1), "has 201 characters, and may have 200"),
        ("Ann\0", r"a control character \(U\+0000\)"),
        ("Ann\tB", r"a control character \(U\+0009\)"),
        ("Ann\nB", r"a line break \(U\+000A\)"),
        ("Ann\u2028B", r"a line break \(U\+2028\)"),
        ("Ann\x85", r"a line break \(U\+0085\)"),
        ("Ann\udcff", r"surrogate pair \(U\+DCFF\)"),
        *((f"Ann{chr(code)}", "a change of writing direction") for code in (0x202A, 0x202E, 0x2066, 0x2069)),
    ],
)
def test_what_cannot_be_a_name(text: str, reason: str) -> None:
    with pytest.raises(GalleryError, match=reason):
        clean_name(text)
