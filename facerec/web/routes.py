"""What the routes of the API share."""

from typing import Annotated

from fastapi import Query, Request, UploadFile
from pydantic import WithJsonSchema

from facerec.web.pipeline import Pipeline
from facerec.web.service import Service

# Swagger UI shows a text field for FastAPI's own schema of a list of files, and a file field for this one
Photo = Annotated[UploadFile, WithJsonSchema({"type": "string", "format": "binary"})]


def service_of(request: Request) -> Service:
    """The service of the gallery that a request is for; at public addresses, that of the first gallery."""
    services: dict[str, Service] = request.app.state.services
    caller = request.state.caller
    return services[caller.gallery if caller else next(iter(services))]


def pipeline_of(request: Request) -> Pipeline:
    """What all galleries share."""
    pipeline: Pipeline = request.app.state.pipeline
    return pipeline


def caller_of(request: Request) -> str:
    """Who sends a request, for the audit."""
    return str(request.state.caller.name)


def gallery_parameter(
    gallery: Annotated[
        str | None,
        Query(
            description="name of a gallery, as listed by /api/v1/galleries; default: the first that the key opens"
        ),
    ] = None,
) -> None:
    """Declares the parameter of every route that works on a gallery; authentication reads it."""
