"""The crop contract: what a crop is, the same in training and in use."""

from dataclasses import dataclass

CROP_SIZE = 112


@dataclass(frozen=True)
class CropContract:
    """What a model expects of a crop: `uint8` RGB `3 x size x size`, aligned to the named template."""

    size: int = CROP_SIZE
    template: str = "arcface-112"
    colour: str = "RGB"
