"""Look for faults in the labels of a data set: `python -m facerec.doctor dataset=folder dataset.root=FACES`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import ConfigError, DataError
from facerec.job import run_job

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facerec.data import FaceImages
    from facerec.data.live_crops import DatasetCrops
    from facerec.models import Model

log = logging.getLogger(__name__)


def diagnose(cfg: DictConfig) -> None:
    """Embed the data set, examine it, and write the contact sheet and the list of corrections."""
    from facerec.doctor import People, corrections_list, examine
    from facerec.models import open_model
    from facerec.report.doctor import Sheet, show_examination, write_sheet
    from facerec.runtime.files import replace_file
    from facerec.study.members import check_named

    if not cfg.expected > 0:
        raise ConfigError(f"expected: must be more than 0, not {cfg.expected}")
    out = Path(HydraConfig.get().runtime.output_dir)
    images = instantiate(cfg.dataset, _convert_="all", _recursive_=False)
    check_named(images)
    others = _read_folder(cfg.against) if cfg.against else None
    model = open_model(cfg.model, cfg.device, offline=cfg.offline, accept_licence=cfg.accept_licence)
    given = [_embed(cfg, model, table) for table in (images, others) if table]
    if cfg.shard:
        log.info("shard %s of the embeddings is written; after the last one the same without shard", cfg.shard)
        return
    people = People(given[0][0], images.identities, images.splits)
    against = People(given[1][0], _folders(others), others.splits) if others else None
    examination = examine(people, given[0][1], model.embed, expected=cfg.expected, against=against)
    sheets = [Sheet.of(table, crops) for table, (_, crops) in zip((images, others), given, strict=False) if table]
    write_sheet(out / "doctor.html", examination, str(model.path), *sheets)
    listed = corrections_list(images.name, examination.findings, sheets[0].images)
    replace_file(out / "fixes.yaml", listed.encode(errors="backslashreplace"))
    show_examination(examination, images.name, out)


def _read_folder(path: str) -> "FaceImages":
    from facerec.data import folder

    try:
        return folder(path, labels=False)
    except DataError as error:
        raise DataError(f"against: {str(error).removeprefix('dataset.root: ')}") from error


def _folders(images: "FaceImages") -> "NDArray[np.str_]":
    """The people of a data set that is read without names, as no split is wanted of it: their folders."""
    import numpy as np

    return np.array([file.parent.name for file in images.files])


def _embed(cfg: DictConfig, model: "Model", images: "FaceImages") -> "tuple[NDArray[np.float32], DatasetCrops]":
    """Vectors and crops of all images."""
    from facerec.data import dataset_crops
    from facerec.evaluation import embed_all
    from facerec.runtime.work_shard import WHOLE, Shard

    cache = Path(cfg.data.cache_dir)
    crops = dataset_crops(images, cache, cfg.data.decode_workers, cache=cfg.data.cache)
    shard = Shard.parse(cfg.shard) if cfg.shard else WHOLE
    return embed_all(model, images, crops, cache=cache, batch_size=cfg.data.batch_size, shard=shard), crops


if __name__ == "__main__":
    run_job("doctor", diagnose)
