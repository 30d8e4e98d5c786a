"""Photos that a browser can't show, and hostile names, in Chromium."""

import io

import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, expect

from tests.web.chromium import complaints, follow, jpeg, needs_chromium
from tests.web.conftest import ANN, BOB, Running, enroll, group, identify, photo

pytestmark = needs_chromium
ROTATED = 6  # EXIF orientation: on its side
HOSTILE = [
    "<b onclick=hack()>Ann</b>",
    "Ann [/b]",
    '"><img src=x onerror=hack()>',
    "{{ 7 * 7 }} ${7}",
    "علی\u200cرضا",  # noqa: RUF001
]


def _saved(kind: str, scale: int = 1) -> bytes:
    """A photo of Ann, stored rotated, with an EXIF orientation."""
    pillow_heif.register_heif_opener()
    stream, exif = io.BytesIO(), Image.Exif()
    original = Image.open(io.BytesIO(photo(ANN, 1)))
    picture = original.resize((original.width * scale, original.height * scale))
    if kind != "HEIF":  # whose writer does not support it
        exif[0x0112] = ROTATED
        picture = picture.transpose(Image.Transpose.ROTATE_90)
    picture.save(stream, kind, exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["TIFF", "HEIF", "PNG"])
def test_faces_are_shown_and_named_in_any_photo(browser: Browser, service: Running, kind: str) -> None:
    page = browser.new_context(base_url=service.url).new_page()
    errors = complaints(page)
    page.goto("/")
    page.get_by_label("Choose photos").set_input_files(
        FilePayload(name=f"ann.{kind.lower()}", mimeType="", buffer=_saved(kind))
    )
    expect(page.locator("#status")).to_contain_text("1 face found, 0 known, 1 unknown.")
    width, height = page.locator(".photo img").evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert 0 < width < height
    page.get_by_role("button", name="Name face 1").click()
    greys = page.locator("#naming-face").evaluate(
        "face => [...face.getContext('2d').getImageData(0, 0, 112, 112).data].filter((_, at) => at % 4 === 0)"
    )
    assert max(greys) - min(greys) > 100  # a face, not an empty square
    page.get_by_label("Name", exact=True).fill("Ann")
    page.get_by_role("dialog").get_by_role("button", name="Enrol").click()
    expect(page.locator("#status")).to_contain_text("Ann is enrolled. 1 face found, 1 known")
    assert errors == []
    page.context.close()


def test_a_preview_is_a_jpeg_upright(service: Running) -> None:
    content = _saved("TIFF", scale=10)
    answer = service.client.post("/api/v1/preview", files={"photo": ("ann.tiff", content)})
    assert answer.headers["Content-Type"] == "image/jpeg"
    preview = Image.open(io.BytesIO(answer.content))
    assert preview.format == "JPEG"
    seen = identify(service.client, content).json()
    assert preview.height == 2048
    assert preview.width == pytest.approx(2048 * seen["width"] / seen["height"], abs=1)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_and_nothing_else(browser: Browser, service: Running, name: str) -> None:
    page = browser.new_context(base_url=service.url).new_page()
    errors = complaints(page, " 409 ", " 422 ")  # also of the content policy, if anything became a script
    enroll(service.client, name, photo(ANN, 1)).raise_for_status()
    ann = service.client.get("/api/v1/persons").json()[0]["id"]
    service.client.patch(f"/api/v1/persons/{ann}", json={"name": name, "note": name}).raise_for_status()
    page.goto("/")
    page.get_by_label("Choose photos").set_input_files(
        [jpeg(f"{name.replace('/', '')}.jpg", group((ANN, 1), (BOB, 1)))]
    )
    expect(page.locator(".faces strong").filter(has_text="unknown")).to_have_count(1)
    expect(page.locator(".faces strong").filter(has_text=name)).to_have_count(1)
    expect(page.locator(".photo h2")).to_have_text(f"{name.replace('/', '')}.jpg")
    page.get_by_role("button", name="Name face").click()
    expect(page.locator("#naming-nearest")).to_contain_text(name)
    page.get_by_label("Name", exact=True).fill("Bob\u202e")
    page.get_by_role("dialog").get_by_role("button", name="Enrol").click()
    expect(page.locator("#naming .error")).to_contain_text("a change of writing direction")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Correct face").click()
    expect(page.locator("#naming-title")).to_have_text(f"Is this {name}?")
    page.goto("/people")
    expect(page.locator(".person strong")).to_have_text(name)
    expect(page.locator(".person .note")).to_have_text(name)
    page.locator("summary").click()
    page.locator("#add-name").fill("Bob")
    page.get_by_label("Photos of this person").set_input_files([jpeg("a.jpg", photo(ANN, 1))])
    page.get_by_role("button", name="Enrol").click()
    expect(page.locator("#status")).to_contain_text(f"enrolled as {name}")
    follow(page, page.locator("a.person"))
    expect(page.locator("h1")).to_have_text(name)
    page.get_by_role("checkbox").check()
    page.locator("#deny").click()
    expect(page.locator("#status")).to_have_text(f"1 face marked as not {name}.")
    expect(page.locator("#denied-title")).to_have_text(f"Not {name}")
    page.locator("[data-opens=rename]").click()
    expect(page.locator("#rename-title")).to_have_text(f"Rename {name}")
    expect(page.get_by_label("Note")).to_have_value(name)
    page.get_by_role("button", name="Cancel").click()
    page.goto("/changes")
    expect(page.locator(".change strong").first).to_have_text(f"Said to be somebody else: {name}")
    page.goto("/people")
    follow(page, page.locator("a.person"))
    page.locator("[data-opens=erase]").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"the name {name} and the note")
    page.get_by_role("dialog").get_by_role("button", name="Erase permanently").click()
    expect(page.locator("#status")).to_contain_text(f"{name} was erased")
    assert errors == []
    page.context.close()
