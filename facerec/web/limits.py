"""Limits of requests."""

from typing import NamedTuple


class Limits(NamedTuple):
    """What one request, and all together, may use.

    Attributes:
        photo_bytes: size of one photo.
        photo_pixels: pixels of one photo.
        photos: number of photos in one request.
        upload_seconds: time for a whole request to arrive.
        decode_seconds: time to decode one photo; a worker that takes longer is killed.
        requests: requests in progress, including those still arriving.
        waiting: photos in the inference queue.
        rate: requests for each key, as in "600/minute".
    """

    photo_bytes: int
    photo_pixels: int
    photos: int
    upload_seconds: float
    decode_seconds: float
    requests: int
    waiting: int
    rate: str

    @property
    def body_bytes(self) -> int:
        """Size of a whole request: its photos, and room for names and boundaries."""
        return self.photo_bytes * self.photos + 2**16
