"""Debian's Chromium, driven by Playwright; conftest.py has the fixture `browser`."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect, sync_playwright

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH: apt-get install chromium")
SHOTS = Path(__file__).parents[2] / "outputs" / "web"
SERVICE, EVIL = "faces.example.org", "evil.example.com"  # both are this machine
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
    f"--host-resolver-rules=MAP {SERVICE} 127.0.0.1, MAP {EVIL} 127.0.0.1",
]
expect.set_options(timeout=30_000)  # other work may keep the machine busy


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser, until the end of the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def complaints(page: Page, *expected: str) -> list[str]:
    """A list that fills with errors of the page's scripts and content policy, except for the expected ones."""
    errors = list[str]()

    def note(text: str) -> None:
        if not any(part in text for part in expected):
            errors.append(text)

    page.on("console", lambda message: note(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: note(str(error)))
    return errors


def jpeg(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def follow(page: Page, link: str | Locator) -> None:
    """Click a link to another page, and wait until its scripts listen: a click before that does nothing."""
    before = page.url
    (page.get_by_role("link", name=link) if isinstance(link, str) else link).click()
    page.wait_for_url(lambda url: url != before)


def shoot(page: Page, name: str, *visible: Locator) -> None:
    """Take a screenshot once some parts are visible, and run axe; nothing may lie beyond the right edge."""
    for part in visible:
        expect(part).to_be_visible()
    width = page.viewport_size["width"] if page.viewport_size else 0
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}-{'phone' if width < 500 else 'desktop'}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    violations = Axe().run(page).response["violations"]
    assert violations == [], [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in violations]


def drop(page: Page, *files: Path) -> None:
    """Drag files in from outside and drop them on the page."""
    page.wait_for_load_state()
    devtools = page.context.new_cdp_session(page)
    data: dict[str, Any] = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 200, "data": data})


def try_out(page: Page, operation: str, photos: Sequence[FilePayload], status: int, **fields: str) -> None:
    """Send a request from Swagger UI, with its own defaults and `fields`."""
    method, path = operation.split()
    block = page.locator(f".opblock-{method.lower()}").filter(has=page.locator(f'[data-path="{path}"]'))
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    for name, value in fields.items():
        block.get_by_placeholder(name).fill(value)
    if photos:
        block.locator("input[type=file]").set_input_files(photos)
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table .response-col_status").last).to_contain_text(str(status))


def use_everything(page: Page, party: bytes, ann: Sequence[bytes], folder: Path) -> None:
    """Press every button of an admin's pages once; the gallery is empty before and after.

    Args:
        page: at an address of the service; signed in where it has keys.
        party: a photo of Ann and two others.
        ann: two photos of Ann.
        folder: for files.
    """
    (folder / "party.jpg").write_bytes(party)
    (folder / "letter.txt").write_text("no photo")
    (folder / "album").mkdir()
    status, dialog = page.locator("#status"), page.get_by_role("dialog")
    page.goto("/people")
    page.locator("#add-name").fill("Ann")
    page.get_by_label("Photos of this person").set_input_files(
        [jpeg(f"ann{number}.jpg", content) for number, content in enumerate(ann)]
    )
    page.get_by_role("button", name="Enrol").click()
    expect(status).to_contain_text("Ann is enrolled with 2 new samples.")

    page.goto("/")
    for _ in range(2):  # to the browser, choosing the same photo again is no change
        with page.expect_file_chooser() as choosing:
            page.locator("label.button").click()
        choosing.value.set_files([jpeg("chosen.jpg", party)])
        expect(status).to_contain_text("3 faces found, 1 known, 2 unknown.")
        page.evaluate("document.getElementById('status').textContent = ''")
    drop(page, folder / "party.jpg", folder / "letter.txt", folder / "album")
    expect(status).to_contain_text("3 faces found, 1 known, 2 unknown. 2 files are not photos.")
    card = page.get_by_label("Photo party.jpg")
    for name in ("Bea", "Cleo"):
        card.get_by_role("button", name="Name face").first.click()
        page.get_by_label("Name", exact=True).fill(name)
        dialog.get_by_role("button", name="Enrol").click()
        expect(status).to_contain_text(f"{name} is enrolled")
    expect(status).to_contain_text("9 known, 0 unknown")
    if not page.get_by_role("slider").is_visible():  # on a phone it is folded away
        page.locator("summary").click()
    page.get_by_role("slider").press("End")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", "1 false match in 10,000 searches")
    expect(status).to_contain_text("faces found")

    follow(page, "API")
    try_out(page, "POST /api/v1/identify", [jpeg("docs.jpg", party)], 200)
    try_out(
        page, "POST /api/v1/samples", [jpeg("docs.jpg", ann[1])], 201, name="Ann"
    )  # who is enrolled with it already

    page.goto("/people")
    follow(page, "Bea")
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Name", exact=True).fill("Beate")
    dialog.get_by_role("button", name="Save").click()
    expect(status).to_contain_text("Bea is now called Beate.")
    page.get_by_role("button", name="Merge").click()
    page.get_by_label("Merge into").select_option(label="Cleo")
    dialog.get_by_role("button", name="Merge").click()
    expect(status).to_contain_text("Beate was merged into Cleo, who now has 2 samples.")
    page.get_by_role("button", name="Undo").click()
    expect(status).to_contain_text("Undone: “Beate was merged into Cleo, who now has 2 samples.”")
    for name, samples in (("Ann", "2 samples"), ("Beate", "1 sample"), ("Cleo", "1 sample")):
        page.goto("/people")
        follow(page, name)
        page.get_by_role("button", name="Erase").click()
        dialog.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Erase").click()
        dialog.get_by_role("button", name="Erase permanently").click()
        expect(status).to_contain_text(f"{name} was erased, with {samples}.")
    expect(page.get_by_text("Nobody is enrolled yet.")).to_be_visible()
    follow(page, "Undo")
    expect(page.get_by_text("There is nothing to undo.")).to_be_visible()
