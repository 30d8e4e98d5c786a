"""Detector over the `face-alignment` package: any of its detectors, five or 68 landmarks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from facerec.errors import ConfigError
from facerec.faces import fan
from facerec.faces.face import Face
from facerec.faces.networks import DETECTORS, build
from facerec.faces.views import Search
from facerec.runtime.device import find_device

_MAX_IOU = 0.4


class FaceAlignmentDetector:
    """Faces from the `face-alignment` package (Bulat and Tzimiropoulos, arXiv 1703.07332).

    Args:
        network: sfd, retinaface, blazeface (the back model), yunet or scrfd.
        landmarks: "fan": 68 points reduced to five; "detector": the detector's own five (sfd has none).
        weights: folder of weight files under the package's names; None: torch hub's folder, to which the package
            downloads what is missing.
        smallest: faces of this many pixels in the photo are still to be found.
        min_score: what is less likely a face is not even listed.
        batch_size: views at once.
        turns: where no face is surely upright, look again with the photo turned by 90, 270 and 180 degrees.
        device: "auto" (a GPU if there is one), "cpu", "cuda", …

    Raises:
        ConfigError: an unknown or impossible choice, or weights that can't be had or read.
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
        if network not in DETECTORS:
            raise ConfigError(f"detector.network must be one of {', '.join(DETECTORS)}, not {network!r}")
        if landmarks not in ("fan", "detector"):
            raise ConfigError(f"detector.landmarks must be fan or detector, not {landmarks!r}")
        self.traits = DETECTORS[network]
        if landmarks == "detector" and not self.traits.points:
            raise ConfigError(f"detector.landmarks: {network} has no landmarks of its own; take landmarks=fan")
        self.device = find_device(device, "detector.device")
        folder = None if weights is None else Path(weights).expanduser()
        needed = (*self.traits.files, *([fan.FILE] if landmarks == "fan" else []))
        with _explained(needed, folder):
            self.fan = fan.Fan(folder, self.device) if landmarks == "fan" else None
            self.detect = build(network, folder, self.device, min_score, _MAX_IOU)
        self.search = Search(
            side=self.traits.side,
            smallest=smallest,
            seen=self.traits.seen,
            square=self.traits.square,
            overlap=self.traits.side // 5,
            max_iou=_MAX_IOU,
            batch_size=batch_size,
            turns=turns,
            sure=self.traits.sure,
        )

    def find(self, photos: Sequence[Tensor]) -> list[list[Face]]:
        """The faces of each photo `uint8 [3, H, W]`, best score first."""
        found = self.search(photos, self.detect, self.device)
        if self.fan is None:
            return found
        refined = []
        for photo, faces in zip(photos, found, strict=True):
            points = self.fan(photo, [face.box for face in faces], self.traits.reference_scale)
            refined.append([face._replace(landmarks=five) for face, five in zip(faces, points, strict=True)])
        return refined


@contextmanager
def _explained(needed: Sequence[str], folder: Path | None) -> Iterator[None]:
    """Turn whatever goes wrong with weights into one message."""
    place = folder or Path(torch.hub.get_dir()) / "checkpoints"
    try:
        if folder is not None and (missing := [name for name in needed if not (folder / name).is_file()]):
            raise FileNotFoundError(f"no {missing[0]}")
        yield
    except Exception as error:  # a missing file, a download that fails, a damaged file: each its own kind
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        there = [name for name in needed if (place / name).is_file()]
        state = "can't be loaded from" if len(there) == len(needed) else "must be in"
        raise ConfigError(
            f"detector.weights: {', '.join(needed)} {state} {place} ({reason}); put the files there, give "
            "detector.weights=FOLDER, or take detector=retinaface, which needs no files"
        ) from error
