"""The actions of the gallery job that need nothing but the gallery: do it, and print what was done."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from facerec.gallery.gallery import Gallery
from facerec.gallery.records import SHORT_ID, Person
from facerec.gallery.tables import show_changes, show_person, show_persons, show_stats

if TYPE_CHECKING:
    from omegaconf import DictConfig

SECRET = "whoever has the file can recognise these persons"
_LOG_KEPT = "the server keeps old write-ahead logs until it overwrites them, unless it has wal_recycle = off"


def called(person: Person) -> str:
    """A person's name and short id, to show."""
    return f"{person.name} ({person.short_id})"


def count(number: int, what: str) -> str:
    """A number of things in words: "1 sample", "2 samples"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def how_to_undo(change: UUID | None) -> str:
    """The command that takes a correction back."""
    if change is None:
        return "gallery.undo_days=0, so it can't be undone"
    return f"`facerec gallery undo change={str(change)[:SHORT_ID]}` takes it back"


def _list(gallery: Gallery, cfg: "DictConfig") -> None:
    show_persons(gallery)


def _show(gallery: Gallery, cfg: "DictConfig") -> None:
    show_person(gallery, cfg.name)


def _stats(gallery: Gallery, cfg: "DictConfig") -> None:
    show_stats(gallery, cfg.last)


def _changes(gallery: Gallery, cfg: "DictConfig") -> None:
    show_changes(gallery)


def _rename(gallery: Gallery, cfg: "DictConfig") -> None:
    name = cfg.to or gallery.show(cfg.name)[0].name
    person, change = gallery.corrections.rename(cfg.name, name, note=cfg.note)
    show_person(gallery, str(person.id))
    print(how_to_undo(change))
    if others := [other for other in gallery.persons() if other.name == person.name and other.id != person.id]:
        print(f"there are others of that name, so commands need an id: {', '.join(map(called, others))}")


def _merge(gallery: Gallery, cfg: "DictConfig") -> None:
    person, change = gallery.corrections.merge(cfg.name, cfg.to)
    now = f"{called(person)}, who now has {count(person.samples, 'sample')}"
    print(f"{cfg.name} was merged into {now}; {how_to_undo(change)}")


def _move(gallery: Gallery, cfg: "DictConfig") -> None:
    person, change = gallery.corrections.move(_samples(cfg), cfg.to, new=cfg.new)
    now = f"{called(person)}, who now has {count(person.samples, 'sample')}"
    print(f"moved to {now}; {how_to_undo(change)}")


def _delete(gallery: Gallery, cfg: "DictConfig") -> None:
    samples, change = gallery.corrections.delete(_samples(cfg))
    print(f"deleted {count(samples, 'sample')}; {how_to_undo(change)}")


def _allow(gallery: Gallery, cfg: "DictConfig") -> None:
    person, change = gallery.corrections.allow(cfg.name, cfg.sample)
    print(f"forgot that this face is not {called(person)}; {how_to_undo(change)}")


def _ignore(gallery: Gallery, cfg: "DictConfig") -> None:
    person, change = gallery.corrections.ignore(cfg.name, ignored=cfg.action == "ignore")
    now = f"{called(person)} is {'recognised without the name' if person.ignored else 'named'} from now on"
    print(f"{now}; {how_to_undo(change)}")


def _undo(gallery: Gallery, cfg: "DictConfig") -> None:
    change = gallery.corrections.undo(cfg.change)
    print(f"undone: {change.action} of {', '.join(change.names)}, {change.at:%Y-%m-%d %H:%M}")


def _erase(gallery: Gallery, cfg: "DictConfig") -> None:
    erasure = gallery.erase(cfg.name)
    print(f"{cfg.name} was erased, with {count(erasure.samples, 'sample')}; tables and indexes were rewritten")
    print("the old write-ahead log was deleted" if erasure.log_deleted else _LOG_KEPT)


def _export(gallery: Gallery, cfg: "DictConfig") -> None:
    print(f"exported {count(gallery.export(cfg.file), 'sample')} to {cfg.file}; {SECRET}")


def _import(gallery: Gallery, cfg: "DictConfig") -> None:
    print(f"imported {count(gallery.load(Path(cfg.file)), 'new sample')}")


def _samples(cfg: "DictConfig") -> list[str]:
    return [part.strip() for part in str(cfg.sample).split(",")]


Action = tuple[list[str], Callable[[Gallery, "DictConfig"], None]]  # the keys it needs, and what it does
ACTIONS: dict[str, Action] = {
    "list": ([], _list),
    "show": (["name"], _show),
    "rename": (["name"], _rename),
    "merge": (["name", "to"], _merge),
    "move": (["sample", "to"], _move),
    "delete": (["sample"], _delete),
    "allow": (["name", "sample"], _allow),
    "ignore": (["name"], _ignore),
    "unignore": (["name"], _ignore),
    "changes": ([], _changes),
    "undo": ([], _undo),
    "erase": (["name"], _erase),
    "export": (["file"], _export),
    "import": (["file"], _import),
    "stats": ([], _stats),
}
