"""Each corruption beside another implementation, on real faces."""

import io

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from facerec.crops.photo import read_photo
from facerec.data import orl
from facerec.data.corruptions import at_low_resolution, blurred, compressed, corrupt, in_grey

NEVER = {"blur": 0.0, "low_resolution": 0.0, "jpeg": 0.0, "grey": 0.0}


@pytest.fixture(scope="module")
def faces() -> Tensor:
    """Five ORL faces, each channel another one, so that they have colours; `uint8` values as floats."""
    files = orl().files[:150:10]
    crops = [read_photo(file)[:112, :92, 0] for file in files]
    wide = [np.pad(crop, ((0, 0), (10, 10)), mode="edge") for crop in crops]
    return torch.from_numpy(np.stack(wide).reshape(5, 3, 112, 112)).float()


def test_blur_is_scipys(faces: Tensor) -> None:
    sigma = torch.tensor([0.5, 1.0, 1.5, 2.0, 2.5])
    found = blurred(faces, sigma)
    for crop, value, result in zip(faces.double().numpy(), sigma.tolist(), found.numpy(), strict=True):
        wanted = crop
        for axis in (1, 2):
            wanted = gaussian_filter1d(wanted, value, axis=axis, mode="mirror", radius=8)
        np.testing.assert_allclose(result, wanted, atol=1e-3)


def test_low_resolution_is_a_mean_of_areas_and_opencvs_enlargement(faces: Tensor) -> None:
    sides = [16, 23, 28, 45, 56]
    found = at_low_resolution(faces, torch.tensor(sides, dtype=torch.float32))
    for crop, side, result in zip(faces.double().numpy(), sides, found.numpy(), strict=True):
        means = np.zeros((side, 112))
        for place in range(side):
            start, end = place * 112 // side, -(-(place + 1) * 112 // side)
            means[place, start:end] = 1 / (end - start)
        small = means @ crop @ means.T
        wanted = cv2.resize(small.transpose(1, 2, 0), (112, 112), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(result.transpose(1, 2, 0), wanted, atol=1e-2)


def _pillow(crop: NDArray[np.float32], quality: int) -> NDArray[np.float64]:
    data = io.BytesIO()
    Image.fromarray(crop.astype(np.uint8).transpose(1, 2, 0)).save(data, "JPEG", quality=quality)
    return np.asarray(Image.open(data), dtype=np.float64).transpose(2, 0, 1)


def test_jpeg_is_that_of_pillow(faces: Tensor) -> None:
    qualities = [20, 40, 60, 75, 90]
    found = compressed(faces, torch.tensor(qualities, dtype=torch.float32)).double().numpy()
    for crop, quality, result in zip(faces.numpy(), qualities, found, strict=True):
        wanted = _pillow(crop, quality)
        lost = np.abs(wanted - crop).mean()
        assert lost > 1
        assert np.abs(result - wanted).mean() < lost / 10
    straight, swapped = (np.abs(found[4] - crop.double().numpy()).mean() for crop in (faces[4], faces[4].flip(0)))
    assert straight < swapped / 3  # red is still red


def test_grey_is_pillows(faces: Tensor) -> None:
    for crop, result in zip(faces.numpy(), in_grey(faces).numpy(), strict=True):
        wanted = np.asarray(Image.fromarray(crop.astype(np.uint8).transpose(1, 2, 0)).convert("L"), dtype=float)
        assert np.abs(result - wanted).max() <= 1
        assert (result == result[:1]).all()


def test_each_happens_by_its_own_draw_and_the_last_are_compressed_and_greyed(faces: Tensor) -> None:
    drawn = torch.full((7, 5), 0.9)
    drawn[torch.arange(4), torch.arange(4)] = 0.1  # blurred, of low resolution, compressed, grey; 4 as it was
    drawn[4:] = torch.tensor([0.5, 0.25, 1.0])[:, None]  # sigma 1.5, side 26, quality 90
    found = corrupt(faces.clone(), drawn, **dict.fromkeys(NEVER, 0.5))
    wanted = [
        blurred(faces[:1], torch.tensor([1.5])),
        at_low_resolution(faces[1:2], torch.tensor([26.0])),
        compressed(faces[2:3], torch.tensor([90.0])),
        in_grey(faces[3:4]),
        faces[4:],
    ]
    torch.testing.assert_close(found, torch.cat(wanted))
    drawn[:4] = 0.1
    everything = corrupt(faces.clone(), drawn, **dict.fromkeys(NEVER, 0.5))
    sigma, side, quality = (torch.full((5,), value) for value in (1.5, 26.0, 90.0))
    torch.testing.assert_close(
        everything, in_grey(compressed(at_low_resolution(blurred(faces, sigma), side), quality))
    )
    assert torch.equal(corrupt(faces.clone(), drawn, **NEVER), faces)
