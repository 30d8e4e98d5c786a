"""From the configuration's teacher to one that a training can ask."""

import logging
import os

from facerec.data import FaceData, FixedViews
from facerec.errors import ConfigError
from facerec.models import open_model
from facerec.models.torch_module import torch_module
from facerec.training.teacher import Teacher

log = logging.getLogger(__name__)

_CPU_VIEWS = 2  # a crop and its mirror image


def open_teacher(
    data: FaceData,
    dim: int,
    *,
    model: str,
    views: int | str = "auto",
    weight: float = 1.0,
    gpu: bool = False,
    offline: bool = False,
    accept_licence: bool = False,
) -> Teacher:
    """Open a model as teacher and let the data show what it is to see.

    Args:
        data: whose crops are shown; from now on in fixed views if it comes to that.
        dim: length of the student's vectors.
        model: what `open_model` opens.
        views: "online": the teacher sees each augmented batch; a number: of fixed views of each crop, whose vectors
            are found once; "auto": online on a GPU; on a CPU, where a teacher costs as much as its student, the
            crop and its mirror image.
        weight: of its loss beside that of the labels.
        gpu: whether the training is on one.
        offline: fetch nothing.
        accept_licence: of a ready-made model that is not for commercial use.

    Raises:
        ConfigError: `views` is none of these, or as `Teacher`.
        ModelError: the model can't be opened, or as `Teacher`.
    """
    if views == "auto":
        views = "online" if gpu else _CPU_VIEWS
    if views != "online":
        if not isinstance(views, int):
            raise ConfigError(f"teacher.views must be online, auto or a number, not {views!r}")
        data.views = FixedViews(data.augment, views, len(data.images.files))
    opened = open_model(model, "cpu", data.cache_dir, offline=offline, accept_licence=accept_licence)
    seen = f"{views} fixed views of each crop" if data.views else "each batch as it is augmented"
    log.info("teacher %s (licence: %s) sees %s", model, opened.origin.get("licence") or "not stated", seen)
    if data.views:
        log.info("teacher: training shows these views in place of a new augmentation of each batch")
    device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if gpu else "cpu"  # which Lightning sets for each process
    embedder = opened.embedder
    if gpu or not data.views:
        embedder = torch_module(opened, device).requires_grad_(False)
    return Teacher(opened, embedder, data, dim, weight=weight)
