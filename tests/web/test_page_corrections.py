"""Mistakes are put right on the pages, in Debian's Chromium."""

import re
from typing import Any

from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.web.chromium import complaints, follow, jpeg, needs_chromium, shoot
from tests.web.conftest import ANN, BOB, CLEO, SIZES, Running, Start, enroll, group, identify, photo

pytestmark = needs_chromium
PARTY = group((ANN, 1), (BOB, 1), (CLEO, 1))


def person_id(service: Running, name: str, *photos: bytes, **fields: Any) -> str:
    answer = enroll(service.client, name, *photos, **fields)
    answer.raise_for_status()
    return str(answer.json()["person"]["id"])


def enrol_face(service: Running, name: str, place: int, **fields: Any) -> str:
    """Enrol a face of `PARTY`, counted from the left, from 1; returns the person's id."""
    faces = sorted(identify(service.client, PARTY).json()["faces"], key=lambda face: float(face["box"][0]))
    return person_id(service, name, PARTY, face=faces[place - 1]["number"], **fields)


def persons(service: Running) -> list[tuple[str, int]]:
    return [(person["name"], person["samples"]) for person in service.client.get("/api/v1/persons").json()]


def recognise(page: Page, *photos: tuple[str, bytes]) -> Locator:
    """Choose photos; returns the names in their lists of faces."""
    page.goto("/")
    page.get_by_label("Choose photos").set_input_files([jpeg(*file) for file in photos])
    expect(page.locator("#status")).to_contain_text("found")
    return page.locator(".faces strong")


def undo(page: Page, what: str) -> None:
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#status")).to_contain_text(f"Undone: “{what}")


def test_a_wrong_name_in_a_photo_is_denied_and_replaced(page: Page, service: Running) -> None:
    for place in (1, 2):  # and the second is Bob
        enrol_face(service, "Ann", place)
    names = recognise(page, ("party.jpg", PARTY))
    expect(names).to_have_text(["Face 1: Ann", "Face 2: Ann", "Face 3: unknown"])
    page.get_by_role("button", name="Correct face 2").click()
    shoot(page, "c1-correct", page.get_by_role("heading", name="Is this Ann?"))
    page.get_by_role("button", name="Not Ann").click()
    expect(page.locator("#status")).to_have_text("1 face marked as not Ann. 3 faces found, 1 known, 2 unknown.")
    expect(names).to_have_text(["Face 1: Ann", "Face 2: unknown", "Face 3: unknown"])
    shoot(page, "c2-denied", page.get_by_role("button", name="Undo"))
    undo(page, "1 face marked as not Ann.”")
    expect(names).to_have_text(["Face 1: Ann", "Face 2: Ann", "Face 3: unknown"])

    page.get_by_role("button", name="Correct face 2").click()
    page.get_by_label("Name", exact=True).fill("Bob")
    page.keyboard.press("Enter")
    expect(names).to_have_text(["Face 1: Ann", "Face 2: Bob", "Face 3: unknown"])
    page.get_by_role("button", name="Name face 3").click()
    page.get_by_role("button", name="It is Bob").click()  # in one step; but it does not look like him
    page.get_by_role("button", name="Enrol it anyway").click()
    expect(names).to_have_text(["Face 1: Ann", "Face 2: Bob", "Face 3: Bob"])
    assert persons(service) == [("Ann", 1), ("Bob", 2)]


def test_a_face_that_is_enrolled_as_somebody_else_is_taken_from_them(page: Page, service: Running) -> None:
    person_id(service, "Ann", photo(ANN, 1), photo(BOB, 1))
    names = recognise(page, ("bob.jpg", photo(BOB, 1)))
    expect(names).to_have_text(["Face 1: Ann"])
    page.locator(".frame rect").click()
    page.get_by_label("Name", exact=True).fill("Bob")
    page.keyboard.press("Enter")
    expect(names).to_have_text(["Face 1: Bob"])
    expect(page.locator("#status")).to_contain_text("Bob is enrolled.")
    assert persons(service) == [("Ann", 1), ("Bob", 1)]


def test_the_keyboard_alone_is_enough(page: Page, service: Running) -> None:
    person_id(service, "Ann", photo(ANN, 1))
    names = recognise(page, ("ann.jpg", photo(ANN, 1)))
    correct = page.get_by_role("button", name="Correct face 1")
    correct.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(correct).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("button", name="Not Ann")).to_be_focused()
    page.keyboard.press("Enter")
    expect(names).to_have_text(["Face 1: unknown"])
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.keyboard.press("Tab")  # the message has the focus
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(names).to_have_text(["Face 1: Ann"])


def test_two_people_of_one_name_are_told_apart(page: Page, service: Running) -> None:
    first = enrol_face(service, "Ann", 1)
    second = enrol_face(service, "Ann", 2, new=True)
    service.client.patch(f"/api/v1/persons/{second}", json={"note": "the neighbour"}).raise_for_status()
    names = recognise(page, ("party.jpg", PARTY))
    shown = [f"Face 1: Ann ({first[:8]})", f"Face 2: Ann (the neighbour, {second[:8]})"]
    expect(names).to_have_text([*shown, "Face 3: unknown"])
    for tag, person in zip(page.locator(".tag").all(), (first, second), strict=False):
        assert re.fullmatch(rf"\d( Ann \((the neighbour, )?{person[:8]}\))?", tag.inner_text())
    page.get_by_role("button", name="Name face 3").click()
    page.get_by_label("Name", exact=True).fill("Ann")
    page.keyboard.press("Enter")
    question = page.get_by_role("dialog", name="Which Ann?")
    shoot(page, "c3-which", question.get_by_role("button", name=f"the neighbour, {second[:8]}"))
    page.keyboard.press("Escape")
    assert persons(service) == [("Ann", 1), ("Ann", 1)]
    page.get_by_role("dialog").get_by_role("button", name="Enrol").click()
    question.get_by_role("button", name="Somebody new called Ann").click()
    expect(page.locator("#status")).to_contain_text("3 known")
    assert persons(service) == [("Ann", 1)] * 3

    page.goto("/people")
    for who in service.client.get("/api/v1/persons").json():
        expect(page.locator(f'a[href="/people/{who["id"]}"]')).to_contain_text(f"id {who['id'][:8]}")
    page.locator("summary").click()
    page.locator("#add-name").fill(" Ann ")
    page.get_by_label("Photos of this person").set_input_files([jpeg("ann.jpg", photo(ANN, 1))])
    page.get_by_role("button", name="Enrol").click()
    question.get_by_role("button", name=f"{first[:8]}, 1 sample").click()
    expect(page.locator("#status")).to_contain_text("Ann is enrolled with 1 new sample.")
    follow(page, "Show Ann")
    expect(page).to_have_url(f"/people/{first}")
    shoot(page, "c4-namesakes", page.get_by_role("link", name=f"the neighbour ({second[:8]})"))


def test_names_that_differ_in_case_only_are_pointed_out(page: Page, service: Running) -> None:
    person_id(service, "Ann", photo(ANN, 1))
    page.goto("/people")
    page.locator("summary").click()
    page.locator("#add-name").fill("ann")
    page.get_by_label("Photos of this person").set_input_files([jpeg("bob.jpg", photo(BOB, 1))])
    page.get_by_role("button", name="Enrol").click()
    expect(page.locator("#status")).to_contain_text("Somebody is called Ann: if that is ann, too, merge the two.")
    follow(page, "Show ann")
    expect(page.locator(".warning")).to_contain_text(
        "Somebody is called Ann, which differs in upper and lower case"
    )


def test_ignored_people_are_grey_and_not_named(page: Page, service: Running) -> None:
    bob = enrol_face(service, "Bob", 2)
    page.goto(f"/people/{bob}")
    page.get_by_role("button", name="Ignore").click()
    expect(page.locator("#status")).to_have_text("Bob is ignored from now on.")
    shoot(page, "c5-ignored", page.get_by_text("Recognised in photos, and not named."))
    names = recognise(page, ("party.jpg", PARTY))
    expect(names).to_have_text(["Face 1: unknown", "Face 2: ignored", "Face 3: unknown"])
    expect(page.locator("#status")).to_have_text("3 faces found, 0 known, 2 unknown, 1 ignored.")
    expect(page.locator(".tag.ignored")).to_have_text("2")
    assert "Bob" not in page.locator("#photos").inner_text()
    page.get_by_role("button", name="Correct face 2").click()
    shoot(page, "c6-ignored-face", page.get_by_role("heading", name="This person is ignored"))
    page.get_by_role("button", name="No longer ignore Bob").click()
    expect(names.nth(1)).to_have_text("Face 2: Bob")
    undo(page, "Bob is no longer ignored.”")
    expect(names.nth(1)).to_have_text("Face 2: ignored")


def test_samples_and_the_person_are_put_right(page: Page, service: Running) -> None:
    ann = person_id(service, "Ann", photo(ANN, 1), photo(BOB, 1), photo(CLEO, 1))
    status, samples = page.locator("#status"), page.locator("#samples li")
    page.goto("/people")
    follow(page, "Ann")
    expect(samples).to_have_count(3)
    page.get_by_role("button", name="Delete").click()
    expect(status).to_have_text("Select one sample or more first.")

    page.get_by_label("2.jpg").check()
    shoot(page, "c7-person", page.get_by_text("1 sample selected"))
    page.get_by_role("button", name="Move").click()
    page.get_by_label("Whose are they?").fill("Bob")
    shoot(page, "c8-move", page.get_by_role("dialog"))
    page.keyboard.press("Enter")
    expect(status).to_have_text("1 sample was moved from Ann to Bob.")
    assert persons(service) == [("Ann", 2), ("Bob", 1)]
    undo(page, "1 sample was moved from Ann to Bob.”")
    assert persons(service) == [("Ann", 3)]

    page.get_by_label("2.jpg").check()
    page.get_by_role("button", name="Move").click()
    page.get_by_label("Whose are they?").fill("Ann")
    page.get_by_label("A new person").check()
    page.get_by_role("dialog").get_by_role("button", name="Move").click()
    expect(status).to_have_text("1 sample was moved from Ann to Ann.")
    assert sorted(persons(service)) == [("Ann", 1), ("Ann", 2)]
    undo(page, "1 sample was moved")

    page.get_by_label("2.jpg").check()
    page.get_by_label("3.jpg").check()
    page.get_by_role("button", name="Not Ann").click()
    expect(status).to_have_text("2 faces marked as not Ann.")
    expect(samples).to_have_count(1)
    shoot(page, "c9-denied", page.get_by_role("heading", name="Not Ann"))
    undo(page, "2 faces marked as not Ann.”")
    expect(samples).to_have_count(3)

    page.get_by_label("2.jpg").check()
    page.get_by_role("button", name="Not Ann").click()
    expect(status).to_have_text("1 face marked as not Ann.")  # the page was loaded again, and its scripts listen
    page.get_by_role("button", name="It is, after all: 2.jpg").click()
    expect(status).to_have_text("1 face no longer marked as not Ann.")
    expect(page.get_by_role("heading", name="Not Ann")).to_have_count(0)
    undo(page, "1 face no longer marked")
    expect(page.get_by_role("heading", name="Not Ann")).to_be_visible()

    page.get_by_label("3.jpg").check()
    page.get_by_role("button", name="Delete").click()
    expect(status).to_have_text("1 sample of Ann was deleted.")
    expect(samples).to_have_count(1)

    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Name", exact=True).fill("Anna")
    page.get_by_label("Note").fill("sits by\nthe window")
    page.get_by_role("button", name="Save").click()
    expect(status).to_have_text("Ann is now called Anna.")
    expect(page.locator("p.note")).to_have_text("sits by\nthe window")
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Note").fill("")
    page.get_by_role("button", name="Save").click()
    expect(status).to_have_text("The note on Anna was changed.")
    assert service.client.get(f"/api/v1/persons/{ann}").json()["note"] == ""


def test_a_merge_is_undone_from_the_list(page: Page, service: Running) -> None:
    person_id(service, "Ann", photo(ANN, 1))
    bea = person_id(service, "Bea", photo(BOB, 1))
    page.goto(f"/people/{bea}")
    page.get_by_role("button", name="Merge").click()
    page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    assert persons(service) == [("Ann", 1), ("Bea", 1)]  # nobody is chosen beforehand
    page.get_by_label("Merge into").select_option(label="Ann")
    shoot(page, "c10-merge", page.get_by_role("dialog"))
    page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    expect(page.locator("#status")).to_have_text("Bea was merged into Ann, who now has 2 samples.")
    page.goto(f"/people/{bea}")
    shoot(page, "c11-nobody", page.get_by_text("Nobody with this id is enrolled"))
    follow(page, "Undo")
    expect(page.locator(".change")).to_contain_text("Two people merged: Bea, Ann")
    expect(page.locator(".change")).to_contain_text(re.compile(r"can be undone until \d+ \w+ \d{4} at \d\d:\d\d"))
    shoot(page, "c12-changes")
    page.get_by_role("button", name="Undo: Two people merged: Bea, Ann").click()
    expect(page.locator("#status")).to_have_text("Undone: “Two people merged: Bea, Ann.”")
    expect(page.get_by_text("There is nothing to undo.")).to_be_visible()
    assert persons(service) == [("Ann", 1), ("Bea", 1)]


def test_people_are_searched_by_name_and_note(page: Page, service: Running) -> None:
    person_id(service, "José Álvarez", photo(ANN, 1))
    bob = person_id(service, "Bob", photo(BOB, 1))
    person_id(service, "Cleo", photo(CLEO, 1))
    service.client.patch(f"/api/v1/persons/{bob}", json={"note": "José's neighbour"}).raise_for_status()
    page.goto("/people")
    shown = page.locator(".person strong").filter(visible=True)
    expect(shown).to_have_text(["Bob", "Cleo", "José Álvarez"])
    page.get_by_label("Search").fill("jose")
    expect(shown).to_have_text(["Bob", "José Álvarez"])
    expect(page.locator("#found")).to_have_text("2 of 3 people")
    page.get_by_label("Search").fill("ALVAREZ jose")
    expect(shown).to_have_text(["José Álvarez"])
    shoot(page, "c13-search")
    page.get_by_label("Search").fill("nobody")
    expect(shown).to_have_count(0)
    expect(page.locator("#found")).to_have_text("0 of 3 people")


def test_photos_stay_in_the_order_in_which_they_were_chosen(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if b'filename="1.jpg"' in (route.request.post_data_buffer or b""):
            held.append(route)
        else:
            route.continue_()

    page.route("**/api/v1/identify", hold)
    page.goto("/")
    page.get_by_label("Choose photos").set_input_files([jpeg(f"{n}.jpg", photo(ANN, n)) for n in (2, 1, 3)])
    for name in ("2.jpg", "3.jpg"):
        expect(page.get_by_label(f"Photo {name}").locator(".frame")).to_be_visible()
    expect(page.get_by_label("Photo 1.jpg")).to_contain_text("Waiting …")
    held.pop().continue_()
    expect(page.locator("#status")).to_contain_text("3 faces found")
    expect(page.locator(".photo h2")).to_have_text(["2.jpg", "1.jpg", "3.jpg"])
    page.get_by_label("Choose photos").set_input_files([jpeg("4.jpg", photo(ANN, 4))])
    expect(page.locator(".photo h2")).to_have_text(["4.jpg", "2.jpg", "1.jpg", "3.jpg"])


LABELS_FIT = """frame => {
    const room = frame.getBoundingClientRect();
    const boxes = [...frame.querySelectorAll('.tag')].map(tag => tag.getBoundingClientRect());
    return boxes.length === 3 && boxes.every((box, at) =>
        box.width >= 24 && box.height >= 24
        && box.left >= room.left - 1 && box.right <= room.right + 1 && box.bottom <= room.bottom + 1
        && boxes.slice(at + 1).every(other => box.right <= other.left || other.right <= box.left
            || box.bottom <= other.top || other.bottom <= box.top));
}"""


def test_labels_stay_inside_the_photo_and_apart(page: Page, service: Running) -> None:
    long, short = "Ann-Kathrin von Hohenstein-Schwarzenfels", "Bo"
    enrol_face(service, long, 1)
    enrol_face(service, short, 2)
    recognise(page, ("party.jpg", PARTY))
    frame = page.locator(".frame")
    assert frame.evaluate(LABELS_FIT)
    # no label is cut: it has the name, or the face's number
    for label, name in zip(page.locator(".tag").all(), (long, short), strict=False):
        assert re.fullmatch(rf"\d( {name}( (over )?\d+%)?)?", label.inner_text())
        assert label.evaluate("node => node.scrollWidth <= node.clientWidth")
    page.set_viewport_size({"width": 320, "height": 700})
    page.evaluate("async () => { for (let n = 0; n < 2; n++) await new Promise(requestAnimationFrame); }")
    assert frame.evaluate(LABELS_FIT)
    # the answer is on the first screen
    page.set_viewport_size({"width": 375, "height": 700})
    assert frame.evaluate("frame => frame.getBoundingClientRect().bottom") < 700


def test_kept_crops_are_shown(browser: Browser, start: Start) -> None:
    service = start("keep_crops=true")
    page = browser.new_context(base_url=service.url).new_page()
    errors = complaints(page)
    ann = person_id(service, "Ann", photo(ANN, 1), photo(BOB, 1))
    shows = "async image => { await image.decode(); return image.naturalWidth === 112; }"
    page.goto("/people")
    assert page.locator("img.portrait").evaluate(shows)
    page.goto(f"/people/{ann}")
    page.get_by_label("2.jpg").check()
    page.get_by_role("button", name="Not Ann").click()
    expect(page.get_by_role("heading", name="Not Ann")).to_be_visible()
    crops = page.locator(".samples img")
    expect(crops).to_have_count(2)
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        for crop in crops.all():
            crop.scroll_into_view_if_needed()
            assert crop.evaluate(shows)
        shoot(page, "c14-crops")
    page.goto("/privacy")
    expect(page.get_by_text("They are kept for 7 days")).to_be_visible()
    assert errors == []
    page.context.close()
