"""Data sets of faces: tables of image files, a cache of their crops, batches of them."""

from facerec.data.augment import Augment
from facerec.data.cache import open_crops
from facerec.data.celeba import celeba
from facerec.data.datamodule import Batch, CropDataset, FaceData
from facerec.data.folder import folder
from facerec.data.images import FaceImages, describe_dataset
from facerec.data.orl import orl
from facerec.data.statistics import ChannelStatistics, channel_statistics

__all__ = [
    "Augment",
    "Batch",
    "ChannelStatistics",
    "CropDataset",
    "FaceData",
    "FaceImages",
    "celeba",
    "channel_statistics",
    "describe_dataset",
    "folder",
    "open_crops",
    "orl",
]
