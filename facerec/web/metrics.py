"""Metrics for Prometheus: counts and times, never a name."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of one service.

    Args:
        waiting: returns the number of photos in the inference queue.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "facerec_requests", "Answered requests", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "facerec_request_seconds",
            "Seconds from receiving a request to its answer",
            ["route"],
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._batches = Histogram(
            "facerec_batch_photos",
            "Photos in an inference batch",
            registry=self._registry,
            buckets=(1, 2, 4, 8, 16),
        )
        self._faces = Counter("facerec_faces", "Detected faces", registry=self._registry)
        self.at_work = Gauge("facerec_requests_at_work", "Requests in progress", registry=self._registry)
        gauge = Gauge("facerec_waiting_photos", "Photos in the inference queue", registry=self._registry)
        gauge.set_function(waiting)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch_done(self, photos: int, faces: int) -> None:
        """Count an inference batch."""
        self._batches.observe(photos)
        self._faces.inc(faces)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)
