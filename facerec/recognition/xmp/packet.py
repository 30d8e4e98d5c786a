"""XMP as XML: read without trusting it, in the forms that RDF has for one thing, and written with all it held."""

from collections.abc import Iterator
from typing import Any

from lxml import etree

from facerec.errors import DataError

Element = Any  # lxml tells no types
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
MAX_BYTES = 2**24  # of a file beside a photo; an editor's whole history takes a tenth of it
_EMPTY = """<?xpacket begin="\N{BYTE ORDER MARK}" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="facerec">
  <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
    <rdf:Description rdf:about=""/>
  </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


class Packet:
    """An XMP packet: properties in `rdf:Description` elements.

    Entities are not replaced, and a document type, which could declare some, is refused.

    Args:
        data: the packet in any encoding that XML allows; empty: a new packet.
        name: of the file, for errors.

    Raises:
        DataError: this is not XML, not XMP, too large or not to be trusted.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self._new = not data
        data = data or _EMPTY.encode()
        if len(data) > MAX_BYTES:
            raise DataError(f"{name}: XMP of {len(data):,} bytes is more than {MAX_BYTES:,}")
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, strip_cdata=False
        )
        try:
            root = etree.fromstring(data, parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            raise DataError(f"{name}: this is not XML: {str(error).splitlines()[0]}") from error
        self._tree = root.getroottree()
        if self._tree.docinfo.doctype or self._tree.docinfo.internalDTD is not None:
            raise DataError(f"{name}: XMP has no document type (<!DOCTYPE …>), this file has one")
        rdf = next(root.iter(f"{RDF}RDF"), None)
        if rdf is None:
            raise DataError(f"{name}: this is XML, but no XMP: there is no rdf:RDF in it")
        self.rdf: Element = rdf
        self._declared = data.lstrip(b"\xef\xbb\xbf").startswith(b"<?xml")

    def properties(self, tag: str) -> list[Element]:
        """The properties of this name at the top; there should be one at most."""
        return [element for part in self.rdf.findall(f"{RDF}Description") for element in part.findall(tag)]

    def description(self) -> Element:
        """Where a new property goes."""
        first = self.rdf.find(f"{RDF}Description")
        return etree.SubElement(self.rdf, f"{RDF}Description", {f"{RDF}about": ""}) if first is None else first

    def to_bytes(self) -> bytes:
        """The packet in UTF-8."""
        if self._new:
            etree.indent(self._tree)
        return bytes(etree.tostring(self._tree, encoding="UTF-8", xml_declaration=self._declared)) + b"\n"


def items(element: Element | None) -> Iterator[Element]:
    """The elements of an array."""
    for kind in ("Bag", "Seq", "Alt"):
        for array in () if element is None else element.findall(f"{RDF}{kind}"):
            yield from array.findall(f"{RDF}li")


def bag_in(element: Element) -> Element:
    """The array in a property or field; an unordered one is made if there is none."""
    bag = next((array for kind in ("Bag", "Seq") for array in element.findall(f"{RDF}{kind}")), None)
    return etree.SubElement(element, f"{RDF}Bag") if bag is None else bag


def structure(element: Element) -> Element:
    """Where a structure's fields are: in the element itself, or in an `rdf:Description` inside it."""
    inner = element.find(f"{RDF}Description")
    return element if inner is None else inner


def field(element: Element | None, tag: str) -> Element | None:
    """A field of a structure that is a structure or an array itself."""
    return None if element is None else structure(element).find(tag)


def text(element: Element | None) -> str | None:
    """The text of a value, which may have qualifiers beside it."""
    if element is None:
        return None
    inner = structure(element)
    if (value := inner.get(f"{RDF}value")) is not None:
        return str(value)
    value = inner.find(f"{RDF}value")
    return (inner if value is None else value).text or ""


def value_of(element: Element | None, tag: str) -> str | None:
    """A field of a structure that is a text: an element or an attribute."""
    if element is None:
        return None
    attribute = structure(element).get(tag)
    return text(field(element, tag)) if attribute is None else str(attribute)
