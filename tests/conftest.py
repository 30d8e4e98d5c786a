import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.io import write_jpeg

# nothing in a test may reach for a network, and no test may write into the user's cache
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs, where there is one."""
    folder = Path(os.environ.get("FACEREC_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "celeba").is_dir():
        pytest.skip(f"no real photographs at {folder}; set FACEREC_DATA")
    return folder


@pytest.fixture
def make_celeba(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small data set in CelebA's official layout and returns its root."""

    def make(
        name: str = "celeba",
        images_of: dict[int, int] | None = None,
        partition_of: Callable[[int], int] = lambda identity: 2 if identity >= 16 else 0,
        landmarks: bool = True,
        size: tuple[int, int] = (218, 178),
        first: int = 1,
    ) -> Path:
        root = tmp_path / name
        (root / "img_align_celeba").mkdir(parents=True)
        images_of = images_of or dict.fromkeys(range(10, 20), 4)
        random = np.random.default_rng(0)
        lists: dict[str, list[str]] = {"identity": [], "partition": [], "landmarks": []}
        number = first
        for identity, count in images_of.items():
            for _ in range(count):
                file = f"{number:06d}.jpg"
                pixels = torch.from_numpy(random.integers(0, 256, (3, 8, 8), dtype=np.uint8))
                pixels = torch.nn.functional.interpolate(pixels[None], size)[0]
                write_jpeg(pixels, str(root / "img_align_celeba" / file))
                lists["identity"].append(f"{file} {identity}")
                lists["partition"].append(f"{file} {partition_of(identity)}")
                lists["landmarks"].append(f"{file} 70 111 107 111 88 135 72 152 105 152")
                number += 1
        (root / "identity_CelebA.txt").write_text("\n".join(lists["identity"]) + "\n")
        (root / "list_eval_partition.txt").write_text("\n".join(lists["partition"]) + "\n")
        if landmarks:
            header = [str(len(lists["landmarks"])), "lefteye_x lefteye_y …"]
            (root / "list_landmarks_align_celeba.txt").write_text("\n".join(header + lists["landmarks"]) + "\n")
        return root

    return make
