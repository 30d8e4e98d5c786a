"""Bring a database to this package's schema: the numbered SQL files in `sql/`, in order, each once."""

import logging
from importlib.resources import files
from typing import Any

from psycopg import Connection, sql

from facerec.errors import GalleryError
from facerec.gallery.binary_codes import BITS
from facerec.gallery.database import MAKING_LOCK, Database, no_gallery
from facerec.gallery.people import clean_names
from facerec.models.catalogue import name_of
from facerec.models.record import ModelRecord

log = logging.getLogger(__name__)

_CLEAN_NAMES = 3  # the migration that ends the time when names were stored as they were typed


def migrate(database: Database, record: ModelRecord | None, *, make: bool) -> tuple[str, int]:
    """Apply the missing migrations, all or none; of two processes one waits.

    Args:
        database: any, also an empty one.
        record: of the model; needed for a new gallery, compared with that of an existing one.
        make: a new gallery if there is none.

    Returns:
        The fingerprint of the gallery's model, and the length of its vectors.

    Raises:
        GalleryError: the gallery is of another model or of a newer facerec; or there is none and `make` is false
            or `record` None.
    """

    def apply(connection: Connection[Any]) -> tuple[str, int, bool]:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [MAKING_LOCK])
        if connection.execute("SELECT to_regclass('migration')").fetchone() == (None,):
            connection.execute("CREATE TABLE migration (number integer PRIMARY KEY, name text NOT NULL)")
        applied = {row[0] for row in connection.execute("SELECT number FROM migration")}
        row = connection.execute("SELECT model, dim FROM gallery").fetchone() if applied else None
        if row and record:
            _check_same(database.name, row[0], record)
        if not row and not (make and record):
            raise no_gallery(database.name)  # which rolls the table back
        model, dim = row or (record.fingerprint, record.dim)  # type: ignore[union-attr]
        migrations = _files()
        if newer := applied - migrations.keys():
            raise GalleryError(
                f"{database.name}: its schema {max(newer)} is newer than this facerec; update facerec"
            )
        for number in sorted(migrations.keys() - applied):
            name, text = migrations[number]
            connection.execute(sql.SQL(text).format(dim=sql.Literal(dim), bits=sql.Literal(BITS)))
            connection.execute("INSERT INTO migration VALUES (%s, %s)", [number, name])
        if _CLEAN_NAMES not in applied:
            clean_names(connection)
        if not row:
            connection.execute("INSERT INTO gallery (model, dim) VALUES (%s, %s)", [model, dim])
        return model, dim, not row

    model, dim, is_new = database.run(apply)
    if is_new:
        log.info("%s: made a new gallery, of model %s", database.name, _called(model))
    return model, dim


def newest() -> int:
    """The number of the last migration that this package knows."""
    return max(_files())


def _check_same(place: str, fingerprint: str, record: ModelRecord) -> None:
    if fingerprint != record.fingerprint:
        raise GalleryError(
            f"{place}: the gallery is of model {_called(fingerprint)}, but yours is {_called(record.fingerprint)}; "
            "vectors of two models can't be compared: give the gallery's model, enrol the photos in a new gallery "
            "(gallery.url=…) or, if this one kept its crops, move it to your model: facerec gallery rebuild model=…"
        )


def _called(fingerprint: str) -> str:
    """A ready-made model's name, and what tells any two apart."""
    name = name_of(fingerprint)
    return f"{name} ({fingerprint[:12]})" if name else fingerprint


def _files() -> dict[int, tuple[str, str]]:
    """Number → name and text of each migration."""
    migrations = [file for file in (files("facerec.gallery") / "sql").iterdir() if file.name[:3].isdigit()]
    return {int(file.name[:3]): (file.name, file.read_text(encoding="utf-8")) for file in migrations}
