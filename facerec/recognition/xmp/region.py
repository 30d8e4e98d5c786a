"""A named region of a photo, the mark by which ours are known, and the array in a packet that regions lie in."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lxml.builder import ElementMaker

from facerec.recognition.xmp.area import Area
from facerec.recognition.xmp.packet import RDF, Element, Packet, bag_in, field, items, structure, value_of

OURS = "urn:facerec:xmp:1.0/"  # Exiv2 wants it to end so
MARK = f"{{{OURS}}}Name"  # the name as we wrote it; where a region has another by now, somebody has changed it
RESOURCE = {f"{RDF}parseType": "Resource"}


class Region(NamedTuple):
    """A named region.

    Attributes:
        name: as the file has it.
        area: of the photo as it is stored.
        ours: whether we wrote it, and nobody has renamed it since.
    """

    name: str
    area: Area
    ours: bool


class RegionError(ValueError):
    """A region that names somebody, but its area makes no sense; the message begins with the name."""


class RegionKind(NamedTuple):
    """A way of writing regions. They lie in an array, which is a field of a property at the top of a packet.

    Attributes:
        property: the property's tag.
        field: the field's.
        make: makes its elements.
        read: the region if it is a face's with a name; raises `RegionError`.
        written: a region of ours.
    """

    property: str
    field: str
    make: ElementMaker
    read: Callable[[Element], Region | None]
    written: Callable[[str, Area], Element]

    def elements(self, packet: Packet) -> list[Element]:
        """All regions, also those without a name."""
        return [item for whole in packet.properties(self.property) for item in items(field(whole, self.field))]

    def extend(self, packet: Packet, regions: Sequence[Element]) -> None:
        """Add regions; property and array are made if there are none."""
        if not regions:
            return
        wholes = packet.properties(self.property)
        whole = wholes[0] if wholes else self.make(self.property, RESOURCE)
        if not wholes:
            packet.description().append(whole)
        if field(whole, self.field) is None:
            structure(whole).append(self.make(self.field))
        bag_in(field(whole, self.field)).extend(regions)

    def tidy(self, packet: Packet) -> None:
        """Take the property out if no region is left."""
        if not self.elements(packet):
            for whole in packet.properties(self.property):
                whole.getparent().remove(whole)


def maker(prefix: str, namespace: str, **others: str) -> ElementMaker:
    """Makes elements of a namespace, which declare it and `others` with their usual prefixes."""
    return ElementMaker(namespace=namespace, nsmap={prefix: namespace, "facerec": OURS, "rdf": RDF[1:-1], **others})


def is_marked(element: Element | None, name: str) -> bool:
    """Whether we wrote this structure, with this name."""
    return value_of(element, MARK) == name


def numbers(name: str, values: Sequence[str | None]) -> list[float]:
    """The four numbers of the area of `name`.

    Raises:
        RegionError: they are not four, or one is no number.
    """
    try:
        parsed = [float(value or "") for value in values]
    except ValueError:
        parsed = []
    if len(parsed) != 4 or not all(map(math.isfinite, parsed)):
        raise RegionError(f"{name}: the region's area is not given by four numbers")
    return parsed


def area_from(name: str, x0: float, y0: float, width: float, height: float) -> Area:
    """The area of `name`; what lies outside the photo is cut off.

    Raises:
        RegionError: nothing of it lies inside.
    """
    area = Area(max(x0, 0.0), max(y0, 0.0), min(x0 + width, 1.0), min(y0 + height, 1.0))
    if area.x0 >= area.x1 or area.y0 >= area.y1:
        raise RegionError(f"{name}: the region covers nothing of the photo")
    return area
