"""Indexed photos on the pages: groups of unknown faces, doubtful faces, the photos of a person."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.chromium import follow, needs_chromium, shoot
from tests.web.conftest import ANN, Running, enroll, photo
from tests.web.test_api_index import album, forgotten, index  # noqa: F401

pytestmark = [needs_chromium, pytest.mark.usefixtures("forgotten")]


def test_groups_are_named_and_ignored(page: Page, service: Running, contract: Path, album: Path) -> None:  # noqa: F811
    page.goto("/unknown")
    expect(page.get_by_text("No photos are indexed.")).to_be_visible()
    index(service, contract, f"photos={album}")
    page.reload()
    groups = page.locator(".group")
    expect(groups).to_have_count(2)
    shoot(page, "u1-unknown", page.get_by_role("heading", name="Group 1: 2 faces in 2 photos"))
    ann = groups.filter(has_text="ann95.jpg")
    ann.get_by_label("Who is this?").fill("Ann")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("2 faces enrolled as Ann.")
    groups.get_by_role("button", name="Ignore").click()
    expect(page.locator("#status")).to_have_text("2 faces ignored from now on.")
    expect(page.get_by_text("Nobody unknown is in several photos.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#status")).to_contain_text("Undone")
    page.goto("/people")
    follow(page, "Ann")
    expect(page.get_by_role("heading", name="2 faces in indexed photos")).to_be_visible()
    shoot(page, "u2-photos", page.get_by_text("similarity 1.00").first)


def test_doubtful_faces_are_answered(page: Page, service: Running, contract: Path, album: Path) -> None:  # noqa: F811
    enroll(service.client, "Ann", photo(ANN, 2)).raise_for_status()
    index(service, contract, f"photos={album}")
    page.goto("/unknown")
    questions = page.locator(".questions > li")
    expect(questions).to_have_count(4)
    shoot(page, "u3-questions", page.get_by_role("heading", name="Is this the right person?"))
    questions.filter(has_text="ann95.jpg").get_by_role("button", name="Yes").click()
    expect(page.locator("#status")).to_have_text("1 face enrolled as Ann.")
    questions.filter(has_text="bob95.jpg").get_by_role("button", name="No, not Ann").click()
    expect(page.locator("#status")).to_have_text("1 face marked as not Ann.")
    expect(questions).to_have_count(2)
    page.reload()
    expect(questions).to_have_count(1)
