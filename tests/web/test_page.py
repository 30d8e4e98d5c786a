"""The page in Debian's Chromium; screenshots go to outputs/web."""

from playwright.sync_api import Page, expect

from tests.web.chromium import follow, jpeg, needs_chromium, shoot
from tests.web.conftest import ANN, BOB, CLEO, Running, enroll, group, photo

pytestmark = needs_chromium


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
    follow(page, "Ann")
    page.get_by_role("button", name="Erase").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This removes")
    expect(dialog).to_contain_text("2 samples")
    shoot(page, "6-erasing")
    dialog.get_by_role("button", name="Erase permanently").click()
    expect(page.locator("#status")).to_contain_text("Ann was erased, with 2 samples.")
    follow(page, "Bea")
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Name", exact=True).fill("Beate")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("Bea is now called Beate.")

    page.goto("/")
    page.get_by_label("Choose photos").set_input_files([picture])
    expect(page.locator("#status")).to_contain_text("3 faces found, 1 known, 2 unknown")
    expect(page.locator(".faces strong").filter(has_text="Ann")).to_have_count(0)


def test_a_face_unlike_the_person_needs_confirmation(page: Page, service: Running) -> None:
    enroll(service.client, "Ann", photo(ANN, 1)).raise_for_status()
    question = page.get_by_role("dialog").filter(
        has_text="Warning: the face in bob.jpg does not look like the photos enrolled as Ann."
    )
    page.goto("/people")
    page.locator("summary").click()
    page.locator("#add-name").fill("Ann")
    page.get_by_label("Photos of this person").set_input_files([jpeg("bob.jpg", photo(BOB, 1))])
    page.get_by_role("button", name="Enrol").click()
    shoot(page, "8-unlike", question)
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_text("Nobody was enrolled.")
    assert [person["samples"] for person in service.client.get("/api/v1/persons").json()] == [1]

    page.goto("/")
    page.get_by_label("Choose photos").set_input_files([jpeg("bob.jpg", photo(BOB, 1))])
    page.get_by_role("button", name="Name face 1").click()
    page.get_by_label("Name", exact=True).fill("Ann")
    page.keyboard.press("Enter")
    question.get_by_role("button", name="Enrol it anyway").click()
    expect(page.locator("#status")).to_contain_text("Ann is enrolled")
    assert [person["samples"] for person in service.client.get("/api/v1/persons").json()] == [2]

    page.get_by_label("Choose photos").set_input_files([jpeg("cleo.jpg", photo(CLEO, 1))])
    page.get_by_role("button", name="Name face 1").click()
    page.get_by_label("Name", exact=True).fill("Ann")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="It is somebody else called Ann").click()
    expect(page.locator("#status")).to_contain_text("Ann is enrolled")
    persons = service.client.get("/api/v1/persons").json()
    assert [(person["name"], person["samples"]) for person in persons] == [("Ann", 2), ("Ann", 1)]


def test_keyboard_many_photos_threshold_paste_and_camera(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "1 false match in 10,000 searches")
    many = [jpeg(f"{n}.jpg", photo(ANN, n)) for n in range(1, 6)]
    many.append(jpeg("broken.jpg", b"no picture"))
    page.get_by_label("Choose photos").set_input_files(many)
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
