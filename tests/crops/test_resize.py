import numpy as np
import pytest
import torch
from skimage.data import astronaut
from torchvision.transforms.v2 import functional as V

from facerec.crops.resize import resize


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 1), (40, 30), (512, 512)])
@pytest.mark.parametrize("size", [(20, 15), (9, 4), (70, 300)])
def test_values_are_those_of_torchvision(shape: tuple[int, int], size: tuple[int, int]) -> None:
    image = astronaut()[: shape[0], : shape[1]]
    expected = V.resize(torch.from_numpy(image).permute(2, 0, 1).contiguous(), list(size), antialias=True)
    resized = resize(image, size)
    assert resized.shape == (*size, 3)
    assert np.abs(resized.astype(int) - expected.permute(1, 2, 0).numpy()).max() <= 1


def test_a_turned_photo_is_resized() -> None:
    assert resize(np.rot90(np.zeros((1, 3000, 3), np.uint8)), (237, 1)).shape == (237, 1, 3)
