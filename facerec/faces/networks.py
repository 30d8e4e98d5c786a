"""The detectors of the `face-alignment` package, each as a function from views to faces with five points."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facerec.faces.anchors import MEAN_BGR, decode
from facerec.faces.views import Detect, Detections


@dataclass(frozen=True)
class Traits:
    """What differs between detectors.

    Attributes:
        files: the weights, under the names that the package gives them.
        side: longest side of what it is shown; square if it takes nothing else.
        seen: the smallest face it sees there, in pixels.
        sure: a score that faces on their side or head do not reach.
        points: whether it knows five landmarks.
        reference_scale: box sides (width + height) over this is the scale of the 68-point network's input.
    """

    files: tuple[str, ...]
    side: int
    square: bool
    seen: int
    sure: float
    points: bool
    reference_scale: float


# reference_scale as the package's detectors have it
DETECTORS = {
    "sfd": Traits(
        ("s3fd-619a316812.pth",), side=640, square=False, seen=16, sure=0.99, points=False, reference_scale=195
    ),
    "retinaface": Traits(
        ("retinaface_mobilenet0.25.pth",),
        side=640,
        square=False,
        seen=16,
        sure=0.99,
        points=True,
        reference_scale=165,
    ),
    "blazeface": Traits(
        ("blazefaceback.pth", "anchorsback.npy"),
        side=256,
        square=True,
        seen=24,
        sure=0.7,
        points=True,
        reference_scale=195,
    ),
    "yunet": Traits(
        ("face_detection_yunet_2023mar.onnx",),
        side=640,
        square=False,
        seen=16,
        sure=0.9,
        points=True,
        reference_scale=165,
    ),
    "scrfd": Traits(
        ("scrfd_2.5g_bnkps.onnx",), side=640, square=True, seen=16, sure=0.8, points=True, reference_scale=165
    ),
}


def build(name: str, folder: Path | None, device: torch.device, min_score: float, max_iou: float) -> Detect:
    """The detector of this name, with weights from `folder`; None: from torch hub's folder, or a download to it."""
    from importlib import import_module

    adapt: Callable[[Any], Detect]
    options: Mapping[str, float | str]
    adapt, options = {
        "sfd": (_sfd, {"filter_threshold": min_score}),
        "retinaface": (_retinaface, {"confidence_threshold": min_score, "nms_threshold": max_iou}),
        "blazeface": (
            _blazeface,
            {"min_score_thresh": min_score, "min_suppression_threshold": max_iou, "back_model": True},
        ),
        "yunet": (_yunet, {"score_threshold": min_score, "nms_threshold": max_iou}),
        "scrfd": (_scrfd, {"confidence_threshold": min_score, "nms_threshold": max_iou}),
    }[name]
    if folder:
        for key, file in zip(("path_to_detector", "path_to_anchor"), DETECTORS[name].files, strict=False):
            options = {**options, key: str(folder / file)}
    return adapt(import_module(f"face_alignment.detection.{name}").FaceDetector(str(device), **options))


def _sfd(detector: Any) -> Detect:
    def detect(views: Tensor) -> list[Detections]:
        rows = [np.asarray(found, dtype=np.float32).reshape(-1, 5) for found in detector.detect_from_batch(views)]
        return [_table(found[:, :4], np.full((len(found), 10), np.nan), found[:, 4]) for found in rows]

    return detect


def _retinaface(detector: Any) -> Detect:
    """Its network, decoded here: the package drops the landmarks, and shows RGB to a network that learned BGR."""

    def detect(views: Tensor) -> list[Detections]:
        mean = torch.tensor(MEAN_BGR, device=views.device).view(1, 3, 1, 1)
        with torch.inference_mode():
            boxes, scores, landmarks = detector.face_detector(views.flip(1).float() - mean)
        size = (views.shape[2], views.shape[3])
        return decode(boxes, scores, landmarks, size, detector.confidence_threshold, detector.nms_threshold)

    return detect


def _blazeface(detector: Any) -> Detect:
    """Six points: eyes, nose, middle of the mouth, ears. Mouth corners lie beside the middle as in the template."""
    half_mouth = 0.414  # of the distance between the eyes

    def detect(views: Tensor) -> list[Detections]:
        found = []
        for rows in detector.face_detector.predict_on_batch(views):
            pixels = rows[:, :16].cpu() * views.shape[2]
            left, right, nose, mouth = pixels[:, 4:12].reshape(-1, 4, 2).unbind(1)
            across = (right - left) * half_mouth
            points = torch.stack([left, right, nose, mouth - across, mouth + across], dim=1)
            found.append(Detections(pixels[:, [1, 0, 3, 2]], points, rows[:, 16].cpu()))
        return found

    return detect


def _yunet(detector: Any) -> Detect:
    def detect(views: Tensor) -> list[Detections]:
        found = []
        detector.face_detector.setInputSize((views.shape[3], views.shape[2]))
        for view in views.flip(1).permute(0, 2, 3, 1).cpu().numpy():
            rows = detector.face_detector.detect(np.ascontiguousarray(view))[1]
            rows = np.zeros((0, 15), np.float32) if rows is None else rows
            corners = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
            found.append(_table(corners, rows[:, 4:14], rows[:, 14]))
        return found

    return detect


def _scrfd(detector: Any) -> Detect:
    """Its network, decoded here: the package drops the landmarks (outputs 6 to 8)."""
    from face_alignment.detection.scrfd.postprocess import distance2bbox, generate_anchor_centers, nms

    def one(view: NDArray[np.float32]) -> Detections:
        outputs = detector.session.run(detector.output_names, {detector.input_name: view[None]})
        parts = []
        for level, stride in enumerate(detector.strides):
            scores, boxes, points = (outputs[level + 3 * kind] for kind in range(3))
            centres = generate_anchor_centers(view.shape[1] // stride, view.shape[2] // stride, stride)
            corners = distance2bbox(centres, boxes.reshape(-1, 4) * stride)
            five = centres[:, None] + points.reshape(-1, 5, 2) * stride
            parts.append(np.concatenate([corners, scores.reshape(-1, 1), five.reshape(-1, 10)], axis=1))
        rows = np.concatenate(parts)
        rows = rows[rows[:, 4] >= detector.confidence_threshold]
        rows = rows[nms(rows[:, :5], detector.nms_threshold)]
        return _table(rows[:, :4], rows[:, 5:], rows[:, 4])

    def detect(views: Tensor) -> list[Detections]:
        # RGB: the network was trained on it, though the package shows it BGR
        normal = (views.float() - detector.input_mean) / detector.input_std
        return [one(view) for view in normal.cpu().numpy()]

    return detect


def _table(boxes: NDArray[Any], points: NDArray[Any], scores: NDArray[Any]) -> Detections:
    boxes, points, scores = (np.ascontiguousarray(part, dtype=np.float32) for part in (boxes, points, scores))
    return Detections(torch.from_numpy(boxes), torch.from_numpy(points.reshape(-1, 5, 2)), torch.from_numpy(scores))
