"""The summary of an enrolment: what was enrolled and what was refused."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from facerec.gallery.names import printable
from facerec.gallery.records import Enrolled, GallerySize
from facerec.recognition.refused import write_table

log = logging.getLogger(__name__)


class Ledger:
    """Counts what was enrolled and refused, and lists the reasons.

    Attributes:
        unit: what is counted: photos, or regions of photos.
        total: how many there are, including those that were refused at once.
        ids: of the persons of whom something is enrolled, by the names that were given.
        enrolled: how many are enrolled, including those enrolled before.
    """

    def __init__(self) -> None:
        self.unit = "photos"
        self.ids: dict[str, UUID] = {}
        self.total, self.enrolled = 0, 0
        self._counts = {kind: Counter[str]() for kind in ("new", "known", "refused")}
        self._lines: list[str] = []
        self._refused: list[tuple[Path, str, str]] = []

    @property
    def refused(self) -> int:
        """How many were refused."""
        return len(self._refused)

    def enroll(self, name: str, enrolled: Enrolled) -> None:
        """Count a sample that is stored."""
        self.enrolled += 1
        self.ids[name] = enrolled.person.id
        self._counts["new"][name] += enrolled.new
        self._counts["known"][name] += enrolled.known

    def refuse(self, file: Path, reason: str, name: str | None = None, *, photos: Sequence[Path] = ()) -> None:
        """Count what is not enrolled, with the reason: a photo, a region of it, or all `photos` in a folder."""
        self._refused += [(photo, file.name if photos else name or "", reason) for photo in photos or [file]]
        if name is not None:
            self._counts["refused"][name] += 1
        whose = f" of {name}" if name and self.unit != "photos" else f", {len(photos)} photos" if photos else ""
        self.note(f"refused {file}{whose}: {reason}")

    def warn(self, file: Path, name: str, doubt: str) -> None:
        """Note a doubt about a photo that is enrolled: it may show somebody else."""
        log.warning("%s of %s %s", printable(file.name), name, doubt)
        self.note(f"warning {file} of {name} {doubt}")

    def note(self, line: str) -> None:
        """Add a line to the summary."""
        self._lines.append(printable(line))

    def save(self, file: Path, left: Mapping[Path, Sequence[str]]) -> None:
        """Write the table of what was refused, from which it can be enrolled once it is corrected.

        Args:
            file: is replaced.
            left: names by photo that were not reached, since the enrolment was stopped; they go into it, too.
        """
        rest = [(photo, name, "was not reached") for photo, names in left.items() for name in names]
        write_table(file, [*self._refused, *rest])

    def how_to_go_on(self) -> str:
        """The message for somebody who stops the enrolment."""
        return f"{self.enrolled} of {self.total} {self.unit} are enrolled; the same command goes on with the rest"

    def show(self, place: str, size: GallerySize | None) -> None:
        """Print a row for each person, then the refused photos with their reasons.

        Args:
            place: the gallery's folder or URL.
            size: the gallery's size; None if the enrolment was stopped.
        """
        table = Table("person", "new samples", "there before", "refused", title_justify="left")
        table.title = Text(f"Enrolled in {place}")
        for name in sorted(set().union(*self._counts.values())):
            table.add_row(Text(printable(name)), *(str(counts[name]) for counts in self._counts.values()))
        console = Console(width=110)
        console.print(table)
        done = f"{self.total} {self.unit}"
        done = done if size else f"{self.enrolled + self.refused} of {done}"
        now = f"{size.persons} persons, {size.samples} samples now" if size else "stopped; start it again to go on"
        for line in (f"{done}, {self.refused} refused; {now}", *self._lines):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
