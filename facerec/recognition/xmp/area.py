"""Where a region is in a photo, as parts of its width and height; turned as EXIF says; and which face it means."""

from collections.abc import Sequence
from typing import NamedTuple

from facerec.faces import Face

LEAST_OVERLAP = 0.2  # intersection over union: of a frame twice as wide and twice as high as the face, 0.25


class Area(NamedTuple):
    """A rectangle; 0, 0 is the photo's upper left corner and 1, 1 the lower right one."""

    x0: float
    y0: float
    x1: float
    y1: float

    def turned(self, orientation: int) -> "Area":
        """The same place after the turn of an EXIF orientation: of the stored photo → of the upright one."""
        (a, b), (c, d) = _turn(self.x0, self.y0, orientation), _turn(self.x1, self.y1, orientation)
        return Area(min(a, c), min(b, d), max(a, c), max(b, d))

    def turned_back(self, orientation: int) -> "Area":
        """The reverse: of the upright photo → of the stored one."""
        return self.turned({6: 8, 8: 6}.get(orientation, orientation))

    def overlap(self, other: "Area") -> float:
        """Intersection over union, 0..1."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        if width <= 0 or height <= 0:
            return 0.0
        both = width * height
        return both / (self._size() + other._size() - both)

    def _size(self) -> float:
        return (self.x1 - self.x0) * (self.y1 - self.y0)


def area_of(face: Face, photo_size: tuple[int, int]) -> Area:
    """The area of a face's box.

    Args:
        face: whose whole coordinates are the centres of pixels.
        photo_size: height and width of the photo it was found in.
    """
    height, width = photo_size
    x0, y0, x1, y1 = face.box.tolist()
    edges = (x0 + 0.5) / width, (y0 + 0.5) / height, (x1 + 0.5) / width, (y1 + 0.5) / height
    return Area(*(min(max(edge, 0.0), 1.0) for edge in edges))


def pair_up(regions: Sequence[Area], faces: Sequence[Area]) -> list[int | None]:
    """For each region, the number of the face that it means, or None.

    The greatest overlap decides first; a face is meant by one region at most, and overlaps it by `LEAST_OVERLAP`.
    """
    overlaps = sorted(
        (
            (region.overlap(face), row, number)
            for row, region in enumerate(regions)
            for number, face in enumerate(faces)
        ),
        key=lambda overlap: -overlap[0],
    )
    meant: dict[int, int] = {}
    for overlap, row, number in overlaps:
        if overlap >= LEAST_OVERLAP and row not in meant and number not in meant.values():
            meant[row] = number
    return [meant.get(row) for row in range(len(regions))]


def _turn(x: float, y: float, orientation: int) -> tuple[float, float]:
    if orientation >= 5:  # mirrored at the diagonal, then as 1 to 4 in another order
        x, y = y, x
        orientation = {5: 1, 6: 2, 7: 3, 8: 4}[orientation]
    return (1 - x if orientation in (2, 3) else x), (1 - y if orientation in (3, 4) else y)
