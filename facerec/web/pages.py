"""The pages, rendered on the server; their scripts use the API only."""

from collections import Counter
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from facerec.errors import UnknownPersonError
from facerec.gallery import Person
from facerec.gallery.names import printable
from facerec.web.authentication import COOKIE, HOURS, Authenticator
from facerec.web.routes import service_of

_PAGES = Environment(loader=PackageLoader("facerec.web"), autoescape=True, undefined=StrictUndefined)
_PAGES.filters["printable"] = printable
_QUESTIONS = 24  # doubtful faces to show
_RATES = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0001)


def describe_rate(far: float, per: str) -> str:
    """A false accept rate in words, of searches or of comparisons with one person (`per=pair`)."""
    return f"1 false match in {round(1 / far):,} {'searches' if per == 'search' else 'comparisons'}"


def install(app: FastAPI) -> None:
    """Add the pages to the application."""
    app.mount("/static/swagger", StaticFiles(packages=[("fastapi_offline", "static")]))
    app.mount("/static", StaticFiles(packages=[("facerec.web", "static")]))

    @app.get("/", include_in_schema=False, response_class=HTMLResponse)
    async def photos(request: Request) -> str:
        service = service_of(request)
        far, per = service.settings.far, service.settings.per
        rates = sorted({*_RATES, far}, reverse=True)
        levels = [(rate, describe_rate(rate, per)) for rate in rates]
        chosen = rates.index(far)
        return _render(request, "photos.html", levels=levels, chosen=chosen, per=per)

    @app.get("/people", include_in_schema=False, response_class=HTMLResponse)
    async def people(request: Request) -> str:
        persons = await _persons(request)
        return _render(request, "people.html", persons=persons, shared=_shared_names(persons))

    @app.get("/people/{person_id}", include_in_schema=False, response_class=HTMLResponse)
    async def person(request: Request, person_id: str) -> HTMLResponse:
        service = service_of(request)
        gallery = service.gallery
        try:
            shown, samples = await service.run_in_thread(gallery.show, UUID(person_id))
            denied = await service.run_in_thread(gallery.corrections.denied, shown.id)
        except (ValueError, UnknownPersonError):
            return HTMLResponse(_render(request, "nobody.html"), 404)
        far, per = service.settings.far, service.settings.per
        photos = await service.run_in_thread(gallery.index.photos_of, shown.id, far=far, per=per)
        persons = await _persons(request)
        alike = [other for other in persons if other.id != shown.id and _alike(other.name, shown.name)]
        values = {"person": shown, "samples": samples, "denied": denied, "photos": photos, "alike": alike}
        names = {"count": len(persons), "shared": _shared_names(persons)}
        return HTMLResponse(_render(request, "person.html", **values, **names))

    @app.get("/unknown", include_in_schema=False, response_class=HTMLResponse)
    async def unknown(request: Request) -> str:
        service = service_of(request)
        index, far, per = service.gallery.index, service.settings.far, service.settings.per
        values = {
            "size": await service.run_in_thread(index.size),
            "groups": await service.run_in_thread(partial(index.groups, far=far, per=per)),
            "questions": await service.run_in_thread(partial(index.questions, _QUESTIONS, far=far, per=per)),
            "people": {person.id: person for person in await _persons(request)},
        }
        return _render(request, "unknown.html", **values)

    @app.get("/changes", include_in_schema=False, response_class=HTMLResponse)
    async def changes(request: Request) -> str:
        service = service_of(request)
        entries = await service.run_in_thread(service.gallery.corrections.changes)
        return _render(request, "changes.html", changes=entries)

    @app.get("/privacy", include_in_schema=False, response_class=HTMLResponse)
    async def privacy(request: Request) -> str:
        return _render(request, "privacy.html")

    @app.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    async def docs(request: Request) -> str:
        return _render(request, "docs.html")

    @app.get("/sign-in", include_in_schema=False, response_class=HTMLResponse)
    async def sign_in_page(request: Request) -> str:
        return _render(request, "sign_in.html", wrong=False)

    @app.post("/sign-in", include_in_schema=False)
    async def sign_in(request: Request, key: Annotated[str, Form()] = "") -> Response:
        session = _authenticator(request).sign_in(key.strip())
        if session is None:
            return HTMLResponse(_render(request, "sign_in.html", wrong=True), 401)
        response = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, session, HOURS * 3600, httponly=True, secure=secure, samesite="strict")
        return response

    @app.post("/sign-out", include_in_schema=False)
    async def sign_out(request: Request) -> Response:
        _authenticator(request).sign_out(request)
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(COOKIE)
        return response


def _render(request: Request, name: str, **values: Any) -> str:
    caller = request.state.caller
    several = caller is not None and len(caller.galleries) > 1
    common = {
        "query": f"?gallery={caller.gallery}" if several else "",  # of addresses in the gallery of the page
        "path": request.url.path,
        "uses_keys": bool(_authenticator(request).keys),
        "admin": caller is not None and caller.admin,
        "signed_in": caller is not None,
        "gallery": caller.gallery if caller else None,
        "galleries": caller.galleries if caller else (),
        "keep_crops": service_of(request).settings.keep_crops,
        "undo_days": service_of(request).gallery.corrections.undo_days,
    }
    return _PAGES.get_template(name).render(**common, **values)


async def _persons(request: Request) -> list[Person]:
    return await service_of(request).run_in_thread(service_of(request).gallery.persons)


def _shared_names(persons: list[Person]) -> set[str]:
    """The names that several persons have, who are told apart by note and id."""
    return {name for name, count in Counter(person.name for person in persons).items() if count > 1}


def _alike(name: str, other: str) -> bool:
    """Whether two names are one, but for upper and lower case."""
    return name.casefold() == other.casefold()


def _authenticator(request: Request) -> Authenticator:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator
