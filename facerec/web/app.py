"""Assemble the application."""

from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.formparsers import MultiPartParser
from starlette.types import ASGIApp

from facerec.web import api, corrections, pages, photo_index, problems
from facerec.web.authentication import Authenticator
from facerec.web.middleware import RequestMiddleware
from facerec.web.problems import ProblemDetail
from facerec.web.service import Service

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def build(service: Service, authenticator: Authenticator, hosts: Sequence[str] | None) -> ASGIApp:
    """The ASGI application; it does not close the service.

    Args:
        service: answers the requests.
        authenticator: decides who may send which.
        hosts: accepted host names; None: any.
    """
    # uploads are bounded already: keep them in memory, never in temporary files
    MultiPartParser.spool_max_size = service.limits.body_bytes

    app = FastAPI(title="facerec", version="1", docs_url=None, redoc_url=None)
    app.state.service, app.state.authenticator = service, authenticator
    problems.install(app)
    app.include_router(api.router)
    app.include_router(corrections.router)
    app.include_router(photo_index.router)
    pages.install(app)

    def schema() -> dict[str, object]:
        if not app.openapi_schema:
            document = get_openapi(title=app.title, version=app.version, routes=app.routes)
            components = document.setdefault("components", {})
            components.setdefault("schemas", {})["ProblemDetail"] = ProblemDetail.model_json_schema()
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"key": []}, {}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]
    return RequestMiddleware(app, authenticator, service.limits, service.metrics, hosts)
