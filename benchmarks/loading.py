"""Loading and augmentation beside ImageFolder and transforms.v2.

python benchmarks/loading.py images=512 rounds=3
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from results import Figure, record
from timing import options, seconds
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from facerec.data import Augment, CropDataset
from facerec.data.cache import as_is


def main() -> None:
    """Print images/s of one core."""
    given = options(images=512, rounds=3, batch=64)
    torch.set_num_threads(1)
    augment = Augment(flip=0.5, zoom=0.08, shift=0.04, brightness=0.1, contrast=0.2, erase=0.2)
    transform = v2.Compose(
        [
            v2.PILToTensor(),
            v2.Resize((112, 112), antialias=True),
            v2.RandomHorizontalFlip(0.5),
            v2.RandomAffine(
                0, translate=(0.04, 0.04), scale=(0.92, 1.08), interpolation=v2.InterpolationMode.BILINEAR
            ),
            v2.ColorJitter(brightness=0.1, contrast=0.2),
            v2.RandomErasing(0.2, scale=(0.01, 0.16)),
        ]
    )
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        crops = np.lib.format.open_memmap(root / "crops.npy", "w+", np.uint8, (given["images"], 3, 112, 112))
        for row in range(given["images"]):
            small = torch.rand(1, 3, 14, 14) * 255
            photo = torch.nn.functional.interpolate(small, (218, 178), mode="bilinear")[0].to(torch.uint8)
            person = root / "photos" / f"{row % 8}"
            person.mkdir(parents=True, exist_ok=True)
            Image.fromarray(photo.permute(1, 2, 0).numpy()).save(person / f"{row}.jpg")
            crops[row] = photo[:, :112, :112].numpy()
        labels = np.zeros(given["images"], np.int64)
        dataset = CropDataset(crops, labels, np.arange(given["images"]))
        ours = DataLoader(dataset, given["batch"], shuffle=True, collate_fn=as_is)
        theirs = DataLoader(ImageFolder(str(root / "photos"), transform), given["batch"], shuffle=True)
        timings = seconds(
            {
                "facerec": lambda: [augment(batch.crops) for batch in ours],
                "without augmentation": lambda: list(ours),
                "ImageFolder + transforms.v2": lambda: list(theirs),
            },
            given["rounds"],
        )
    rate = {name: given["images"] / value for name, value in timings.items()}
    peer = "ImageFolder + transforms.v2"
    record(
        [
            Figure("loading + augmentation, one core", "images/s", rate["facerec"], {peer: rate[peer]}, {peer: 5}),
            Figure("loading, one core", "images/s", rate["without augmentation"]),
        ]
    )


if __name__ == "__main__":
    main()
