"""What one request may ask for."""

from typing import NamedTuple


class Limits(NamedTuple):
    """Bounds of requests.

    Attributes:
        photo_bytes: of one photo.
        photo_pixels: of one photo, decoded.
        photos: in one request.
        upload_seconds: for a request to arrive whole.
        decode_seconds: for one photo; a decoder that takes longer is killed.
        requests: at work at once, those that still arrive included.
        waiting: photos in the queue for the detector.
        rate: of one key, as in "600/minute".
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
        """Of a whole request: its photos, and room for names and boundaries."""
        return self.photo_bytes * self.photos + 2**16
