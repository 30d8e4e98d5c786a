"""What the routes of the API share."""

from typing import Annotated

from fastapi import Request, UploadFile
from pydantic import WithJsonSchema

from facerec.web.service import Service

# Swagger UI shows a text field for FastAPI's own schema of a list of files, and a file field for this one
Photo = Annotated[UploadFile, WithJsonSchema({"type": "string", "format": "binary"})]


def service_of(request: Request) -> Service:
    """The service that answers a request."""
    service: Service = request.app.state.service
    return service


def caller_of(request: Request) -> str:
    """Who sends a request, for the audit."""
    return str(request.state.caller.name)
