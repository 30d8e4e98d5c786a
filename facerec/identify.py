"""Identify the people in photos: `python -m facerec.identify photos=PHOTO|FOLDER model=MODEL`."""

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.job import run_job

if TYPE_CHECKING:
    from rich.table import Table

    from facerec.gallery import Answer
    from facerec.recognition import PhotoFaces


def identify(cfg: DictConfig) -> None:
    """Print a JSON line for each face on standard output and a table on standard error; draw photos if asked to.

    The lines are always UTF-8; where a path is not, `photo_bytes` holds its exact bytes as base64.
    """
    from rich.console import Console
    from rich.table import Table
    from tqdm import tqdm

    from facerec.crops import encode_png, list_photos
    from facerec.gallery import Gallery
    from facerec.models import open_model
    from facerec.recognition import draw, embed_files
    from facerec.runtime.files import replace_file

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    root = Path(cfg.photos).expanduser()
    files = list_photos(root)
    table = Table("photo", "face", "who", "similarity", "probability", title="Who is who", title_justify="left")
    model = open_model(cfg.model, cfg.device, cfg.cache_dir, offline=cfg.offline, accept_licence=cfg.accept_licence)
    with Gallery.open(cfg.gallery.url, model, make=False, read_url=cfg.gallery.read_url) as gallery:
        rule = {"far": cfg.far, "per": cfg.per, "threshold": cfg.threshold}
        photos = embed_files(files, instantiate(cfg.detector), model.embed, **cfg.faces)
        lines_show = sys.stdout.isatty()  # where the lines can be seen, no bar is needed
        for photo in tqdm(photos, "identifying", len(files), unit="photo", disable=lines_show or len(files) == 1):
            answers = gallery.identify(photo.vectors, top=cfg.top, **rule) if photo.faces else []
            _report(photo, answers, table)
            if cfg.draw and photo.faces:
                names = [answer.person.name if answer.person else None for answer in answers]
                name = photo.file.relative_to(root) if root.is_dir() else photo.file.name
                file = Path(cfg.out) / f"{name}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                replace_file(file, encode_png(draw(photo.photo, photo.faces, names)))
    console = Console(stderr=True, width=110)
    console.print(table)
    if cfg.draw:
        console.print(f"photos with names: {cfg.out}", highlight=False, markup=False, soft_wrap=True)


def _report(photo: "PhotoFaces", answers: list["Answer"], table: "Table") -> None:
    from rich.text import Text

    from facerec.gallery.names import path_fields, printable

    def row(*cells: str) -> None:
        table.add_row(*(Text(printable(cell)) for cell in (photo.file.name, *cells)))

    path = path_fields(photo.file)
    if not photo.faces:
        _print_json({**path, "faces": 0, "problem": printable(photo.problem) or None})
        row("", photo.problem or "no face found", "", "")
    for number, (face, answer) in enumerate(zip(photo.faces, answers, strict=True), 1):
        nearest = answer.matches[0] if answer.matches else None
        _print_json({**path, "face": number, **_line(face.box.tolist(), face.score, answer)})
        who = answer.person.name if answer.person else f"unknown (nearest {nearest.name})" if nearest else "unknown"
        probability = "" if nearest is None or nearest.probability is None else f"{nearest.probability:.3f}"
        row(str(number), who, f"{nearest.similarity:.3f}" if nearest else "", probability)


def _print_json(line: dict[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


def _line(box: list[float], score: float, answer: "Answer") -> dict[str, Any]:
    return {
        "box": [round(edge, 1) for edge in box],
        "score": round(score, 4),
        "person": answer.person.name if answer.person else None,
        "threshold": round(answer.rule.threshold, 4),
        "search_far": answer.rule.search_far,
        "matches": [
            {"person": match.name, "similarity": round(match.similarity, 4), "probability": match.probability}
            for match in answer.matches
        ],
    }


if __name__ == "__main__":
    run_job("identify", identify)
