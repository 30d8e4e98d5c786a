import subprocess
import sys

import pytest
import torch
from torchvision.transforms.v2 import functional as V

from facerec.crops.resize import resize

TURNED = """
import torch
from facerec.crops.resize import resize
for _ in range(20):
    photo = torch.rot90(torch.zeros(3, 1, 3000, dtype=torch.uint8), 1, (1, 2))
    assert photo.stride() != photo.new_empty(photo.shape).stride()
    for length in (128, 237, 438, 811, 1500):
        assert resize(photo, [length, 1]).shape == (3, length, 1)
"""


def test_a_turned_photo_of_one_pixel_width_does_not_end_the_process() -> None:
    assert subprocess.run([sys.executable, "-c", TURNED], check=False).returncode == 0


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 1), (40, 30)])
def test_values_are_those_of_torchvision(shape: tuple[int, int]) -> None:
    image = torch.randint(0, 256, (3, *shape), dtype=torch.uint8)
    assert torch.equal(resize(image, (20, 15)), V.resize(image, [20, 15], antialias=True))
