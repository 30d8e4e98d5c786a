"""What Prometheus is told: counts and times, never a name."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Of one service.

    Args:
        waiting: photos in the queue.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "facerec_requests", "Requests answered", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "facerec_request_seconds",
            "From first to last byte",
            ["route"],
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._batches = Histogram(
            "facerec_batch_photos", "Photos looked at together", registry=self._registry, buckets=(1, 2, 4, 8, 16)
        )
        self._faces = Counter("facerec_faces", "Faces found", registry=self._registry)
        self.at_work = Gauge("facerec_requests_at_work", "Requests not answered yet", registry=self._registry)
        gauge = Gauge("facerec_waiting_photos", "Photos that wait for the detector", registry=self._registry)
        gauge.set_function(waiting)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request is done."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def looked(self, photos: int, faces: int) -> None:
        """A batch is done."""
        self._batches.observe(photos)
        self._faces.inc(faces)

    def text(self) -> bytes:
        """In Prometheus's format."""
        return generate_latest(self._registry)
