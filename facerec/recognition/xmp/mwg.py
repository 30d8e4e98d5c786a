"""Regions as the Metadata Working Group has them (2010): digiKam, Lightroom, Picasa and most others write them."""

import math

from facerec.recognition.xmp.area import Area
from facerec.recognition.xmp.packet import RDF, Element, Packet, field, structure, value_of
from facerec.recognition.xmp.region import (
    MARK,
    RESOURCE,
    Region,
    RegionError,
    RegionKind,
    area_from,
    is_marked,
    maker,
    numbers,
)

_RS = "http://www.metadataworkinggroup.com/schemas/regions/"
_AREA = "http://ns.adobe.com/xmp/sType/Area#"
_DIM = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
_REGIONS = f"{{{_RS}}}Regions"
_APPLIED = f"{{{_RS}}}AppliedToDimensions"
_rs = maker("mwg-rs", _RS, stArea=_AREA, stDim=_DIM)


def _read(element: Element) -> Region | None:
    """The region if it is a face's with a name.

    Raises:
        RegionError: it has a name, but no area that makes sense.
    """
    name = value_of(element, f"{{{_RS}}}Name")
    if not name or (value_of(element, f"{{{_RS}}}Type") or "Face").strip().lower() != "face":
        return None
    area = field(element, f"{{{_RS}}}Area")
    x, y, width, height = numbers(name, [value_of(area, f"{{{_AREA}}}{key}") for key in ("x", "y", "w", "h")])
    if (unit := value_of(area, f"{{{_AREA}}}unit") or "normalized") != "normalized":
        raise RegionError(f"{name}: the region's area is given in {unit}, not normalized")
    marked = is_marked(field(element, f"{{{_RS}}}Extensions"), name)
    return Region(name, area_from(name, x - width / 2, y - height / 2, width, height), marked)


def _written(name: str, area: Area) -> Element:
    """A region of ours: x and y are its centre."""
    width, height = area.x1 - area.x0, area.y1 - area.y0
    sides = {"x": area.x0 + width / 2, "y": area.y0 + height / 2, "w": width, "h": height}
    attributes = {f"{{{_AREA}}}{key}": f"{value:.6f}" for key, value in sides.items()}
    return _rs(
        f"{RDF}li",
        RESOURCE,
        _rs.Name(name),
        _rs.Type("Face"),
        _rs.Area({**attributes, f"{{{_AREA}}}unit": "normalized"}),
        _rs.Extensions(RESOURCE, _rs(MARK, name)),
    )


def applied_to(packet: Packet) -> tuple[float, float] | None:
    """Width and height of the stored photo that the regions were made for; None if that is not said."""
    for sides in _all_sides(packet):
        try:
            width, height = (float(value_of(sides, f"{{{_DIM}}}{key}") or "") for key in ("w", "h"))
        except ValueError:
            continue
        if 0 < width < math.inf and 0 < height < math.inf:
            return width, height
    return None


def apply_to(packet: Packet, size: tuple[int, int]) -> None:
    """Say which width and height of the stored photo the regions were made for."""
    for sides in _all_sides(packet):
        sides.getparent().remove(sides)
    values = {"w": str(size[0]), "h": str(size[1]), "unit": "pixel"}
    for regions in packet.properties(_REGIONS):
        sides = _rs.AppliedToDimensions({f"{{{_DIM}}}{key}": value for key, value in values.items()})
        structure(regions).insert(0, sides)


def _all_sides(packet: Packet) -> list[Element]:
    fields = [field(regions, _APPLIED) for regions in packet.properties(_REGIONS)]
    return [sides for sides in fields if sides is not None]


MWG = RegionKind(_REGIONS, f"{{{_RS}}}RegionList", _rs, _read, _written)
