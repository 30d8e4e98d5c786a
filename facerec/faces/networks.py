"""The networks of the `face-alignment` package, each as a function from tiles to faces."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facerec.faces.anchors import MEAN_BGR, decode
from facerec.faces.tiling import Detect, Detections, Tiles


@dataclass(frozen=True)
class Traits:
    """What differs between networks.

    Attributes:
        file: of the weights, as the package names it.
        upright_score: a score that faces lying on their side or upside down do not reach.
        points: whether the network gives five landmarks.
        reference_scale: width + height of a box, divided by this, is the scale of the 68-landmark network's input.
    """

    file: str
    upright_score: float
    points: bool
    reference_scale: float


# reference_scale as in the package
NETWORKS = {
    "sfd": Traits("s3fd-619a316812.pth", upright_score=0.99, points=False, reference_scale=195),
    "retinaface": Traits("retinaface_mobilenet0.25.pth", upright_score=0.99, points=True, reference_scale=165),
    "yunet": Traits("face_detection_yunet_2023mar.onnx", upright_score=0.9, points=True, reference_scale=165),
}


def build(name: str, folder: Path | None, device: torch.device, min_score: float, max_iou: float) -> Detect:
    """The network of this name, with weights from `folder`; None: torch hub's folder, with a download if needed."""
    adapt: Callable[[Any, torch.device], Detect]
    adapt, options = {
        "sfd": (_sfd, {"filter_threshold": min_score}),
        "retinaface": (_retinaface, {"confidence_threshold": min_score, "nms_threshold": max_iou}),
        "yunet": (_yunet, {"score_threshold": min_score, "nms_threshold": max_iou}),
    }[name]
    path = {"path_to_detector": str(folder / NETWORKS[name].file)} if folder else {}
    detector = import_module(f"face_alignment.detection.{name}").FaceDetector(str(device), **options, **path)
    return adapt(detector, device)


def _sfd(detector: Any, device: torch.device) -> Detect:
    def detect(tiles: Tiles) -> list[Detections]:
        tables = detector.detect_from_batch(_as_tensor(tiles, device))
        boxes = [np.asarray(rows, dtype=np.float32).reshape(-1, 5) for rows in tables]
        return [_detections(rows[:, :4], np.full((len(rows), 10), np.nan), rows[:, 4]) for rows in boxes]

    return detect


def _retinaface(detector: Any, device: torch.device) -> Detect:
    """Decoded here: the package drops the landmarks, and passes RGB to a network that was trained on BGR."""
    mean = torch.tensor(MEAN_BGR, device=device).view(1, 3, 1, 1)

    def detect(tiles: Tiles) -> list[Detections]:
        with torch.inference_mode():
            outputs = detector.face_detector(_as_tensor(tiles, device).flip(1).float() - mean)
        boxes, scores, landmarks = (output.cpu().numpy() for output in outputs)
        size = (tiles.shape[1], tiles.shape[2])
        return decode(boxes, scores, landmarks, size, detector.confidence_threshold, detector.nms_threshold)

    return detect


def _yunet(detector: Any, device: torch.device) -> Detect:
    def detect(tiles: Tiles) -> list[Detections]:
        detections = []
        detector.face_detector.setInputSize((tiles.shape[2], tiles.shape[1]))
        for tile in tiles:
            rows = detector.face_detector.detect(np.ascontiguousarray(tile[..., ::-1]))[1]
            rows = np.zeros((0, 15), np.float32) if rows is None else rows
            corners = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
            detections.append(_detections(corners, rows[:, 4:14], rows[:, 14]))
        return detections

    return detect


def _as_tensor(tiles: Tiles, device: torch.device) -> Tensor:
    return torch.from_numpy(tiles).to(device).permute(0, 3, 1, 2)


def _detections(boxes: NDArray[Any], points: NDArray[Any], scores: NDArray[Any]) -> Detections:
    columns = (boxes, points.reshape(-1, 5, 2), scores)
    return Detections(*(np.asarray(column, dtype=np.float32) for column in columns))
