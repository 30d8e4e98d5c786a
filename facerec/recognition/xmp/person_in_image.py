"""IPTC's `PersonInImage`: who is in a photo, without saying where."""

from collections.abc import Collection, Sequence

from facerec.recognition.xmp.packet import RDF, Packet, bag_in, items, text
from facerec.recognition.xmp.region import OURS, maker

_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_NAMES, _OUR_NAMES = f"{{{_IPTC}}}PersonInImage", f"{{{OURS}}}PersonInImage"  # the second: which of them we added
_ext = maker("Iptc4xmpExt", _IPTC)


def names_in(packet: Packet) -> list[str]:
    """The names, without doubles, in order."""
    return _read(packet, _NAMES)


def our_names_in(packet: Packet) -> list[str]:
    """Those that we added."""
    return _read(packet, _OUR_NAMES)


def replace_ours(packet: Packet, ours: Sequence[str], regions: Collection[str]) -> None:
    """Put `ours` in the place of the names that we added before; what others wrote stays.

    Args:
        packet: is changed.
        ours: names to add.
        regions: names in the regions of others, who by that stand for these names, too.
    """
    before = {*our_names_in(packet)} - {*regions}
    theirs = [name for name in names_in(packet) if name not in before]
    for prop in packet.properties(_NAMES):
        for item in list(items(prop)):
            if (text(item) or "") in before:
                item.getparent().remove(item)
    added = [name for name in dict.fromkeys(ours) if name not in theirs]
    _extend(packet, _NAMES, added)
    for prop in packet.properties(_OUR_NAMES):
        prop.getparent().remove(prop)
    _extend(packet, _OUR_NAMES, added)
    for prop in packet.properties(_NAMES):
        if not names_in(packet):
            prop.getparent().remove(prop)


def _read(packet: Packet, tag: str) -> list[str]:
    return list(dict.fromkeys(text(item) or "" for prop in packet.properties(tag) for item in items(prop)))


def _extend(packet: Packet, tag: str, names: Sequence[str]) -> None:
    if not names:
        return
    props = packet.properties(tag)
    prop = props[0] if props else _ext(tag)
    if not props:
        packet.description().append(prop)
    bag_in(prop).extend([_ext(f"{RDF}li", name) for name in names])
