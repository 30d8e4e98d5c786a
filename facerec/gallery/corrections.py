"""Put mistakes in a gallery right, in a way that can be undone for some days."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection

from facerec.errors import GalleryError, TakenError, UndoError, UnknownSampleError
from facerec.gallery import denials, people, undo
from facerec.gallery.audit import record_event
from facerec.gallery.database import Database
from facerec.gallery.names import clean_name
from facerec.gallery.records import Change, Corrected, Deleted, Sample, StoredSample
from facerec.gallery.samples import Key, delete_samples, find_sample, find_samples, move_samples

Who = str | UUID
Made = tuple[UUID, UUID | None]  # the person whom a change concerns, and its id, unless it can't be undone


class Corrections:
    """The corrections of a gallery. Each is one transaction, and is kept in the audit.

    `who` is a person's name, id, or the first 8 characters of the id or more. A sample is called by the first
    4 characters or more of its crop's SHA-256 in hex.

    Args:
        database: of the gallery.
        undo_days: for which a correction can be undone; 0: not at all.
        changed: is called after each.

    Attributes:
        undo_days: as given.
    """

    def __init__(self, database: Database, undo_days: float, changed: Callable[[], None]) -> None:
        if undo_days < 0:
            raise GalleryError(f"gallery.undo_days: must be 0 or more, not {undo_days}")
        self.undo_days = undo_days
        self._database, self._changed = database, changed

    def rename(self, who: Who, to: str, *, note: str | None = None) -> Corrected:
        """Rename a person, whatever others are called; `note` replaces theirs unless it is None.

        Raises:
            GalleryError: nobody or several persons have that name, or the new one is not valid.
        """
        to = clean_name(to)

        def change(connection: Connection[Any]) -> Made:
            person = people.lock_person(connection, who)
            kept = undo.keep(connection, self.undo_days, "rename", [person])
            people.rename_person(connection, person, to, note)
            record_event(connection, "rename", person)
            return person, kept

        return self._run(change)

    def merge(self, who: Who, into: Who) -> Corrected:
        """Move all samples of `who` to `into`, and delete `who`.

        Raises:
            GalleryError: nobody or several persons have one of the names, or both are the same person.
        """

        def change(connection: Connection[Any]) -> Made:
            person, other = people.lock_persons(connection, [who, into])
            if person == other:
                raise GalleryError(f"{who}: can't be merged with themselves")
            statement = "SELECT crop FROM {} WHERE person_id = %s"
            crops = [
                row[0]
                for table in ("sample", "denial")
                for row in connection.execute(statement.format(table).encode(), [person])
            ]
            kept = undo.keep(connection, self.undo_days, "merge", [person, other], crops)
            moved = people.merge_persons(connection, person, other)
            record_event(connection, "merge", other, moved)
            return other, kept

        return self._run(change)

    def move(self, samples: Sequence[str], to: Who, *, new: bool = False) -> Corrected:
        """Move samples to another person, who is created if nobody has that name.

        Args:
            samples: of any persons, who stay, if need be without samples.
            to: whom they are of.
            new: create a person even if somebody has that name.

        Raises:
            GalleryError: there is no such sample, or several persons have the name.
        """
        to, new_id = to if isinstance(to, UUID) else clean_name(to), uuid4()

        def change(connection: Connection[Any]) -> Made:
            keys = self._lock_samples(connection, samples)
            person = people.person_to_enroll(connection, to, new_id, new=new)
            crops = [crop for _, crop in keys]
            created = new_id if person == new_id else None
            kept = undo.keep(
                connection, self.undo_days, "move", [*{owner for owner, _ in keys}, person], crops, created
            )
            move_samples(connection, keys, person)
            for crop in crops:
                denials.delete_denial(connection, person, crop)
            record_event(connection, "move", person, len(keys))
            return person, kept

        return self._run(change)

    def delete(self, samples: Sequence[str]) -> Deleted:
        """Delete samples; their persons stay, if need be without any.

        Raises:
            GalleryError: there is no such sample.
        """

        def change(connection: Connection[Any]) -> Deleted:
            keys = self._lock_samples(connection, samples)
            owners = list(dict.fromkeys(owner for owner, _ in keys))
            kept = undo.keep(connection, self.undo_days, "delete", owners, [crop for _, crop in keys])
            delete_samples(connection, keys)
            for owner in owners:
                record_event(connection, "delete", owner, sum(key[0] == owner for key in keys))
            return Deleted(len(keys), kept)

        deleted = self._database.run(change)
        self._changed()
        return deleted

    def deny(self, who: Who, face: Sample | str) -> Corrected:
        """Remember that a face is not this person: see `denials`.

        Args:
            who: whom it is not.
            face: a face; or a sample of this person, who loses it.

        Raises:
            GalleryError: nobody or several persons have that name, or they have no such sample.
        """

        def change(connection: Connection[Any]) -> Made:
            person = people.lock_person(connection, who)
            if isinstance(face, Sample):
                crop = face.digest()
            else:
                owner, crop = find_sample(connection, face)
                if owner != person:
                    raise UnknownSampleError(f"sample: {face} is a sample of somebody else than {who}")
            kept = undo.keep(connection, self.undo_days, "deny", [person], [crop])
            if isinstance(face, Sample):
                denials.add_denial(connection, person, face)
            move_samples(connection, [(person, crop)], person, into="denial")
            record_event(connection, "deny", person, 1)
            return person, kept

        return self._run(change)

    def allow(self, who: Who, sample: str) -> Corrected:
        """Forget that a face is not this person.

        Raises:
            GalleryError: nobody or several persons have that name, or no such face is denied of them.
        """

        def change(connection: Connection[Any]) -> Made:
            person = people.lock_person(connection, who)
            owner, crop = find_sample(connection, sample, table="denial")
            if owner != person:
                raise UnknownSampleError(f"sample: {sample} is denied of somebody else than {who}")
            kept = undo.keep(connection, self.undo_days, "allow", [person], [crop])
            denials.delete_denial(connection, person, crop)
            record_event(connection, "allow", person, 1)
            return person, kept

        return self._run(change)

    def denied(self, who: Who) -> list[StoredSample]:
        """The faces that are said not to be this person, oldest first.

        Raises:
            GalleryError: nobody or several persons have that name.
        """
        return self._database.run(
            lambda connection: denials.list_denials(connection, people.find_person(connection, who))
        )

    def ignore(self, who: Who, *, ignored: bool = True) -> Corrected:
        """Let searches recognise a person without giving the name, as for a passer-by; or end that.

        Raises:
            GalleryError: nobody or several persons have that name.
        """

        def change(connection: Connection[Any]) -> Made:
            person = people.lock_person(connection, who)
            action = "ignore" if ignored else "unignore"
            kept = undo.keep(connection, self.undo_days, action, [person])
            connection.execute("UPDATE person SET ignored = %s WHERE id = %s", [ignored, person])
            record_event(connection, action, person)
            return person, kept

        return self._run(change)

    def changes(self) -> list[Change]:
        """What can be undone, newest first."""
        return self._database.run(undo.list_changes)

    def undo(self, change: str | UUID | None = None) -> Change:
        """Undo a correction: the last one, or that with this id, or with an id that begins so.

        Raises:
            GalleryError: there is none, a later one touches the same persons, or a crop is enrolled anew.
        """
        beginning = str(change or "")
        matching = [entry for entry in self.changes() if str(entry.id).startswith(beginning)]
        if not matching or (change and len(matching) > 1):
            which = f"{len(matching)} changes have" if matching else "no change that can be undone has"
            raise UndoError(
                f"change: {which} an id like {beginning}; `facerec gallery changes` lists them"
                if change
                else "there is nothing to undo"
            )
        self._database.run(lambda connection: undo.undo(connection, matching[0]))
        self._changed()
        return matching[0]

    def _run(self, change: Callable[[Connection[Any]], Made]) -> Corrected:
        """Run a correction, and return the person whom it concerns."""
        person, kept = self._database.run(change)
        self._changed()
        return Corrected(self._database.run(lambda connection: people.read_person(connection, person))[0], kept)

    @staticmethod
    def _lock_samples(connection: Connection[Any], samples: Sequence[str]) -> list[Key]:
        keys = find_samples(connection, samples)
        people.lock_persons(connection, [owner for owner, _ in keys])
        if find_samples(connection, samples) != keys:
            raise TakenError("sample: has just been changed by somebody else; look at it again")
        return keys
