"""Print what a gallery holds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facerec.gallery.checkup import Checkup
from facerec.gallery.contents import Contents
from facerec.gallery.findings import KINDS, CheckupFinding, say_rates
from facerec.gallery.gallery import Gallery
from facerec.gallery.names import printable
from facerec.gallery.records import StoredSample

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_SHOWN = 20  # findings of a kind


def show_persons(gallery: Gallery) -> None:
    """Everybody enrolled."""
    rows = [
        [
            person.name,
            person.short_id,
            str(person.samples),
            f"{person.created:%Y-%m-%d %H:%M}",
            "ignored" if person.ignored else "",
            person.note,
        ]
        for person in gallery.persons()
    ]
    _table(f"Persons in {gallery.place}", ["name", "id", "samples", "since", "", "note"], rows)


def show_person(gallery: Gallery, who: str) -> None:
    """A person's samples, and the faces that are said not to be this person."""
    person, samples = gallery.show(who)
    about = [person.short_id, *(["ignored"] if person.ignored else []), *([person.note] if person.note else [])]
    columns = ["photo", "crop", "box", "score"]
    _table(f"{person.name} ({', '.join(about)})", [*columns, "enrolled"], list(map(_sample, samples)))
    if denied := gallery.corrections.denied(person.id):
        _table(f"Not {person.name}", [*columns, "denied"], list(map(_sample, denied)))


def show_changes(gallery: Gallery) -> None:
    """What can be undone."""
    rows = [
        [
            change.short_id,
            f"{change.at:%Y-%m-%d %H:%M}",
            change.action,
            ", ".join(change.names),
            str(change.samples or ""),
            f"{change.expires:%Y-%m-%d %H:%M}",
        ]
        for change in gallery.corrections.changes()
    ]
    _table("What can be undone", ["change", "when", "what", "persons before", "samples", "until"], rows)


def show_stats(gallery: Gallery, last: int) -> None:
    """Size, model, and the last events."""
    size = gallery.size()
    print(f"{gallery.place}: {size.persons} persons, {size.samples} samples of {gallery.model.dim} numbers")
    print(f"model {gallery.model.fingerprint}")
    rows = [
        [f"{event.at:%Y-%m-%d %H:%M:%S}", event.actor, event.action, str(event.person or ""), str(event.samples)]
        for event in gallery.events(last)
    ]
    _table("Last events", ["when", "who", "what", "person", "samples"], rows)


def _sample(sample: StoredSample) -> list[str]:
    score = "" if sample.score is None else f"{sample.score:.2f}"
    return [sample.source, sample.crop[:12], _box(sample.box), score, f"{sample.created:%Y-%m-%d %H:%M}"]


def show_checkup(
    gallery: Gallery, contents: Contents, checkup: Checkup, findings: Sequence[CheckupFinding]
) -> None:
    """How often the gallery will be wrong, then the first findings of each kind."""
    console = _console()
    print(f"{gallery.place}: {len(contents.ids)} persons, {len(contents.crops)} samples")
    for line in say_rates(checkup):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for kind, heading in KINDS.items():
        of_kind = [finding for finding in findings if finding.kind == kind]
        if of_kind:
            rows = [[finding.sentence, finding.todo.replace("`", "")] for finding in of_kind[:_SHOWN]]
            count = f"{len(of_kind)}, of which the first {_SHOWN}" if len(of_kind) > _SHOWN else f"{len(of_kind)}"
            _table(f"{heading[0].upper()}{heading[1:]}: {count}", ["found", "what to do"], rows)
    if not findings:
        print("nothing doubtful was found")


def _box(box: tuple[float, float, float, float] | None) -> str:
    return " ".join(f"{edge:.0f}" for edge in box) if box else ""


def _table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    from rich.table import Table

    table = Table(*columns, title=_literal(title), title_justify="left")
    for row in rows:
        table.add_row(*map(_literal, row))
    _console().print(table)


def _console() -> "Console":
    from rich.console import Console

    return Console(width=120)


def _literal(text: str) -> "Text":
    """Text that rich shows as it is, without markup; a note may have several lines."""
    from rich.text import Text

    return Text("\n".join(printable(line) for line in text.splitlines()))
