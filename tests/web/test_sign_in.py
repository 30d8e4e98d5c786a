"""Every form and button in Chromium, with and without keys, at every kind of address; and forms of other sites."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from facerec.web.keys import add_key
from tests.gallery.conftest import short_folder
from tests.web.chromium import EVIL, complaints, drop, needs_chromium, try_out, use_everything
from tests.web.conftest import ANN, BOB, CLEO, Running, group, photo
from tests.web.nginx import NAME, needs_nginx, nginx

pytestmark = [needs_chromium, needs_nginx]
ROLES = ("read", "admin")
PARTY = (ANN, 1), (BOB, 1), (CLEO, 1)


class Keyed(Running):
    """A service with keys (by role) and several addresses (by kind)."""

    keys: dict[str, str]
    addresses: dict[str, str]


@pytest.fixture(scope="module")
def keyed(contract: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """Reached through nginx, and directly: by loopback, and by a host name over plain http as in a home."""
    folder, files = tmp_path_factory.mktemp("keyed"), short_folder()
    keys = {role: add_key(folder / "keys.txt", f"the-{role}", role) for role in ROLES}
    overrides = [f"key_file={folder / 'keys.txt'}", f"hosts=[{NAME},127.0.0.1]", "trusted_proxies=[127.0.0.1]"]
    service = Keyed(files / "g", contract, *overrides, "limits.rate=100000/minute", log=folder / "serve.log")
    service.keys = keys
    with nginx(service, folder) as port:
        service.addresses = {
            "loopback": service.url,
            "http": f"http://{NAME}:{service.port}",
            "nginx": f"https://{NAME}:{port}",
        }
        yield service
    assert service.stop() == 0
    assert not any(key in service.log.read_text() for key in keys.values())


@pytest.fixture
def party() -> bytes:
    return group(*PARTY)


def _open(browser: Browser, address: str) -> Page:
    return browser.new_context(base_url=address, ignore_https_errors=True).new_page()


def _sign_in(page: Page, key: str) -> None:
    page.goto("/people")
    expect(page).to_have_url("/sign-in")
    page.get_by_label("Your key").fill(key)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.slow
def test_everything_without_keys(browser: Browser, service: Running, party: bytes, tmp_path: Path) -> None:
    page = _open(browser, service.url)
    errors = complaints(page)
    use_everything(page, party, [photo(ANN, 1), photo(ANN, 2)], tmp_path)
    assert errors == []
    page.context.close()


@pytest.mark.slow
@pytest.mark.parametrize("address", ["loopback", "http", "nginx"])
def test_everything_with_keys(browser: Browser, keyed: Keyed, party: bytes, tmp_path: Path, address: str) -> None:
    page = _open(browser, keyed.addresses[address])
    # a wrong key; and over plain http Chromium reports that it ignores a header
    errors = complaints(page, " 401 ", "Cross-Origin-Opener-Policy")
    _sign_in(page, "wrong" * 100)
    expect(page.get_by_role("alert")).to_have_text("This key is not valid.")
    _sign_in(page, keyed.keys["admin"])
    expect(page).to_have_url("/")
    use_everything(page, party, [photo(ANN, 1), photo(ANN, 2)], tmp_path)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url("/sign-in")

    _sign_in(page, keyed.keys["read"])
    expect(page).to_have_url("/")
    drop(page, tmp_path / "party.jpg")
    expect(page.locator("#status")).to_contain_text("3 faces found, 0 known, 3 unknown.")
    expect(page.get_by_role("button", name="Name")).to_have_count(0)
    page.goto("/people")
    expect(page.get_by_role("button")).to_have_text(["Sign out"])
    page.goto("/changes")
    expect(page.get_by_role("button")).to_have_text(["Sign out"])
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url("/sign-in")

    page.goto("/docs")  # Swagger UI takes a key of its own
    page.get_by_role("button", name="Authorize").click()
    page.locator(".auth-container input").fill(keyed.keys["read"])
    page.locator(".auth-btn-wrapper button[type=submit]").click()
    page.get_by_role("button", name="Close").click()
    try_out(page, "GET /api/v1/persons", [], 200)
    assert errors == []
    page.context.close()


FORMS = {
    "sign-in": '<form method="post" action="{}/sign-in"><input name="key" value="{}"></form>',
    "sign-out": '<form method="post" action="{}/sign-out"></form>',
    "samples": (
        '<form method="post" enctype="multipart/form-data" action="{}/api/v1/samples"><input name="name"></form>'
    ),
}


def _answer(content: str, route: Route) -> None:
    route.fulfill(body=content, content_type="text/html")


@pytest.mark.parametrize("policy", ["no-referrer", "unsafe-url"])
@pytest.mark.parametrize("address", ["loopback", "http", "nginx"])
def test_forms_of_other_pages_are_refused(browser: Browser, keyed: Keyed, address: str, policy: str) -> None:
    base = keyed.addresses[address]
    page = _open(browser, base)
    _sign_in(page, keyed.keys["admin"])
    expect(page).to_have_url("/")
    for form in FORMS.values():
        content = f'<meta name="referrer" content="{policy}">{form.format(base, keyed.keys["admin"])}'
        page.route(f"http://{EVIL}/", partial(_answer, content))
        page.goto(f"http://{EVIL}/")
        with page.expect_response(lambda answer: answer.request.method == "POST") as answering:
            page.evaluate("document.forms[0].submit()")
        assert answering.value.status == 403
        page.wait_for_load_state()
        page.unroute(f"http://{EVIL}/")
    page.goto("/people")  # still signed in
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.context.close()
