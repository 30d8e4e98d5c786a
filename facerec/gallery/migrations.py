"""Bring a database to this package's schema: the numbered SQL files in `sql/`, each once, in order."""

import logging
from importlib.resources import files
from typing import Any

from psycopg import Connection, sql

from facerec.errors import GalleryError
from facerec.gallery.binary_codes import BITS
from facerec.gallery.database import MAKING_LOCK, Database, no_gallery
from facerec.models.record import ModelRecord

log = logging.getLogger(__name__)


def migrate(database: Database, record: ModelRecord | None, *, make: bool) -> tuple[str, int]:
    """Apply what is missing, all or nothing; two processes at once wait for each other.

    Args:
        database: any, also an empty one.
        record: of the model; needed to make a new gallery, checked against an old one.
        make: the gallery if there is none.

    Returns:
        Fingerprint of the gallery's model, and length of its vectors.

    Raises:
        GalleryError: the gallery is of another model or of a newer facerec, or there is none and it is not to be
            made, or without a model.
    """

    def work(connection: Connection[Any]) -> tuple[str, int, bool]:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [MAKING_LOCK])
        if connection.execute("SELECT to_regclass('migration')").fetchone() == (None,):
            connection.execute("CREATE TABLE migration (number integer PRIMARY KEY, name text NOT NULL)")
        applied = {row[0] for row in connection.execute("SELECT number FROM migration")}
        found = connection.execute("SELECT model, dim FROM gallery").fetchone() if applied else None
        if found and record:
            _check_same(database.name, found[0], record)
        if not found and not (make and record):
            raise no_gallery(database.name)  # and the transaction's tables are gone
        model, dim = found or (record.fingerprint, record.dim)  # type: ignore[union-attr]
        ours = _files()
        if newer := applied - ours.keys():
            raise GalleryError(
                f"{database.name}: its schema {max(newer)} is newer than this facerec; update facerec"
            )
        for number in sorted(ours.keys() - applied):
            name, text = ours[number]
            connection.execute(sql.SQL(text).format(dim=sql.Literal(dim), bits=sql.Literal(BITS)))
            connection.execute("INSERT INTO migration VALUES (%s, %s)", [number, name])
        if not found:
            connection.execute("INSERT INTO gallery (model, dim) VALUES (%s, %s)", [model, dim])
        return model, dim, not found

    model, dim, made = database.run(work)
    if made:
        log.info("%s: made a new gallery, of model %s", database.name, model)
    return model, dim


def _check_same(place: str, found: str, record: ModelRecord) -> None:
    if found != record.fingerprint:
        raise GalleryError(
            f"{place}: holds vectors of model {found}, and yours is {record.fingerprint}; vectors of two models "
            "can't be compared: give the gallery's model, or enrol the photos in a new gallery"
        )


def _files() -> dict[int, tuple[str, str]]:
    """Number → name and text of each migration."""
    found = [file for file in (files("facerec.gallery") / "sql").iterdir() if file.name[:3].isdigit()]
    return {int(file.name[:3]): (file.name, file.read_text(encoding="utf-8")) for file in found}
