"""Crop the faces in photos: `python -m facerec.prepare photos=FOLDER out=FOLDER`."""

import json
import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from facerec.errors import ConfigError
from facerec.job import going_on, run_job
from facerec.runtime.files import replace_file, replace_json
from facerec.study.freshness import own_names

if TYPE_CHECKING:
    from facerec.preparation import Journal, Row

log = logging.getLogger(__name__)

_SHEET, _COLUMNS = 144, 12  # crops on the contact sheet, at most, and in a row


def prepare(cfg: DictConfig) -> None:
    """Write the crops of the shard's remaining photos, then the manifest, a contact sheet and a summary."""
    from tqdm import tqdm

    from facerec.preparation import Journal, Preparation, list_sources, write_manifest

    root, out = Path(cfg.photos).expanduser().resolve(), Path(cfg.out)
    sources = list_sources(root, cfg.shard)
    preparation = Preparation(root, out / "crops", instantiate(cfg.detector), dict(cfg.faces), **cfg.data)
    settings = _settings(cfg, root)
    _same_settings(out / "settings.json", settings)
    shard = cfg.shard.replace("/", "-of-")
    with Journal(out / "journal" / f"{shard}.jsonl") as journal, going_on(lambda: _how_to_go_on(journal, sources)):
        remaining = [source for source in sources if source not in journal.rows]
        with tqdm(total=len(sources), initial=len(sources) - len(remaining), desc="photos", unit="photo") as bar:
            for entries in preparation.run(remaining):
                journal.write(entries)
                bar.update(len(entries))
        rows = [row for source in sources for row in journal.rows[source]]
    write_manifest(out / "manifest" / f"{shard}.parquet", rows, {"settings": json.dumps(settings)})
    crops = [out / "crops" / row["crop"] for row in rows if row["crop"]]
    _contact_sheet(crops, out / f"contact-sheet-{shard}.png")
    _summarise(rows, out)


def _how_to_go_on(journal: "Journal", sources: list[str]) -> str:
    return f"{len(journal.rows)} of {len(sources)} photos are done; the same command goes on with the rest"


def _settings(cfg: DictConfig, root: Path) -> dict[str, Any]:
    """The settings that determine the crops; written beside them."""
    from dataclasses import asdict

    from facerec.crops import ALIGNER_VERSION
    from facerec.crops.contract import CropContract

    deciding = {key: OmegaConf.to_container(cfg[key], resolve=True) for key in ("detector", "faces")}
    return {
        "photos": str(root),
        "shards": int(cfg.shard.partition("/")[2]),
        **deciding,
        "crop": asdict(CropContract()),
        "aligner": ALIGNER_VERSION,
    }


def _same_settings(file: Path, settings: dict[str, Any]) -> None:
    """Write the settings, or refuse a folder whose crops were made with others."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):  # two shards may start at once
        try:
            before = json.loads(file.read_text())
        except (FileNotFoundError, ValueError):  # half a file is from a kill before there was a crop
            before = settings
            replace_json(file, settings)
    if "finder" in before:  # as it was called before
        options = before.pop("finder")
        before["detector"] = {"network" if key == "detector" else key: value for key, value in options.items()}
    before, now = own_names(before), own_names(settings)
    if changed := [key for key in now if before.get(key) != now[key]]:
        raise ConfigError(
            f"out: {file.parent} holds crops made with other {', '.join(changed)} (see {file.name}); choose "
            "another folder, or the same settings to go on"
        )


def _contact_sheet(crops: list[Path], file: Path) -> None:
    """Up to 144 of the crops, evenly spaced, in one picture."""
    import numpy as np

    from facerec.crops import encode_png, read_photo

    picked = crops[:: -(-len(crops) // _SHEET)] if crops else []
    if picked:
        empty = -len(picked) % _COLUMNS
        tiles = np.pad([read_photo(crop) for crop in picked], ((0, empty), (1, 1), (1, 1), (0, 0)))
        rows = [np.concatenate(row, axis=1) for row in np.split(tiles, len(tiles) // _COLUMNS)]
        replace_file(file, encode_png(np.concatenate(rows)))


def _summarise(rows: Iterable["Row"], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    rows = list(rows)
    kept = Counter(row["source"] for row in rows if row["crop"])
    table = Table("", "count", title_justify="left")
    table.add_row("photos", str(len({row["source"] for row in rows})))
    table.add_row("faces found", str(sum(row["box"] is not None for row in rows)))
    table.add_row("crops", str(kept.total()))
    for reason, count in Counter(row["reason"].partition(":")[0] for row in rows if row["reason"]).most_common():
        table.add_row(f"refused: {reason}", str(count))
    Console(width=100, markup=False, emoji=False).print(table)
    log.info("crops: %s, manifest: %s", out / "crops", out / "manifest")
    for row in [row for row in rows if row["reason"] and row["reason"].startswith("unreadable")][:20]:
        log.warning("%s: %s", row["source"], row["reason"])
    if several := sum(count > 1 for count in kept.values()):
        log.info("%d photos gave several crops of one person's folder; faces.which=largest keeps one", several)


if __name__ == "__main__":
    run_job("prepare", prepare)
