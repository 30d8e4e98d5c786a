"""The people that a photo's XMP names, beside it and inside it: read, and ours written."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from facerec.crops import PhotoHeader, read_header
from facerec.errors import DataError
from facerec.recognition.xmp.area import LEAST_OVERLAP, Area, pair_up
from facerec.recognition.xmp.embedding import embed
from facerec.recognition.xmp.microsoft import MICROSOFT
from facerec.recognition.xmp.mwg import MWG, applied_to, apply_to
from facerec.recognition.xmp.packet import Element, Packet
from facerec.recognition.xmp.person_in_image import names_in, our_names_in, replace_ours
from facerec.recognition.xmp.region import Region, RegionError, RegionKind
from facerec.recognition.xmp.sidecar import put, read_sidecar, sidecar_of

_KINDS = (MWG, MICROSOFT)
_SAME_PLACE = 0.5  # overlap of two regions that mean one face
_SAME_SHAPE = 0.02  # how far the proportions of width and height may differ


class NamedPeople(NamedTuple):
    """Who is in a photo.

    Attributes:
        regions: names and areas of the upright photo.
        unplaced: names without a region.
        problems: what names somebody, but can't be used; each begins with the name.
    """

    regions: list[tuple[str, Area]]
    unplaced: list[str]
    problems: list[str]


def read_people(photo: Path) -> NamedPeople:
    """Read the names from the XMP beside a photo and inside it.

    Where two regions lie in one place, that of others counts before ours, the one beside the photo before the one
    inside, and MWG's before Microsoft's.

    Raises:
        DataError: the photo or its XMP can't be read.
    """
    header = read_header(photo)
    sidecar = sidecar_of(photo)
    listed: list[Region] = []
    problems: list[str] = []
    names: list[str] = []
    for file, data in ((sidecar, read_sidecar(sidecar)), (photo, header.xmp)):
        if data:
            packet = Packet(data, str(file))
            listed += _regions(packet, header, problems)
            ours = our_names_in(packet)
            names += [name for name in names_in(packet) if name not in ours]
    regions: list[Region] = []
    for region in sorted(listed, key=lambda region: region.ours):
        before = next((known for known in regions if _same_place(region, known)), None)
        if before is None:
            regions.append(region)
        elif region.name != before.name and not region.ours:
            problems.append(f"{region.name}: the region of {before.name} lies in the same place")
    placed = {region.name for region in listed}
    return NamedPeople(
        [(region.name, region.area.turned(header.orientation)) for region in regions],
        [name for name in dict.fromkeys(names) if name not in placed],
        problems,
    )


def write_people(photo: Path, faces: Sequence[tuple[str, Area]], *, inside: bool = False) -> Path | None:
    """Write names of faces into the XMP beside a photo or inside it, in the place of those that we wrote before.

    Where somebody else has named a face, that stays and ours is left out. No file is made for nobody.

    Args:
        photo: a photo.
        faces: names and areas of the upright photo.
        inside: write into the photo's file.

    Returns:
        The file that was written; None if there was nothing to change.

    Raises:
        DataError: the photo or its XMP can't be read, or can't hold a name; the files are left as they are.
        OSError: the disk refuses; likewise.
    """
    header = read_header(photo)
    file = photo if inside else sidecar_of(photo)
    packet = Packet(header.xmp if inside else read_sidecar(file), str(file))
    packets = [packet] if inside or not header.xmp else [packet, Packet(header.xmp, str(photo))]
    theirs = [region for part in packets for region in _regions(part, header, []) if not region.ours]
    stored = [(name, area.turned_back(header.orientation)) for name, area in faces]
    named = pair_up([region.area for region in theirs], [area for _, area in stored])
    before = _ours(packet)
    try:
        _replace(packet, [face for row, face in enumerate(stored) if row not in named], theirs, header)
    except ValueError as error:
        raise DataError(f"{file}: {error}; it is left as it is") from error
    if _ours(packet) == before:
        return None
    if inside:
        embed(photo, packet.to_bytes())
    else:
        put(file, packet.to_bytes())
    return file


def _regions(packet: Packet, header: PhotoHeader, problems: list[str]) -> list[Region]:
    """The named regions of faces; what is wrong with others is added to `problems`."""
    if misfit := _misfit(packet, header):
        problems.append(misfit)
        return []
    regions = []
    for kind in _KINDS:
        for element in kind.elements(packet):
            try:
                region = kind.read(element)
            except RegionError as error:
                problems.append(str(error))
            else:
                regions += [region] if region else []
    return regions


def _misfit(packet: Packet, header: PhotoHeader) -> str:
    """Why the regions can't be of this photo, or ""."""
    width, height = header.size
    made_for = applied_to(packet) or header.size
    if abs(made_for[0] * height / (made_for[1] * width) - 1) <= _SAME_SHAPE:
        return ""
    return f"the regions were made for {made_for[0]:g}x{made_for[1]:g} pixels, and the photo has {width}x{height}"


def _same_place(region: Region, known: Region) -> bool:
    least = LEAST_OVERLAP if region.name == known.name else _SAME_PLACE
    return region.area.overlap(known.area) >= least


def _marked(packet: Packet, kind: RegionKind) -> list[tuple[Element, Region]]:
    """Our regions of a kind."""
    marked = []
    for element in kind.elements(packet):
        with suppress(RegionError):
            region = kind.read(element)
            if region and region.ours:
                marked.append((element, region))
    return marked


def _ours(packet: Packet) -> tuple[object, ...]:
    """All that we wrote into a packet, to compare."""
    regions = [region for kind in _KINDS for _, region in _marked(packet, kind)]
    return regions, our_names_in(packet), applied_to(packet)


def _replace(
    packet: Packet, faces: Sequence[tuple[str, Area]], theirs: Sequence[Region], header: PhotoHeader
) -> None:
    """Put our regions into a packet.

    Raises:
        ValueError: there are regions for another shape of the photo, or XML can't hold a name.
    """
    for kind in _KINDS:
        for element, _ in _marked(packet, kind):
            element.getparent().remove(element)
    if not MWG.elements(packet):
        MWG.tidy(packet)  # with the size that they were made for
    elif faces and (misfit := _misfit(packet, header)):
        raise ValueError(misfit)
    for kind in _KINDS:
        kind.extend(packet, [kind.written(name, area) for name, area in faces])
        kind.tidy(packet)
    if faces and not applied_to(packet):
        apply_to(packet, header.size)
    replace_ours(packet, [name for name, _ in faces], {region.name for region in theirs})
