"""Who is in a photo? `python -m facerec.identify photos=PHOTO|FOLDER model=MODEL`."""

import base64
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.job import run_job

if TYPE_CHECKING:
    from rich.table import Table

    from facerec.gallery import Answer
    from facerec.recognition.pipeline import Seen


def identify(cfg: DictConfig) -> None:
    """A JSON line a face on standard output, a table on standard error, and drawn photos if asked for.

    The lines are UTF-8 everywhere; of a path that isn't, `photo_bytes` holds the exact bytes as base64.
    """
    from rich.console import Console
    from rich.table import Table

    from facerec.gallery import Gallery
    from facerec.models import open_model
    from facerec.recognition.draw import draw
    from facerec.recognition.pipeline import list_files, look

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    root = Path(cfg.photos).expanduser()
    files = list_files(root)
    table = Table("photo", "face", "who", "similarity", "probability", title="Who is who", title_justify="left")
    model = open_model(cfg.model, cfg.device, cfg.cache_dir)
    with Gallery.open(cfg.gallery.url, model, make=False, read_url=cfg.gallery.read_url) as gallery:
        rule = {"far": cfg.far, "per": cfg.per, "threshold": cfg.threshold}
        for seen in look(files, instantiate(cfg.detector), model.embed, **cfg.faces):
            answers = gallery.identify(seen.vectors, top=cfg.top, **rule) if seen.faces else []
            _report(seen, answers, table)
            if cfg.draw and seen.faces:
                names = [answer.person.name if answer.person else None for answer in answers]
                place = seen.file.relative_to(root) if root.is_dir() else Path(seen.file.name)
                draw(seen.photo, seen.faces, names, Path(cfg.out) / f"{place}.png")
    Console(stderr=True, width=110).print(table)


def _report(seen: "Seen", answers: list["Answer"], table: "Table") -> None:
    from rich.text import Text

    from facerec.gallery.names import printable

    def row(*cells: str) -> None:
        table.add_row(*(Text(printable(cell)) for cell in (seen.file.name, *cells)))

    photo = _photo(seen.file)
    if not seen.faces:
        _say({**photo, "faces": 0, "problem": printable(seen.problem) or None})
        row("", seen.problem or "no face found", "", "")
    for number, (face, answer) in enumerate(zip(seen.faces, answers, strict=True), 1):
        nearest = answer.matches[0] if answer.matches else None
        _say({**photo, "face": number, **_line(face.box.tolist(), face.score, answer)})
        who = answer.person.name if answer.person else f"unknown (nearest {nearest.name})" if nearest else "unknown"
        probability = "" if nearest is None or nearest.probability is None else f"{nearest.probability:.3f}"
        row(str(number), who, f"{nearest.similarity:.3f}" if nearest else "", probability)


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


def _photo(file: Path) -> dict[str, str]:
    path = os.fsencode(file)
    try:
        return {"photo": path.decode()}
    except UnicodeDecodeError:
        return {"photo": path.decode(errors="replace"), "photo_bytes": base64.b64encode(path).decode()}


def _line(box: list[float], score: float, answer: "Answer") -> dict[str, Any]:
    return {
        "box": [round(edge, 1) for edge in box],
        "score": round(score, 4),
        "person": answer.person.name if answer.person else None,
        "threshold": round(answer.rule.threshold, 4),
        "search_far": answer.rule.search_far,
        "matches": [
            {"person": one.name, "similarity": round(one.similarity, 4), "probability": one.probability}
            for one in answer.matches
        ],
    }


if __name__ == "__main__":
    run_job("identify", identify)
