"""The faces of one photo are named together, and the API and the page say so."""

from playwright.sync_api import Browser, expect

from tests.web.chromium import jpeg, needs_chromium
from tests.web.conftest import ANN, BOB, Running, enroll, group, identify, photo

STRICT = 0.001  # at which the second photo of Ann is similar enough, but not beyond doubt
PICTURE = group((ANN, 1), (ANN, 2), (BOB, 1))


def test_who_is_passed_over_is_unknown_and_told_why(service: Running) -> None:
    enroll(service.client, "Ann", photo(ANN, 1), photo(ANN, 2)).raise_for_status()
    faces = identify(service.client, PICTURE, far=STRICT).json()["faces"]
    left, middle, right = sorted(faces, key=lambda face: face["box"][0])
    assert (left["person"], left["perhaps"], left["rival"]) == ("Ann", None, None)
    assert middle["matches"][0]["accepted"]
    assert (middle["person"], middle["perhaps"], middle["rival"]) == (None, "Ann", left["number"])
    assert (right["person"], right["perhaps"], right["rival"]) == (None, None, None)
    assert left["rule"]["comparisons"] == 1


def test_two_faces_beyond_doubt_are_both_named(service: Running) -> None:
    enroll(service.client, "Ann", photo(ANN, 1), photo(ANN, 2)).raise_for_status()
    faces = identify(service.client, group((ANN, 1), (ANN, 8), (BOB, 1))).json()["faces"]
    assert sorted((face["person"] for face in faces), key=str) == ["Ann", "Ann", None]


@needs_chromium
def test_the_page_says_perhaps_and_why(browser: Browser, service: Running) -> None:
    enroll(service.client, "Ann", photo(ANN, 1), photo(ANN, 2)).raise_for_status()
    page = browser.new_page(base_url=service.url)
    page.goto("/")
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "1 false match in 1,000 searches")
    page.get_by_label("Choose photos").set_input_files([jpeg("twins.jpg", PICTURE)])
    expect(page.locator(".faces strong")).to_have_text(
        ["Face 1: Ann", "Face 2: unknown, perhaps Ann", "Face 3: unknown"]
    )
    expect(page.locator(".faces li").nth(1)).to_contain_text("similar enough to Ann, but face 1 is Ann")
    page.close()
