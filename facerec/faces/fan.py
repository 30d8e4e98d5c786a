"""The 68-landmark network of the `face-alignment` package, reduced to five landmarks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facerec.crops.contract import Photo

FILE = "2DFAN4-11f355bf06.pth.tar"
_BATCH = 16  # faces at once, 256x256 each


def five_of_68(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Middle of each eye, tip of the nose, mouth corners: `[N, 68, 2]` → `[N, 5, 2]` (iBUG 300-W numbering)."""
    eyes = [points[:, 36:42].mean(axis=1), points[:, 42:48].mean(axis=1)]
    return np.stack([*eyes, points[:, 30], points[:, 48], points[:, 54]], axis=1)


class Fan:
    """2D-FAN-4 (Bulat and Tzimiropoulos, arXiv 1703.07332), run as the package does, but on many faces at once.

    The package rounds landmarks down to whole pixels of the photo.

    Args:
        folder: of the weights, a plain state dict; None: torch hub's folder, with a download if needed.
        device: where to compute.
    """

    def __init__(self, folder: Path | None, device: torch.device) -> None:
        from face_alignment.api import models_urls
        from face_alignment.models import FAN
        from face_alignment.utils import load_file_from_url

        file = folder / FILE if folder else load_file_from_url(models_urls["2DFAN-4"])
        self.device = device
        self.network = FAN(4)
        self.network.load_state_dict(torch.load(file, map_location=device, weights_only=True))
        self.network.to(device).eval()

    def __call__(
        self, photo: Photo, boxes: Sequence[NDArray[np.float32]], reference_scale: float
    ) -> NDArray[np.float32]:
        """Five landmarks `float32 [N, 5, 2]` for these boxes in a photo `uint8 [H, W, 3]`."""
        from face_alignment.api import CENTER_Y_OFFSET
        from face_alignment.utils import crop, flip, get_preds_fromhm

        landmarks = []
        for start in range(0, len(boxes), _BATCH):
            placements = []
            for box in boxes[start : start + _BATCH]:
                sides = box[2:] - box[:2]
                centre = (box[:2] + box[2:]) / 2 - np.array([0, CENTER_Y_OFFSET * sides[1]])
                placements.append((centre, float(sides.sum()) / reference_scale))
            inputs = np.stack([crop(photo, centre, scale).transpose(2, 0, 1) for centre, scale in placements])
            faces = torch.from_numpy(inputs).to(self.device).float() / 255
            with torch.inference_mode():
                # the last of four estimates of 68 heat maps, each finer than the previous one
                heatmaps = self.network(faces)[-1] + flip(self.network(flip(faces))[-1], is_label=True)
            for heatmap, (centre, scale) in zip(heatmaps.cpu().numpy(), placements, strict=True):
                landmarks.append(get_preds_fromhm(heatmap[None], centre, scale)[1][0])
        return five_of_68(np.array(landmarks, dtype=np.float32).reshape(-1, 68, 2))
