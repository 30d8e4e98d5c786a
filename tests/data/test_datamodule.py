from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.demos import BoringModel
from torch import Tensor

from facerec.data import Augment, Batch, FaceData, FaceImages, celeba, channel_statistics
from facerec.errors import DataError


class _Sums(BoringModel):
    """Trains on the mean of each crop: any batch will do."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return torch.as_tensor(self.layer(batch.crops.flatten(1)[:, :32].float()).sum())


@pytest.fixture
def images(make_celeba: Callable[..., Path]) -> FaceImages:
    return celeba(str(make_celeba()), val_share=0.4)


def _data(images: FaceImages, cache: Path) -> FaceData:
    settings: dict[str, Any] = {"batch_size": 4, "num_workers": 0, "decode_workers": 0, "seed": 0}
    return FaceData(images, Augment(), cache_dir=str(cache), **settings)


def test_only_prepare_data_decodes(images: FaceImages, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    data = _data(images, cache)
    assert not cache.exists()
    data.prepare_data()
    assert sorted(file.suffix for file in cache.glob("crops-*")) == [".json", ".lock", ".npy"]
    assert data.statistics == channel_statistics(data.crops, images.rows("train"))


def test_a_second_call_reads_no_image(images: FaceImages, tmp_path: Path) -> None:
    data = _data(images, tmp_path / "cache")
    data.prepare_data()
    for file in images.files:
        file.unlink()
    data.prepare_data()
    data.setup("fit")
    assert len(next(iter(data.train_dataloader())).crops) == 4


def test_lightning_prepares_what_nobody_has(images: FaceImages, tmp_path: Path) -> None:
    data = _data(images, tmp_path / "cache")
    switches = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(max_steps=1, limit_val_batches=0, accelerator="cpu", **switches)  # type: ignore[arg-type]
    trainer.fit(_Sums(), data)
    other_process = _data(images, tmp_path / "cache")
    other_process.setup("fit")
    np.testing.assert_array_equal(other_process.crops, data.crops)
    assert other_process.statistics == data.statistics


def test_what_can_not_be_decoded_is_refused_by_prepare_data(images: FaceImages, tmp_path: Path) -> None:
    images.files[0].write_bytes(b"")
    with pytest.raises(DataError, match="1 files can not be decoded"):
        _data(images, tmp_path / "cache").prepare_data()
