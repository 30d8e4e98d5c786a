"""Several galleries behind one service, and keys that open some of them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from facerec.errors import ConfigError
from facerec.gallery import Gallery
from facerec.web.authentication import Authenticator
from facerec.web.keys import add_key, read_keys
from tests.gallery.conftest import short_folder
from tests.web.chromium import complaints, follow, needs_chromium
from tests.web.conftest import ANN, BOB, Running, check_problem, enroll, identify, photo

API = "/api/v1"
GALLERIES = ("default", "work", "club")
OPENS = {"all": (), "work": ("work",), "two": ("club", "work")}


class Several(Running):
    """A service with three galleries and keys that open some."""

    keys: dict[str, str]

    def client_of(self, key: str, gallery: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.keys[key]}"}
        return httpx.Client(
            base_url=self.url, timeout=60, headers=headers, params={"gallery": gallery} if gallery else {}
        )


@pytest.fixture(scope="module")
def several(contract: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    folder, keys = short_folder(), tmp_path_factory.mktemp("keys") / "keys.txt"
    secrets = {name: add_key(keys, f"the-{name}", "admin", opens) for name, opens in OPENS.items()}
    places = ", ".join(f"{name}: {folder / name}" for name in GALLERIES[1:])
    overrides = f"galleries={{{places}}}", f"key_file={keys}", "limits.rate=100000/minute"
    service = Several(folder / "g", contract, *overrides, log=keys.parent / "serve.log")
    service.keys = secrets
    yield service
    assert service.stop() == 0, service.log.read_text()
    for gallery in ("g", *GALLERIES[1:]):
        assert not (folder / gallery / "postgres" / "postmaster.pid").exists()


def names(client: httpx.Client) -> list[str]:
    answer = client.get(f"{API}/persons")
    assert answer.status_code == 200, answer.text
    return [person["name"] for person in answer.json()]


def test_each_gallery_has_its_own_people(several: Several) -> None:
    with several.client_of("all") as default, several.client_of("all", "work") as work:
        ann = enroll(default, "Ann", photo(ANN, 1)).json()["person"]["id"]
        enroll(work, "Bob", photo(BOB, 1))
        assert (names(default), names(work)) == (["Ann"], ["Bob"])
        assert default.get(f"{API}/persons", params={"gallery": "default"}).json()[0]["id"] == ann
        assert [face["person"] for face in identify(default, photo(ANN, 1)).json()["faces"]] == ["Ann"]
        matches = [face["matches"][0]["name"] for face in identify(work, photo(ANN, 1)).json()["faces"]]
        assert matches == ["Bob"]
        check_problem(work.get(f"{API}/persons/{ann}"), 404)
        check_problem(work.delete(f"{API}/persons/{ann}"), 404)
        with several.client_of("all", "club") as club:
            assert names(club) == []
        ready = several.client.get(f"{API}/ready").json()  # needs no key, and counts all
        assert ready == {"status": "ready", "persons": 2, "samples": 2}
    for folder, name in (("g", "Ann"), ("work", "Bob")):
        with Gallery.open(several.folder.parent / folder) as gallery:
            [event] = gallery.events()
            assert (event.action, event.actor) == ("enroll", "key the-all")
            assert [person.name for person in gallery.persons()] == [name]


def test_a_key_opens_its_galleries_alone(several: Several) -> None:
    for key, opens in (("all", GALLERIES), ("work", ("work",)), ("two", ("work", "club"))):
        with several.client_of(key) as client:
            listed = client.get(f"{API}/galleries").json()
            assert [gallery["name"] for gallery in listed] == list(opens)
            # without the parameter the first of these is meant
            answers = [client.get(f"{API}/persons", params=params) for params in ({}, {"gallery": opens[0]})]
            assert answers[0].json() == answers[1].json()
    with several.client_of("work") as client:
        refused = [
            client.get(f"{API}/persons", params={"gallery": name}) for name in ("default", "no-such", "", "Work")
        ]
        assert len({check_problem(answer, 403) for answer in refused}) == 1  # which says nothing of what exists
        for name in ("default", "no-such"):
            check_problem(client.get("/people", params={"gallery": name}), 403)
            files = {"photos": ("a.jpg", photo(ANN, 1))}
            enrolled = client.post(f"{API}/samples", params={"gallery": name}, data={"name": "Ann"}, files=files)
            assert check_problem(enrolled, 403) == check_problem(refused[0], 403)
    with several.client_of("all") as client:
        check_problem(client.get(f"{API}/persons", params={"gallery": "no-such"}), 404)
    check_problem(several.client.get(f"{API}/galleries"), 401)
    check_problem(several.client.get(f"{API}/persons", params={"gallery": "no-such"}), 401)


def test_a_key_names_galleries_that_there_are(several: Several, tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    add_key(file, "ann", "read", ["work", "attic"])
    keys = read_keys(file)
    assert [key.galleries for key in keys] == [("work", "attic")]
    with pytest.raises(ConfigError, match="key_file: the key ann opens attic, but the galleries are default, "):
        Authenticator(keys, "1/minute", ["default", "work"])
    for name in ("", "a b", "a,b", "ä", "../x", "a" * 65):
        with pytest.raises(ConfigError, match="galleries: a gallery's name must be"):
            add_key(file, "bob", "read", [name])
    assert read_keys(file) == keys


@needs_chromium
def test_the_page_is_of_the_chosen_gallery(several: Several, browser: Browser) -> None:
    with several.client_of("all", "club") as club:
        enroll(club, "Cleo", photo(BOB, 2))
    page = browser.new_context(base_url=several.url).new_page()
    errors = complaints(page)
    page.goto("/sign-in")
    page.get_by_label("Your key").fill(several.keys["all"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Gallery")).to_have_value("default")
    page.get_by_label("Gallery").select_option("club")
    page.get_by_role("button", name="Open").click()
    follow(page, "People")
    expect(page).to_have_url("/people?gallery=club")
    expect(page.get_by_label("Gallery")).to_have_value("club")
    expect(page.get_by_text("Cleo", exact=True).first).to_be_visible()
    assert errors == []
    page.context.close()
