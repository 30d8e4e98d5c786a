"""Lay out an album of ORL people: `python benchmarks/orl_album.py ALBUM`.

Of the ten people kept for the test, whom no model was trained on, five are enrolled from five photos each
(`ALBUM/enroll/PERSON/*.png`); the other five are not enrolled. `ALBUM/photos` are five group photos of all ten.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.utils import make_grid

from facerec.crops import encode_png, read_photo
from facerec.data import orl

PEOPLE, PHOTOS, BACKGROUND = 5, 5, 128  # people enrolled, photos of each


def doubled(photo: Tensor) -> Tensor:
    """Twice the size, so that faces are as large as in a family photo."""
    return F.interpolate(photo[None].float(), scale_factor=2, mode="bilinear").round().to(torch.uint8)[0]


def main(album: Path) -> None:
    """Write the album; the same one every time."""
    images = orl()
    rows = images.rows("test")
    people = np.unique(images.identities[rows])
    photos = {
        name: [doubled(read_photo(images.files[row])) for row in rows if images.identities[row] == name]
        for name in people
    }
    for name in people[:PEOPLE]:
        folder = album / "enroll" / str(name)
        folder.mkdir(parents=True, exist_ok=True)
        for number, photo in enumerate(photos[name][:PHOTOS], 1):
            (folder / f"{number}.png").write_bytes(encode_png(photo))
    (album / "photos").mkdir(exist_ok=True)
    shuffle = np.random.default_rng(0).permutation
    for number in range(PHOTOS):
        group = shuffle(people)
        picture = make_grid(
            [photos[name][PHOTOS + number] for name in group], nrow=5, padding=24, pad_value=BACKGROUND
        )
        (album / "photos" / f"group{number + 1}.png").write_bytes(encode_png(picture))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
