"""Assemble the application."""

from collections.abc import Mapping, Sequence

from fastapi import Depends, FastAPI
from starlette.formparsers import MultiPartParser
from starlette.types import ASGIApp

from facerec.gallery import Gallery
from facerec.web import api, corrections, inference, pages, photo_index, problems, status
from facerec.web.authentication import Authenticator
from facerec.web.middleware import RequestMiddleware
from facerec.web.openapi import VERSION, describe
from facerec.web.pipeline import Pipeline
from facerec.web.routes import gallery_parameter
from facerec.web.service import Service

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def build(
    pipeline: Pipeline, galleries: Mapping[str, Gallery], authenticator: Authenticator, hosts: Sequence[str] | None
) -> ASGIApp:
    """The ASGI application; it closes neither the pipeline nor the galleries.

    Args:
        pipeline: from photos to vectors.
        galleries: by name; those that the authenticator knows, in the same order.
        authenticator: decides who may send which requests.
        hosts: accepted host names; None: any.
    """
    # uploads are bounded already: keep them in memory, never in temporary files
    MultiPartParser.spool_max_size = pipeline.limits.body_bytes

    app = routes()
    app.state.pipeline, app.state.authenticator = pipeline, authenticator
    app.state.services = {name: Service(gallery, pipeline) for name, gallery in galleries.items()}
    return RequestMiddleware(app, authenticator, pipeline.limits, pipeline.metrics, hosts)


def routes() -> FastAPI:
    """The routes alone, which describe themselves in OpenAPI."""
    app = FastAPI(title="facerec", version=VERSION, docs_url=None, redoc_url=None)
    problems.install(app)
    for router in (inference.router, status.router):
        app.include_router(router)
    for router in (api.router, corrections.router, photo_index.router):
        app.include_router(router, dependencies=[Depends(gallery_parameter)])
    pages.install(app)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    return app
