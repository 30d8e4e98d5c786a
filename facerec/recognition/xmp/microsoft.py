"""Regions as Windows and Microsoft's photo programs write them: a corner is given, not the centre."""

from facerec.recognition.xmp.area import Area
from facerec.recognition.xmp.packet import RDF, Element, value_of
from facerec.recognition.xmp.region import (
    MARK,
    RESOURCE,
    Region,
    RegionKind,
    area_from,
    is_marked,
    maker,
    numbers,
)

_MP = "http://ns.microsoft.com/photo/1.2/"
_MPRI = "http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
_MPREG = "http://ns.microsoft.com/photo/1.2/t/Region#"
_RECTANGLE, _NAME = f"{{{_MPREG}}}Rectangle", f"{{{_MPREG}}}PersonDisplayName"
_mp = maker("MP", _MP, MPRI=_MPRI, MPReg=_MPREG)


def _read(element: Element) -> Region | None:
    """The region if it has a name.

    Raises:
        RegionError: it has a name, but no area that makes sense.
    """
    name, rectangle = value_of(element, _NAME), value_of(element, _RECTANGLE)
    if not name or rectangle is None:  # without a rectangle: somebody is in the photo, wherever
        return None
    return Region(name, area_from(name, *numbers(name, rectangle.split(","))), is_marked(element, name))


def _written(name: str, area: Area) -> Element:
    """A region of ours."""
    values = (area.x0, area.y0, area.x1 - area.x0, area.y1 - area.y0)
    rectangle = ", ".join(f"{value:.6f}" for value in values)
    return _mp(f"{RDF}li", RESOURCE, _mp(_RECTANGLE, rectangle), _mp(_NAME, name), _mp(MARK, name))


MICROSOFT = RegionKind(f"{{{_MP}}}RegionInfo", f"{{{_MPRI}}}Regions", _mp, _read, _written)
