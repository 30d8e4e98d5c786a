"""The page in Debian's Chromium; screenshots go to outputs/web."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.web.chromium import complaints, jpeg, needs_chromium
from tests.web.conftest import ANN, BOB, CLEO, Running, enroll, group, photo

pytestmark = needs_chromium
SHOTS = Path(__file__).parents[2] / "outputs" / "web"
SIZES = {"desktop": (1200, 900), "phone": (390, 844)}


@pytest.fixture(params=["desktop", "phone"])
def page(browser: Browser, service: Running, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A window; any error on its console, such as of the content policy, fails the test."""
    width, height = SIZES[request.param]
    scheme: Literal["dark", "light"] = "dark" if request.param == "phone" else "light"
    context = browser.new_context(
        base_url=service.url, viewport={"width": width, "height": height}, color_scheme=scheme
    )
    window = context.new_page()
    errors = complaints(window, " 409 ", " 415 ")  # some tests cause these on purpose
    window.on("request", lambda sent: errors.append(sent.url) if _foreign(sent.url, service) else None)
    SHOTS.mkdir(parents=True, exist_ok=True)
    yield window
    context.close()
    assert errors == []


def _foreign(url: str, service: Running) -> bool:
    return not url.startswith((service.url, "blob:", "data:"))


def shoot(page: Page, name: str) -> None:
    """Take a screenshot and run axe; nothing may lie beyond the right edge."""
    width = page.viewport_size["width"] if page.viewport_size else 0
    page.screenshot(path=SHOTS / f"{name}-{'phone' if width < 500 else 'desktop'}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    violations = Axe().run(page).response["violations"]
    serious = [violation for violation in violations if violation["impact"] in ("serious", "critical")]
    assert serious == [], [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in serious]


def test_the_whole_story(page: Page) -> None:
    picture = jpeg("party.jpg", group((ANN, 1), (BOB, 1), (CLEO, 1)))
    page.goto("/people")
    expect(page.get_by_text("Nobody is enrolled yet.")).to_be_visible()
    page.locator("#add-name").fill("Ann")
    two = [jpeg(f"ann{n}.jpg", photo(ANN, n)) for n in (1, 2)]
    page.get_by_label("Photos of this person").set_input_files(two)
    page.get_by_role("button", name="Enrol").click()
    expect(page.locator("#status")).to_contain_text("Ann is enrolled with 2 new samples.")
    shoot(page, "1-people")

    page.goto("/")
    shoot(page, "2-empty")
    page.get_by_label("Choose photos").set_input_files([picture])
    expect(page.locator("#status")).to_contain_text("3 faces found, 1 known, 2 unknown")
    expect(page.locator(".faces strong").filter(has_text="Ann")).to_have_count(1)
    shoot(page, "3-identified")

    page.locator("button.tag.unknown").first.click()
    shoot(page, "4-naming")
    page.get_by_label("Name", exact=True).fill("Bea")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("Bea is enrolled")
    expect(page.locator("#status")).to_contain_text("2 known, 1 unknown")
    shoot(page, "5-named")

    page.goto("/people")
    page.get_by_role("button", name="Erase Ann").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This removes")
    expect(dialog).to_contain_text("2 samples")
    shoot(page, "6-erasing")
    dialog.get_by_role("button", name="Erase permanently").click()
    expect(page.locator("#status")).to_contain_text("Ann was erased, with 2 samples.")
    page.get_by_role("button", name="Rename Bea").click()
    page.get_by_label("New name").fill("Beate")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.locator("#status")).to_contain_text("Bea is now called Beate.")

    page.goto("/")
    page.get_by_label("Choose photos").set_input_files([picture])
    expect(page.locator("#status")).to_contain_text("3 faces found, 1 known, 2 unknown")
    expect(page.locator(".faces strong").filter(has_text="Ann")).to_have_count(0)


def test_a_face_unlike_the_person_needs_confirmation(page: Page, service: Running) -> None:
    enroll(service.client, "Ann", photo(ANN, 1)).raise_for_status()
    questions: list[str] = []

    def answer(box: Dialog) -> None:
        questions.append(box.message)
        box.dismiss() if len(questions) == 1 else box.accept()

    page.on("dialog", answer)
    page.goto("/people")
    page.locator("#add-name").fill("Ann")
    page.get_by_label("Photos of this person").set_input_files([jpeg("bob.jpg", photo(BOB, 1))])
    page.get_by_role("button", name="Enrol").click()
    expect(page.locator("#status")).to_contain_text(
        "the face in bob.jpg does not look like the photos enrolled as Ann"
    )
    assert [person["samples"] for person in service.client.get("/api/v1/persons").json()] == [1]

    page.goto("/")
    page.get_by_label("Choose photos").set_input_files([jpeg("bob.jpg", photo(BOB, 1))])
    page.get_by_role("button", name="Name face 1").click()
    page.get_by_label("Name", exact=True).fill("Ann")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("Ann is enrolled")
    assert [person["samples"] for person in service.client.get("/api/v1/persons").json()] == [2]
    question = "Warning: the face in bob.jpg does not look like the photos enrolled as Ann. Enrol it anyway?"
    assert questions == [question, question]


def test_keyboard_many_photos_threshold_paste_and_camera(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "1 false match in 10,000 searches")
    many = [jpeg(f"{n}.jpg", photo(ANN, n)) for n in range(1, 6)]
    many.append(jpeg("broken.jpg", b"no picture"))
    page.get_by_label("Choose photos").set_input_files(many)
    expect(page.get_by_text("6 of 6 photos processed")).to_be_visible()
    expect(page.get_by_label("Photo broken.jpg").get_by_role("alert")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("5 faces found")
    page.evaluate(
        """async () => {
            const data = new DataTransfer();
            const blob = await (await fetch(document.querySelector('.photo img').src)).blob();
            data.items.add(new File([blob], 'pasted.jpg', { type: 'image/jpeg' }));
            document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }));
        }"""
    )
    expect(page.get_by_role("heading", name="pasted.jpg")).to_be_visible()
    page.get_by_role("button", name="Use the camera").click()
    expect(page.locator("video")).not_to_have_js_property("videoWidth", 0)
    page.get_by_role("button", name="Take photo").click()
    expect(page.get_by_role("heading", name="camera.jpg")).to_be_visible()


def test_privacy_and_docs(page: Page) -> None:
    page.goto("/privacy")
    expect(page.get_by_role("heading", name="Faces are biometric data")).to_be_visible()
    shoot(page, "7-privacy")
    page.goto("/docs")
    expect(page.get_by_text("/api/v1/identify").first).to_be_visible()
