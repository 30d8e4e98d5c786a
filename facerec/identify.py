"""Identify the people in photos: `python -m facerec.identify photos=PHOTO|FOLDER model=MODEL`."""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import RefusedError
from facerec.job import run_job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.table import Table

    from facerec.gallery import Match
    from facerec.recognition import Named, PhotoFaces


def identify(cfg: DictConfig) -> None:
    """Print a line for each face on standard output, a table on standard error; draw and write XMP if asked to.

    The lines are always UTF-8; where a path is not, `photo_bytes` holds its exact bytes as base64.

    Raises:
        RefusedError: the XMP of some photos could not be written.
    """
    from rich.console import Console
    from rich.table import Table
    from tqdm import tqdm

    from facerec.crops import encode_png, list_photos
    from facerec.gallery import Gallery
    from facerec.gallery.names import printable
    from facerec.models import open_model
    from facerec.recognition import XmpWriter, draw, embed_files, identify_photo, line_writer
    from facerec.runtime.files import replace_file

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    write = line_writer(cfg.format, sys.stdout)
    xmp = XmpWriter(cfg.xmp)
    root = Path(cfg.photos).expanduser()
    files = list_photos(root)
    table = Table("photo", "face", "who", "similarity", "probability", title="Who is who", title_justify="left")
    model = open_model(cfg.model, cfg.device, cfg.cache_dir, offline=cfg.offline, accept_licence=cfg.accept_licence)
    with Gallery.open(cfg.gallery.url, model, make=False, read_url=cfg.gallery.read_url) as gallery:
        rule = {"far": cfg.far, "per": cfg.per, "threshold": cfg.threshold}
        shared = gallery.shared_names()
        photos = embed_files(files, instantiate(cfg.detector), model.embed, **cfg.faces)
        lines_show = sys.stdout.isatty()  # where the lines can be seen, no bar is needed
        for photo in tqdm(photos, "identifying", len(files), unit="photo", disable=lines_show or len(files) == 1):
            people = identify_photo(gallery, photo.vectors, top=cfg.top, **rule)
            _report(photo, people, shared, table, write)
            xmp.write(photo, [named.person and named.person.name for named in people])
            if cfg.draw and photo.faces:
                name = photo.file.relative_to(root) if root.is_dir() else photo.file.name
                file = Path(cfg.out) / f"{name}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                replace_file(file, encode_png(draw(photo.photo, photo.faces, people)))
    console = Console(stderr=True, width=110)
    console.print(table)
    if cfg.draw:
        console.print(f"photos with names: {cfg.out}", highlight=False, markup=False, soft_wrap=True)
    if cfg.xmp:
        for line in (f"XMP files written: {xmp.written}", *map(printable, xmp.problems)):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if xmp.problems:
        raise RefusedError(f"the XMP of {len(xmp.problems)} photos could not be written; the reasons are above")


def _report(
    photo: "PhotoFaces",
    people: list["Named"],
    shared: set[str],
    table: "Table",
    write: "Callable[[Mapping[str, Any]], None]",
) -> None:
    """Write the lines and rows of a photo; people of the names that several share are shown with their ids."""
    from rich.text import Text

    from facerec.gallery.names import path_fields, printable
    from facerec.gallery.records import SHORT_ID
    from facerec.recognition import answer_line

    def row(*cells: str) -> None:
        table.add_row(*(Text(printable(cell)) for cell in (photo.file.name, *cells)))

    def called(match: "Match") -> str:
        return f"{match.name} ({str(match.person)[:SHORT_ID]})" if match.name in shared else match.name

    path = path_fields(photo.file)
    if not photo.faces:
        write({**path, "faces": 0, "problem": printable(photo.problem) or None})
        row("", photo.problem or "no face found", "", "")
    for number, (face, named) in enumerate(zip(photo.faces, people, strict=True), 1):
        write({**path, "face": number, **answer_line(face, named)})
        shown = named.person or next(iter(named.answer.matches), None)
        who = called(named.person) if named.person else named.label
        if named.perhaps:
            who = f"unknown, perhaps {called(named.perhaps)}"
        if named.reason:
            who += f" ({named.reason})"
        elif shown and not named.person and not named.ignored:
            who += f" (nearest {called(shown)})"
        probability = "" if shown is None or shown.probability is None else f"{shown.probability:.3f}"
        row(str(number), who, f"{shown.similarity:.3f}" if shown else "", probability)


if __name__ == "__main__":
    run_job("identify", identify)
