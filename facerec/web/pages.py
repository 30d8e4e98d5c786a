"""The pages, rendered here; their scripts only speak to the API."""

import math
from typing import Annotated, Any

from fastapi import FastAPI, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from facerec.web.authentication import COOKIE, HOURS, Access
from facerec.web.service import Service

_PAGES = Environment(loader=PackageLoader("facerec.web"), autoescape=True, undefined=StrictUndefined)
_RATES = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0001)


def words(far: float) -> str:
    """A rate of searches as people say it."""
    return f"1 stranger in {round(1 / far):,} searches"


def install(app: FastAPI) -> None:
    """Add the pages to the application."""
    app.mount("/static/swagger", StaticFiles(packages=[("fastapi_offline", "static")]))
    app.mount("/static", StaticFiles(packages=[("facerec.web", "static")]))

    @app.get("/", include_in_schema=False, response_class=HTMLResponse)
    async def who(request: Request) -> str:
        choice = _service(request).choice
        rates = sorted({*_RATES, choice.far}, reverse=True)
        chosen = min(range(len(rates)), key=lambda row: abs(math.log(rates[row] / choice.far)))
        levels = [(rate, words(rate)) for rate in rates]
        return _render(request, "photos.html", levels=levels, chosen=chosen, limits=_service(request).limits)

    @app.get("/people", include_in_schema=False, response_class=HTMLResponse)
    async def people(request: Request) -> str:
        service = _service(request)
        return _render(request, "people.html", persons=await service.ask(service.gallery.persons))

    @app.get("/privacy", include_in_schema=False, response_class=HTMLResponse)
    async def privacy(request: Request) -> str:
        return _render(request, "privacy.html")

    @app.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    async def docs(request: Request) -> str:
        return _render(request, "docs.html")

    @app.get("/sign-in", include_in_schema=False, response_class=HTMLResponse)
    async def ask(request: Request) -> str:
        return _render(request, "sign_in.html", wrong=False)

    @app.post("/sign-in", include_in_schema=False)
    async def sign_in(request: Request, key: Annotated[str, Form()] = "") -> Response:
        session = _access(request).sign_in(key.strip())
        if session is None:
            return HTMLResponse(_render(request, "sign_in.html", wrong=True), 401)
        response = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, session, HOURS * 3600, httponly=True, secure=secure, samesite="strict")
        return response

    @app.post("/sign-out", include_in_schema=False)
    async def sign_out(request: Request) -> Response:
        _access(request).sign_out(request)
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(COOKIE)
        return response


def _render(request: Request, name: str, **values: Any) -> str:
    who = request.state.who
    common = {
        "path": request.url.path,
        "keyed": bool(_access(request).keys),
        "admin": who is not None and who.admin,
        "inside": who is not None,
        "keep_crops": _service(request).choice.keep_crops,
    }
    return _PAGES.get_template(name).render(**common, **values)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _access(request: Request) -> Access:
    access: Access = request.app.state.access
    return access
