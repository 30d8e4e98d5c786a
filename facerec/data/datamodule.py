"""Batches of crops for training, validation and test."""

import logging
from functools import cached_property
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler, Subset

from facerec.crops.contract import CROP_BYTES, IndexedCrops
from facerec.data.ahead import AheadLoader
from facerec.data.augment import Augment
from facerec.data.batch import Batch
from facerec.data.cache import as_is, dataset_crops, start_method
from facerec.data.device_cache import DeviceCrops, wants_device_cache
from facerec.data.images import SPLITS, FaceImages
from facerec.data.live_crops import DatasetCrops
from facerec.data.statistics import ChannelStatistics, cached_channel_statistics
from facerec.data.views import FixedViews
from facerec.errors import ConfigError

log = logging.getLogger(__name__)

_SAMPLE = 100_000  # images for the channel statistics, where each of them has to be decoded


class CropDataset(Dataset[Batch]):
    """Map-style view of some rows of the crop cache, read a batch at a time."""

    def __init__(self, crops: IndexedCrops, labels: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        self.crops, self.labels, self.rows = crops, labels, rows

    def __len__(self) -> int:
        """Count the images."""
        return len(self.rows)

    def __getitem__(self, index: int) -> Batch:
        """One image: `uint8 [3, 112, 112]`, its label and row."""
        batch = self.__getitems__([index])
        return Batch(batch.crops[0], batch.labels[0], batch.indices[0])

    def __getitems__(self, indices: list[int]) -> Batch:
        """Read many images at once; this is what a DataLoader calls."""
        rows = self.rows[indices]
        return Batch(
            torch.from_numpy(self.crops[rows]), torch.from_numpy(self.labels[rows]), torch.from_numpy(rows)
        )


class FaceData(pl.LightningDataModule):
    """The loaders of one data set. `prepare_data` decodes its images, once; the constructor opens no file.

    Args:
        images: the data set.
        augment: what is done to training batches, on their device.
        batch_size: images a step and process.
        num_workers: processes that read batches; the crop cache is fast enough for 0.
        decode_workers: processes that decode images into the cache.
        cache: whether decoded crops are kept, 38 kB each; without, images are decoded for each batch, which wants
            `num_workers`.
        device_cache: whether training crops are copied to the device and batches taken there: true, false, or
            "auto": if they take no more than a quarter of a GPU's free memory.
        cache_dir: where the crop cache and the channel statistics lie.
        seed: decides the order of training images and the augmentation, by epoch and batch.
        views: training batches show these instead of being augmented anew.
    """

    def __init__(
        self,
        images: FaceImages,
        augment: Augment,
        *,
        batch_size: int,
        num_workers: int,
        decode_workers: int,
        cache_dir: str,
        seed: int,
        cache: bool = True,
        device_cache: bool | str = "auto",
        views: FixedViews | None = None,
    ) -> None:
        super().__init__()
        training = len(images.rows("train"))
        if not 2 <= batch_size <= training:
            raise ConfigError(
                f"data.batch_size is {batch_size}, but must lie between 2 and the {training} training images of "
                f"dataset {images.name}"
            )
        self.images, self.augment, self.views = images, augment, views
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.decode_workers, self.cache_dir = decode_workers, Path(cache_dir)
        self.cache, self.device_cache = cache, device_cache

    @cached_property
    def crops(self) -> DatasetCrops:
        """Crops of all images; a process that asks while another one decodes them into the cache waits for it."""
        return dataset_crops(self.images, self.cache_dir, self.decode_workers, cache=self.cache)

    @cached_property
    def statistics(self) -> ChannelStatistics:
        """Channel statistics of the training images; without a cache, of a sample of them."""
        rows = self.images.rows("train")
        if not self.cache and len(rows) > _SAMPLE:
            log.info("channel statistics: of %d of the %d training images", _SAMPLE, len(rows))
            rows = np.sort(np.random.default_rng(0).choice(rows, _SAMPLE, replace=False))
        return cached_channel_statistics(self.crops, rows, Path(str(self.crops.filename)))

    def split(self, name: str) -> CropDataset:
        """The images of "train", "seen", "val" or "test"."""
        return CropDataset(self.crops, self._labels, self.images.rows(name))

    def prepare_data(self) -> None:
        """Decode the images and compute the channel statistics, unless the cache holds both.

        Lightning calls this in one process of each machine before `setup`. The model needs the statistics, so
        a training run calls it earlier; every further call returns at once.

        Raises:
            DataError: as `open_crops`.
        """
        _ = self.statistics  # which are counted on the crops

    def setup(self, stage: str) -> None:
        """Refuse more processes than the images can be divided over, before anything is trained.

        Raises:
            ConfigError: all processes together want a larger batch than there are training images, or another
                split has images, but not one for each process.
        """
        processes, name = self._world_size, self.images.name
        count = {split: len(self.images.rows(split)) for split in SPLITS}
        if self.batch_size * processes > count["train"]:
            raise ConfigError(
                f"data.batch_size is {self.batch_size} in each of {processes} processes, but dataset "
                f"{name} has {count['train']} training images"
            )
        for split in ("seen", "val", "test"):
            if 0 < count[split] < processes:
                raise ConfigError(
                    f"trainer.devices: split '{split}' of dataset {name} holds {count[split]} images, too few for "
                    f"{processes} processes"
                )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffle by (seed, epoch) alone, so that a resumed run meets the same batches.

        Processes take turns in one order and none repeats an image: step by step they hold together the batch
        that one process with a batch as large as all of theirs would. The rest of an epoch that fills no batch
        is left out, and is another one each epoch.
        """
        dataset: CropDataset | DeviceCrops = self.split("train")
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        if wants_device_cache(self.device_cache, len(dataset), CROP_BYTES, device):
            dataset = DeviceCrops(self.crops, self._labels, self.images.rows("train"), device)
        # with one process, too: Lightning tells this sampler the epoch
        sampler: Sampler[int] = DistributedSampler(
            dataset, self._world_size, self._rank, shuffle=True, seed=self.seed, drop_last=True
        )
        return self._loader(dataset, sampler, drop_last=True)

    def val_dataloader(self) -> list[DataLoader[Batch]]:
        """Validation identities, then, if there are any, held-out images of training identities."""
        return [self._loader(self._shard(name)) for name in ("val", "seen") if len(self.images.rows(name))]

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test identities."""
        return self._loader(self._shard("test"))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment training batches on the device, or show views, by (seed, batch, place in the batch of all)."""
        assert self.trainer is not None
        if not self.trainer.training:
            return batch
        generator = torch.Generator(batch.crops.device)
        count = self.trainer.fit_loop.epoch_loop.total_batch_idx + 1  # batches before this one, in all epochs
        generator.manual_seed(int(np.random.SeedSequence([self.seed, count]).generate_state(1, np.uint64)[0]))
        share = (self._rank, self._world_size)
        if self.views is None:
            return batch._replace(crops=self.augment(batch.crops, generator, share))
        views = self.views.draw(len(batch.crops) * self._world_size, generator)[self._rank :: self._world_size]
        return batch._replace(crops=self.views(batch.crops, batch.indices, views), views=views)

    @cached_property
    def _labels(self) -> NDArray[np.int64]:
        return self.images.labels()

    @property
    def _world_size(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    def _shard(self, split: str) -> Dataset[Batch]:
        """Every process its own images, none twice: metrics must not count padding."""
        dataset = self.split(split)
        return Subset(dataset, range(self._rank, len(dataset), self._world_size))

    def _loader(
        self, dataset: Dataset[Batch], sampler: Sampler[int] | None = None, drop_last: bool = False
    ) -> DataLoader[Batch]:
        on_device = isinstance(dataset, DeviceCrops)
        workers = 0 if on_device else self.num_workers
        pinned = torch.cuda.is_available() and not on_device
        # worker processes read ahead, too, and have a thread that pins what they read
        loader = AheadLoader if pinned and not workers else DataLoader
        return loader(
            dataset,
            self.batch_size,
            sampler=sampler,
            drop_last=drop_last,
            collate_fn=as_is,
            num_workers=workers,
            multiprocessing_context=start_method(workers),
            persistent_workers=workers > 0,
            pin_memory=pinned,
        )
