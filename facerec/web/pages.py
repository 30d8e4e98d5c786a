"""The pages, rendered on the server; their scripts use the API only."""

from typing import Annotated, Any

from fastapi import FastAPI, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from facerec.web.authentication import COOKIE, HOURS, Authenticator
from facerec.web.routes import service_of

_PAGES = Environment(loader=PackageLoader("facerec.web"), autoescape=True, undefined=StrictUndefined)
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
        service = service_of(request)
        return _render(request, "people.html", persons=await service.run_in_thread(service.gallery.persons))

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
    common = {
        "path": request.url.path,
        "uses_keys": bool(_authenticator(request).keys),
        "admin": caller is not None and caller.admin,
        "signed_in": caller is not None,
        "gallery": caller.gallery if caller else None,
        "galleries": caller.galleries if caller else (),
        "keep_crops": service_of(request).settings.keep_crops,
    }
    return _PAGES.get_template(name).render(**common, **values)


def _authenticator(request: Request) -> Authenticator:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator
