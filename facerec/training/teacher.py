"""A teacher: a model whose vectors a student learns, of exactly the crops that the student is shown."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor, nn

from facerec.crops.contract import IndexedCrops
from facerec.data import Batch, FaceData, ViewedCrops
from facerec.data.device_cache import SHARE
from facerec.data.fingerprint import listed
from facerec.errors import ConfigError, ModelError
from facerec.models import CropEmbedder, Model, embed_rows, embeddings_key
from facerec.models.sources import describe_source
from facerec.training.projection import principal_axes

log = logging.getLogger(__name__)

_BATCH = 256
_UNIT = 1e-3  # how far a length may be from 1


class Teacher:
    """Gives the vector that a student should give of each crop that it is shown.

    Where the data shows fixed views, the teacher's vectors of them are found once and kept in the data's cache.
    Else the teacher sees each augmented batch when the student does ("function matching", Beyer et al., arXiv
    2106.05237).

    Args:
        model: whose vectors they are.
        embedder: its network, on the device of the training; a torch module where views are not fixed.
        data: whose crops are shown.
        dim: length of the student's vectors. A teacher's that are longer are projected to their principal axes.
        weight: of the loss, beside that of the labels.

    Attributes:
        axes: `float32 [model.dim, dim]`, what its vectors are projected to; None: they are short enough.
        validation: its own vectors of the validation crops, unit `float32 [N, model.dim]`.

    Raises:
        ConfigError: the weight is not positive, the student's vectors are longer than the teacher's, or there are
            too few images to find principal axes.
        ModelError: the teacher gives vectors that are not finite or have no direction.
    """

    def __init__(self, model: Model, embedder: CropEmbedder, data: FaceData, dim: int, *, weight: float) -> None:
        if not weight > 0:
            raise ConfigError(f"teacher.weight must be above 0, not {weight}; teacher=null trains without")
        if dim > model.dim:
            raise ConfigError(
                f"backbone.embedding_dim: the student's vectors have {dim} numbers, and those of the teacher "
                f"{model.path} only {model.dim}; give {model.dim} or less"
            )
        self.model, self.weight, self.embedder, self._data = model, weight, embedder, data
        self.axes: NDArray[np.float32] | None = None
        if dim < model.dim:
            self.axes = principal_axes(self._embed(data.images.rows("train"), 0), dim)
        self.validation = self._embed(data.images.rows("val"), 0)
        self._vectors, self._places = self._targets_of_views()

    @property
    def record(self) -> dict[str, Any]:
        """What the contract of a student says of its teacher; plain values."""
        return {"embedding_dim": self.model.dim, **describe_source(self.model)}

    @property
    def settings(self) -> dict[str, Any]:
        """What a run that goes on must have in common with its beginning."""
        views = self._data.views.count if self._data.views else "online"
        return {"teacher": self.model.fingerprint, "teacher.views": views, "teacher.weight": self.weight}

    @property
    def negative(self) -> bool:
        """Whether a student's vectors need negative numbers to be like the teacher's."""
        return bool((self.projected(self.validation) < 0).any())

    def take_axes(self, axes: NDArray[np.float32]) -> None:
        """Go on with the axes that a training began with; those found on another machine may differ in sign."""
        if not np.array_equal(axes, self.axes):  # type: ignore[arg-type]  # None is unequal, too
            self.axes, device = axes, self._vectors.device
            self._vectors, self._places = (part.to(device) for part in self._targets_of_views())

    def __deepcopy__(self, memo: dict[int, Any]) -> "Teacher":
        """Itself: a copy of the learner, such as `EMA` averages, learns from the same teacher."""
        return self

    def to(self, device: torch.device) -> None:
        """Move the network to where batches are, and the vectors if a quarter of the free memory is enough."""
        if isinstance(self.embedder, nn.Module):
            self.embedder.to(device)
        size = self._vectors.nbytes + self._places.nbytes
        if device.type != "cuda" or size <= SHARE * torch.cuda.mem_get_info(device)[0]:
            self._vectors, self._places = self._vectors.to(device), self._places.to(device)

    def loss(self, features: Tensor, batch: Batch) -> Tensor:
        """1 - cosine between the student's features `[N, d]` of a batch and its targets, on average."""
        targets = self.targets(batch)
        with torch.autocast(features.device.type, enabled=False):
            return 1 - F.cosine_similarity(features.float(), targets).mean()

    def targets(self, batch: Batch) -> Tensor:
        """What the student should say of a batch of training or validation crops: unit `float32 [N, d]`."""
        if self._data.views:
            views = torch.zeros_like(batch.indices) if batch.views is None else batch.views
            near = self._vectors.device  # which the host's memory is only for very many images
            return self._vectors[views.to(near), self._places[batch.indices.to(near)]].to(batch.crops.device)
        assert isinstance(self.embedder, nn.Module)
        with torch.no_grad():
            return self._project(self.embedder(batch.crops).float())

    def projected(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Its own vectors `[N, D]` as a student's `[N, d]`, of unit length."""
        projected: NDArray[np.float32] = self._project(torch.from_numpy(vectors)).numpy()
        return projected

    def _targets_of_views(self) -> tuple[Tensor, Tensor]:
        """A target for each view of each crop, and where in there each row of the data set's table is."""
        if not self._data.views:
            return torch.empty(0), torch.empty(0)
        train, val = (self._data.images.rows(split) for split in ("train", "val"))
        places = torch.full((len(self._data.images.files),), -1)
        places[torch.from_numpy(np.concatenate([train, val]))] = torch.arange(len(train) + len(val))
        dim = self.model.dim if self.axes is None else self.axes.shape[1]
        targets = torch.full((self._data.views.count, len(train) + len(val), dim), torch.nan)
        for view in range(len(targets)):
            targets[view, : len(train)] = torch.from_numpy(self.projected(self._embed(train, view)))
        targets[0, len(train) :] = torch.from_numpy(self.projected(self.validation))
        return targets, places

    def _project(self, vectors: Tensor) -> Tensor:
        if self.axes is None:
            return vectors
        return F.normalize(vectors @ torch.from_numpy(self.axes).to(vectors.device))

    def _embed(self, rows: NDArray[np.int64], view: int) -> NDArray[np.float32]:
        crops, cache, views = self._data.crops, self._data.cache_dir, self._data.views
        name = Path(str(crops.filename)).name
        shown: IndexedCrops = crops
        if view:
            assert views
            name, shown = f"{name} {views.key(view)}", ViewedCrops(crops, views, view)
        key = embeddings_key(self.model.fingerprint, name, rows)
        with FileLock(cache / f"embeddings-{key}.lock"):  # another process waits here, then reads them
            vectors = embed_rows(self.embedder, shown, rows, cache=cache, key=key, batch_size=_BATCH)
        bad = ~np.isfinite(vectors).all(axis=1) | (np.abs(np.linalg.norm(vectors, axis=1) - 1) > _UNIT)
        if bad.any():
            files = [self._data.images.files[row] for row in rows[bad]]
            what = "images of which it gives vectors with NaN or without a direction"
            raise ModelError(f"teacher {self.model.path}: {listed(files, what)}\nChoose another teacher")
        return vectors
