"""The routes about the service itself: which galleries, health, readiness and metrics."""

import asyncio
import logging

from fastapi import APIRouter, Request, Response

from facerec.errors import GalleryError
from facerec.gallery import GallerySize
from facerec.web.problems import PROBLEMS, Problem
from facerec.web.routes import pipeline_of
from facerec.web.schemas import GalleryOut, Health
from facerec.web.service import Service

log = logging.getLogger(__name__)

_READY_SECONDS = 3.0  # that readiness waits for the galleries

router = APIRouter(prefix="/api/v1", responses=PROBLEMS, tags=["service"])


@router.get("/galleries")
async def galleries(request: Request) -> list[GalleryOut]:
    """The galleries that the key opens; the first one answers requests without the parameter `gallery`."""
    return [GalleryOut(name=name) for name in request.state.caller.galleries]


@router.get("/health")
async def health() -> Health:
    """Whether the process responds."""
    return Health(status="alive")


@router.get("/ready")
async def ready(request: Request) -> Health:
    """Whether every gallery responds and the inference thread is running; counts are of all galleries together."""
    services: dict[str, Service] = request.app.state.services
    sizes = await asyncio.gather(*(_size(name, service) for name, service in services.items()))
    if not pipeline_of(request).inference_queue.alive:
        raise Problem(503, "the inference thread has stopped; restart the service")
    return Health(
        status="ready",
        persons=sum(size.persons for size in sizes),
        samples=sum(size.samples for size in sizes),
    )


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Metrics of all galleries together in Prometheus's text format, without names."""
    return Response(pipeline_of(request).metrics.text(), media_type="text/plain; version=0.0.4")


async def _size(name: str, service: Service) -> GallerySize:
    try:
        return await asyncio.wait_for(service.run_in_thread(service.gallery.size), _READY_SECONDS)
    except TimeoutError:
        log.error("the gallery %s does not respond", name)  # the answer, which needs no key, does not name it
        raise Problem(503, "the gallery does not respond", {"Retry-After": "5"}) from None
    except GalleryError:
        log.error("the gallery %s is unavailable", name)
        raise
