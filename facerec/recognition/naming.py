"""Whom photos show: the names of their folders say it, the regions in their XMP, or a table."""

from collections.abc import Sequence
from pathlib import Path

from facerec.crops import list_photos
from facerec.errors import ConfigError, DataError, GalleryError
from facerec.gallery.names import clean_name, printable
from facerec.recognition.ledger import Ledger
from facerec.recognition.refused import read_table
from facerec.recognition.xmp import Area, read_people
from facerec.runtime.clutter import is_clutter

Wanted = dict[Path, list[tuple[str, Area | None]]]
"""Whom to enrol from each photo, and where they are in it; None: theirs is the largest face."""


def names_in_photos(root: Path, ledger: Ledger, *, people: str, person: str | None) -> Wanted:
    """Whom to enrol from photos.

    Args:
        root: an album with a folder for each person, a folder, a photo, or a table.
        ledger: is told how many photos or regions there are, and what was refused.
        people: "folders": the names of the folders say it; "xmp": the named regions in the XMP do; "table": `root`
            is a CSV table with the columns photo and person.
        person: who is in all of them; the folders are not asked.

    Raises:
        ConfigError: `people` is none of them, `person` is no valid name, there are no photos, or nothing says whose
            a single photo is.
    """
    if people not in ("folders", "xmp", "table"):
        raise ConfigError(f"people: must be folders, xmp or table, not {people}")
    if people == "folders":
        return _names_of_folders(root, list_photos(root), person, ledger)
    if person is not None:
        says = "the photos say who is in them" if people == "xmp" else "the table says who is in each photo"
        raise ConfigError(f"person: with people={people} {says}; leave person out")
    return _names_in_xmp(list_photos(root), ledger) if people == "xmp" else _names_in_table(root, ledger)


def _names_in_table(file: Path, ledger: Ledger) -> Wanted:
    """Names that are no valid ones are refused."""
    wanted: Wanted = {}
    for photo, name in read_table(file):
        ledger.total += 1
        try:
            wanted.setdefault(photo, []).append((clean_name(name), None))
        except GalleryError as error:
            ledger.refuse(photo, str(error), name)
    if not ledger.total:
        raise ConfigError(f"photos: {file} names no photo")
    return wanted


def _names_of_folders(root: Path, files: Sequence[Path], person: str | None, ledger: Ledger) -> Wanted:
    """Folders whose name is no valid one are refused."""
    ledger.total += len(files)
    if person is not None:
        return {file: [(_clean_person(person), None)] for file in files}
    folders: dict[Path, list[Path]] = {}
    for file in files:
        parts = file.relative_to(root).parts if root.is_dir() else ()
        folders.setdefault(root / parts[0] if len(parts) > 1 else root, []).append(file)
    for file in folders.pop(root, []):
        if not folders:
            remedy = 'Give person="NAME", or photos=ALBUM with ALBUM/NAME/*.jpg'
            raise ConfigError(f"person: whose photo is {printable(file)}? {remedy}")
        ledger.refuse(file, "lies in no person's folder")
    wanted: Wanted = {}
    for folder, photos in folders.items():
        try:
            name = clean_name(folder.name)
        except GalleryError as error:
            ledger.refuse(folder, f"{error}; rename the folder", photos=photos)
        else:
            wanted |= {file: [(name, None)] for file in photos}
    for folder in sorted(root.iterdir() if root.is_dir() else []):
        if folder.is_dir() and folder not in folders and not is_clutter(folder.name):
            ledger.note(f"skipped {folder}: there are no photos in it")
    return wanted


def _names_in_xmp(files: Sequence[Path], ledger: Ledger) -> Wanted:
    """Names that are no valid ones are refused; those without a region are passed over."""
    ledger.unit = "regions"
    wanted: Wanted = {}
    nobody = 0
    for file in files:
        try:
            people = read_people(file)
        except DataError as error:
            ledger.total += 1
            ledger.refuse(file, str(error).removeprefix(f"{file}: "))
            continue
        if people.unplaced:
            ledger.note(f"passed over in {file}: {', '.join(people.unplaced)}; named without a region")
        refused = list(people.problems)
        regions: list[tuple[str, Area | None]] = []
        for name, area in people.regions:
            try:
                regions.append((clean_name(name), area))
            except GalleryError as error:
                refused.append(str(error))
        for reason in refused:
            ledger.refuse(file, reason)
        ledger.total += len(refused) + len(regions)
        nobody += not any(people)
        if regions:
            wanted[file] = regions
    if nobody:
        ledger.note(f"passed over {nobody} of {len(files)} photos: they name nobody")
    return wanted


def _clean_person(person: str) -> str:
    try:
        return clean_name(person)
    except GalleryError as error:
        raise ConfigError(f"person: {error}") from error
