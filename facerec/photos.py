"""List the indexed photos of a person: `python -m facerec.photos of=NAME model=MODEL`."""

import io
import json
import sys

from omegaconf import DictConfig

from facerec.job import run_job


def photos(cfg: DictConfig) -> None:
    """Print a JSON line for each face on standard output and a table on standard error, nearest first."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from facerec.gallery import Gallery
    from facerec.gallery.names import path_fields, printable
    from facerec.models import open_model

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    model = open_model(cfg.model, cfg.device, cfg.cache_dir, offline=cfg.offline, accept_licence=cfg.accept_licence)
    with Gallery.open(cfg.gallery.url, model, make=False) as gallery:
        shown = gallery.index.photos_of(str(cfg.of), far=cfg.far, per=cfg.per, threshold=cfg.threshold)
    table = Table("photo", "face", "box", "similarity", "probability", title=Text(f"Photos of {cfg.of}"))
    table.title_justify = "left"
    table.columns[0].overflow = "fold"
    for face, match in shown:
        box = [round(edge, 1) for edge in face.box]
        line = {**path_fields(face.photo), "face": face.number, "box": box}
        line |= {"similarity": round(match.similarity, 4), "probability": match.probability}
        print(json.dumps(line, ensure_ascii=False))
        probability = "" if match.probability is None else f"{match.probability:.3f}"
        where = " ".join(f"{edge:.0f}" for edge in box)
        table.add_row(Text(printable(face.photo)), str(face.number), where, f"{match.similarity:.3f}", probability)
    Console(stderr=True, width=110).print(table)


if __name__ == "__main__":
    run_job("photos", photos)
