"""Debian's Chromium, driven by Playwright. Tests import `browser`, which is a fixture."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH: apt-get install chromium")
SERVICE, EVIL = "faces.example.org", "evil.example.com"  # both are this machine
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
    f"--host-resolver-rules=MAP {SERVICE} 127.0.0.1, MAP {EVIL} 127.0.0.1",
]
expect.set_options(timeout=30_000)  # other work may keep the machine busy


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def complaints(page: Page, *expected: str) -> list[str]:
    """A list that fills with errors of the page's scripts and content policy, but for what is expected."""
    said = list[str]()

    def note(text: str) -> None:
        if not any(one in text for one in expected):
            said.append(text)

    page.on("console", lambda message: note(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: note(str(error)))
    return said


def jpeg(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def drop(page: Page, *files: Path) -> None:
    """Drag files in from outside, and let go over the page."""
    page.wait_for_load_state()
    devtools = page.context.new_cdp_session(page)
    data: dict[str, Any] = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 200, "data": data})


def try_out(page: Page, operation: str, photos: Sequence[FilePayload], status: int, **fields: str) -> None:
    """Ask on the page of the API, with what it fills in by itself, and `fields`."""
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
    """Press every button of an admin's page once, from an empty gallery to an empty one.

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
        [jpeg(f"ann{number}.jpg", one) for number, one in enumerate(ann)]
    )
    page.get_by_role("button", name="Enrol").click()
    expect(status).to_contain_text("Ann is enrolled with 2 samples more.")

    page.goto("/")
    for _ in range(2):  # the same photo once more is no change to the browser
        with page.expect_file_chooser() as choosing:
            page.locator("label.button").click()
        choosing.value.set_files([jpeg("chosen.jpg", party)])
        expect(status).to_contain_text("3 faces found, 1 known, 2 unknown.")
        page.evaluate("document.getElementById('status').textContent = ''")
    drop(page, folder / "party.jpg", folder / "letter.txt", folder / "album")
    expect(status).to_contain_text("3 faces found, 1 known, 2 unknown. 2 files are no photo.")
    card = page.get_by_label("Photo party.jpg")
    for name, place in (("Bea", 0), ("Cleo", 0)):
        card.get_by_role("button", name="Name face").nth(place).click()
        page.get_by_label("Name", exact=True).fill(name)
        dialog.get_by_role("button", name="Enrol").click()
        expect(status).to_contain_text(f"{name} is enrolled")
    expect(status).to_contain_text("9 known, 0 unknown")
    page.get_by_role("slider").press("End")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", "1 stranger in 10,000 searches")
    expect(status).to_contain_text("faces found")

    page.get_by_role("link", name="API").click()
    try_out(page, "POST /api/v1/identify", [jpeg("docs.jpg", party)], 200)
    try_out(page, "POST /api/v1/samples", [jpeg("docs.jpg", ann[1])], 201, name="Ann")  # who has it already

    page.goto("/people")
    page.get_by_role("button", name="Rename Bea").click()
    page.get_by_label("New name").fill("Beate")
    dialog.get_by_role("button", name="Rename").click()
    expect(status).to_contain_text("Bea is called Beate now.")
    page.get_by_role("button", name="Merge Beate").click()
    page.get_by_label("Into").select_option(label="Cleo")
    dialog.get_by_role("button", name="Merge").click()
    expect(status).to_contain_text("Beate is Cleo now, with 2 samples.")
    page.get_by_role("button", name="Erase Ann").click()
    dialog.get_by_role("button", name="Cancel").click()
    for name in ("Ann", "Cleo"):
        page.get_by_role("button", name=f"Erase {name}").click()
        dialog.get_by_role("button", name="Erase for good").click()
        expect(status).to_contain_text(f"{name} is erased, with 2 samples.")
    expect(page.get_by_text("Nobody is enrolled yet.")).to_be_visible()
