"""Data sets of faces: tables of image files, a cache of their crops, batches of them.

What needs torch is imported when first used: the tables don't.
"""

from typing import TYPE_CHECKING

import lazy_loader

from facerec.data.celeba import celeba
from facerec.data.folder import folder
from facerec.data.images import FaceImages, describe_dataset
from facerec.data.orl import orl
from facerec.data.recordio import recordio
from facerec.data.table import table

if TYPE_CHECKING:
    from facerec.data.augment import Augment
    from facerec.data.batch import Batch
    from facerec.data.cache import dataset_crops, open_crops
    from facerec.data.datamodule import CropDataset, FaceData
    from facerec.data.statistics import ChannelStatistics, channel_statistics
    from facerec.data.views import FixedViews, ViewedCrops

__all__ = [
    "Augment",
    "Batch",
    "ChannelStatistics",
    "CropDataset",
    "FaceData",
    "FaceImages",
    "FixedViews",
    "ViewedCrops",
    "celeba",
    "channel_statistics",
    "dataset_crops",
    "describe_dataset",
    "folder",
    "open_crops",
    "orl",
    "recordio",
    "table",
]

_MODULES = {
    "augment": ["Augment"],
    "cache": ["dataset_crops", "open_crops"],
    "batch": ["Batch"],
    "datamodule": ["CropDataset", "FaceData"],
    "statistics": ["ChannelStatistics", "channel_statistics"],
    "views": ["FixedViews", "ViewedCrops"],
}
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_MODULES)
