"""The parts put together."""

from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.formparsers import MultiPartParser
from starlette.types import ASGIApp

from facerec.web import api, pages, problems
from facerec.web.authentication import Access
from facerec.web.middleware import Guard
from facerec.web.problems import ProblemDetail
from facerec.web.service import Service

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def build(service: Service, access: Access, hosts: Sequence[str] | None) -> ASGIApp:
    """The application, which leaves the service open.

    Args:
        service: what it shows.
        access: who may see it.
        hosts: names it is asked by; None: any.
    """
    # a photo stays in memory, where it is bounded already, and never becomes a temporary file
    MultiPartParser.spool_max_size = service.limits.body_bytes

    app = FastAPI(title="facerec", version="1", docs_url=None, redoc_url=None)
    app.state.service, app.state.access = service, access
    problems.install(app)
    app.include_router(api.router)
    pages.install(app)

    def schema() -> dict[str, object]:
        if not app.openapi_schema:
            made = get_openapi(title=app.title, version=app.version, routes=app.routes)
            parts = made.setdefault("components", {})
            parts.setdefault("schemas", {})["ProblemDetail"] = ProblemDetail.model_json_schema()
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            made["security"] = [{"key": []}, {}]
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]
    return Guard(app, access, service.limits, service.metrics, hosts)
