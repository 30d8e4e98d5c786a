"""The summary of an enrolment: whose each photo is, and whether it was enrolled or refused."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from facerec.errors import ConfigError, GalleryError
from facerec.gallery.names import clean_name, printable
from facerec.gallery.records import Enrolled, GallerySize
from facerec.runtime.clutter import is_clutter

log = logging.getLogger(__name__)


class Ledger:
    """The photos of an album, named by the folders of its persons; folders whose name is no valid one are refused.

    Args:
        root: the album, or a photo.
        files: the photos.
        person: who is in all of them; None: the names of the folders say it.

    Attributes:
        names: the person to enrol from each photo.
        ids: of the persons of whom a photo is enrolled.
        photos: how many there are, including those that were refused at once.
        refused: how many were refused.
        enrolled: how many are enrolled, including those enrolled before.

    Raises:
        ConfigError: `person` is no valid name, or a single photo is given without it.
    """

    def __init__(self, root: Path, files: Sequence[Path], person: str | None) -> None:
        self.names: dict[Path, str] = {}
        self.ids: dict[str, UUID] = {}
        self.photos, self.refused, self.enrolled = len(files), 0, 0
        self._counts = {kind: Counter[str]() for kind in ("new", "known", "refused")}
        self._lines: list[str] = []
        if person is not None:
            self.names = dict.fromkeys(files, _clean_person(person))
            return
        folders: dict[Path, list[Path]] = {}
        for file in files:
            parts = file.relative_to(root).parts if root.is_dir() else ()
            folders.setdefault(root / parts[0] if len(parts) > 1 else root, []).append(file)
        self._refuse_strays(folders.pop(root, []), alone=not folders)
        for folder, photos in folders.items():
            try:
                self.names |= dict.fromkeys(photos, clean_name(folder.name))
            except GalleryError as error:
                self.refused += len(photos)
                self._lines.append(f"refused {printable(folder)}, {len(photos)} photos: {error}; rename the folder")
        for folder in sorted(root.iterdir() if root.is_dir() else []):
            if folder.is_dir() and folder not in folders and not is_clutter(folder.name):
                self._lines.append(f"skipped {printable(folder)}: there are no photos in it")

    def enroll(self, file: Path, enrolled: Enrolled) -> None:
        """Count a photo whose sample is stored."""
        self.enrolled += 1
        self.ids[self.names[file]] = enrolled.person.id
        self._counts["new"][self.names[file]] += enrolled.new
        self._counts["known"][self.names[file]] += enrolled.known

    def refuse(self, file: Path, reason: str) -> None:
        """Count a photo that is not enrolled, with the reason."""
        self.refused += 1
        if file in self.names:
            self._counts["refused"][self.names[file]] += 1
        self._lines.append(f"refused {printable(file)}: {printable(reason)}")

    def warn(self, file: Path, doubt: str) -> None:
        """Note a doubt about a photo that is enrolled: it may show somebody else."""
        log.warning("%s of %s %s", printable(file.name), self.names[file], doubt)
        self._lines.append(f"warning {printable(file)} of {self.names[file]} {doubt}")

    def how_to_go_on(self) -> str:
        """The message for somebody who stops the enrolment."""
        return f"{self.enrolled} of {self.photos} photos are enrolled; the same command goes on with the rest"

    def show(self, place: str, size: GallerySize | None) -> None:
        """Print a row for each person, then the refused photos with their reasons.

        Args:
            place: the gallery's folder or URL.
            size: the gallery's size; None if the enrolment was stopped.
        """
        table = Table("person", "new samples", "there before", "refused", title_justify="left")
        table.title = Text(f"Enrolled in {place}")
        for name in sorted(set().union(*self._counts.values())):
            table.add_row(Text(name), *(str(counts[name]) for counts in self._counts.values()))
        console = Console(width=110)
        console.print(table)
        done = f"{self.photos} photos" if size else f"{self.enrolled + self.refused} of {self.photos} photos"
        now = f"{size.persons} persons, {size.samples} samples now" if size else "stopped; start it again to go on"
        for line in (f"{done}, {self.refused} refused; {now}", *self._lines):
            console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _refuse_strays(self, files: Sequence[Path], *, alone: bool) -> None:
        for file in files:
            if alone:
                remedy = 'Give person="NAME", or photos=ALBUM with ALBUM/NAME/*.jpg'
                raise ConfigError(f"person: whose photo is {printable(file)}? {remedy}")
            self.refuse(file, "lies in no person's folder")


def _clean_person(person: str) -> str:
    try:
        return clean_name(person)
    except GalleryError as error:
        raise ConfigError(f"person: {error}") from error
