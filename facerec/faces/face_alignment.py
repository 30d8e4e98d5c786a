"""The detectors of the `face-alignment` package, with their own landmarks or those of its 68-landmark network."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch

from facerec.crops.contract import Photo
from facerec.errors import ConfigError
from facerec.faces import fan
from facerec.faces.face import Face
from facerec.faces.networks import NETWORKS, build
from facerec.faces.tiling import TiledDetection
from facerec.runtime.device import find_device


class FaceAlignmentDetector:
    """Faces from the `face-alignment` package (Bulat and Tzimiropoulos, arXiv 1703.07332).

    Args:
        network: sfd, retinaface or yunet.
        landmarks: "fan": 68 landmarks reduced to five; "detector": the network's own five (sfd has none).
        weights: folder of weight files under the package's names; None: torch hub's folder, where the package
            downloads missing files.
        smallest: size in pixels of the smallest faces to detect in a photo.
        min_score: faces with a lower score are not returned.
        batch_size: tiles in the network at once.
        turns: also detect in the photo rotated by 90, 180 and 270 degrees, if no face is clearly upright.
        device: "auto" (a GPU if there is one), "cpu", "cuda", …

    Raises:
        ConfigError: an unknown or impossible choice, or weights that can't be downloaded or read.
    """

    def __init__(
        self,
        network: str,
        landmarks: Literal["fan", "detector"],
        weights: str | None,
        smallest: int,
        min_score: float,
        batch_size: int,
        turns: bool,
        device: str,
    ) -> None:
        if network not in NETWORKS:
            raise ConfigError(f"detector.network must be one of {', '.join(NETWORKS)}, not {network!r}")
        if landmarks not in ("fan", "detector"):
            raise ConfigError(f"detector.landmarks must be fan or detector, not {landmarks!r}")
        self.traits = NETWORKS[network]
        if landmarks == "detector" and not self.traits.points:
            raise ConfigError(f"detector.landmarks: {network} has no landmarks of its own; take landmarks=fan")
        self.tiled = TiledDetection(smallest, batch_size, turns, self.traits.upright_score)
        self.device = find_device(device, "detector.device")
        folder = None if weights is None else Path(weights).expanduser()
        needed = (self.traits.file, *([fan.FILE] if landmarks == "fan" else []))
        with _explain_weights(needed, folder):
            self.fan = fan.Fan(folder, self.device) if landmarks == "fan" else None
            self.detect = build(network, folder, self.device, min_score, self.tiled.max_iou)

    def find(self, photos: Sequence[Photo]) -> list[list[Face]]:
        """The faces of each photo `uint8 [H, W, 3]`, best score first."""
        detected = self.tiled(photos, self.detect)
        if self.fan is None:
            return detected
        refined = []
        for photo, faces in zip(photos, detected, strict=True):
            points = self.fan(photo, [face.box for face in faces], self.traits.reference_scale)
            refined.append([face._replace(landmarks=five) for face, five in zip(faces, points, strict=True)])
        return refined


@contextmanager
def _explain_weights(needed: Sequence[str], folder: Path | None) -> Iterator[None]:
    """Report any problem with the weights in one message."""
    source = folder or Path(torch.hub.get_dir()) / "checkpoints"
    try:
        if folder is not None and (missing := [name for name in needed if not (folder / name).is_file()]):
            raise FileNotFoundError(f"no {missing[0]}")
        yield
    except ModuleNotFoundError:  # which the job explains
        raise
    except Exception as error:  # a missing file, a download that fails, a damaged file: each its own kind
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        present = [name for name in needed if (source / name).is_file()]
        state = "can't be loaded from" if len(present) == len(needed) else "must be in"
        raise ConfigError(
            f"detector.weights: {', '.join(needed)} {state} {source} ({reason}); put the files there, give "
            "detector.weights=FOLDER, or take detector=retinaface, which needs no files"
        ) from error
