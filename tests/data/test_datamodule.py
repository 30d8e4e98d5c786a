from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.demos import BoringModel
from torch import Tensor

from facerec.data import Augment, Batch, CropDataset, FaceData, FaceImages, celeba, channel_statistics
from facerec.data.device_cache import DeviceCrops, wants_device_cache
from facerec.errors import ConfigError, DataError

SWITCHES: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}


class _Sums(BoringModel):
    """Trains on the mean of each crop: any batch will do."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return torch.as_tensor(self.layer(batch.crops.flatten(1)[:, :32].float()).sum())


class _Kept(_Sums):
    """Remembers its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Batch] = []

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.kept.append(batch)
        return super().training_step(batch, batch_idx)


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
    trainer = Trainer(max_steps=1, limit_val_batches=0, accelerator="cpu", **SWITCHES)
    trainer.fit(_Sums(), data)
    other_process = _data(images, tmp_path / "cache")
    other_process.setup("fit")
    np.testing.assert_array_equal(other_process.crops, data.crops)
    assert other_process.statistics == data.statistics


def test_what_can_not_be_decoded_is_refused_by_prepare_data(images: FaceImages, tmp_path: Path) -> None:
    images.files[0].write_bytes(b"")
    with pytest.raises(DataError, match="1 files can not be decoded"):
        _data(images, tmp_path / "cache").prepare_data()


def test_crops_on_the_device_make_the_same_batches(images: FaceImages, tmp_path: Path) -> None:
    def batches(where: bool) -> tuple[type, list[Batch]]:
        settings: dict[str, Any] = {"batch_size": 4, "num_workers": 0, "decode_workers": 0, "seed": 3}
        data = FaceData(images, Augment(), cache_dir=str(tmp_path / "cache"), device_cache=where, **settings)
        trainer = Trainer(max_epochs=2, limit_val_batches=0, accelerator="cpu", **SWITCHES)
        model = _Kept()
        trainer.fit(model, data)
        assert trainer.train_dataloader is not None
        return type(trainer.train_dataloader.dataset), model.kept

    (there, first), (here, second) = batches(True), batches(False)
    assert (there, here) == (DeviceCrops, CropDataset)
    assert len(first) == len(second) > 2
    for one, other in zip(first, second, strict=True):
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(one[:3], other[:3], strict=True))


def test_the_device_cache_is_asked_for_or_fits() -> None:
    cpu = torch.device("cpu")
    assert not wants_device_cache("auto", 10, 10, cpu)
    assert wants_device_cache(True, 10, 10, cpu)
    with pytest.raises(ConfigError, match=r"data\.device_cache must be true, false or auto, not 'yes'"):
        wants_device_cache("yes", 10, 10, cpu)
    if torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        cuda = torch.device("cuda")
        assert wants_device_cache("auto", 1, free // 8, cuda)
        assert not wants_device_cache("auto", 1, free // 2, cuda)
