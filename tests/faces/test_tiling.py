"""Tiling, tested with a detector of white squares, whose places are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label, regionprops

from facerec.errors import ConfigError
from facerec.faces.tiling import Detections, TiledDetection, Tiles


def _squares(tiles: Tiles) -> list[Detections]:
    """Bright blobs of 8 pixels or more; those cut off by the tile reach one pixel beyond it."""
    detections = []
    for tile in tiles:
        height, width = tile.shape[:2]
        boxes = []
        for blob in regionprops(label(tile[..., 0] > 127)):
            y0, x0, y1, x1 = blob.bbox
            y0, x0, y1, x1 = y0 - 2 * (y0 == 0), x0 - 2 * (x0 == 0), y1 + 2 * (y1 == height), x1 + 2 * (x1 == width)
            if min(y1 - y0, x1 - x0) >= 8:
                boxes.append([x0, y0, x1 - 1, y1 - 1])
        corners = np.array(boxes, np.float32).reshape(-1, 4)
        points = corners[:, [0, 1, 2, 1, 0, 3, 2, 3, 0, 1]].reshape(-1, 5, 2)
        detections.append(
            Detections(corners, points, (0.5 + (corners[:, 2] - corners[:, 0]) / 10000).astype(np.float32))
        )
    return detections


def _tiled(**options: object) -> TiledDetection:
    defaults = {"side": 128, "smallest": 16, "min_face": 8, "overlap": 32, "max_iou": 0.3, "batch_size": 4}
    return TiledDetection(**(defaults | {"turns": False, "upright_score": 0.5} | options))  # type: ignore[arg-type]


@given(
    height=st.integers(20, 700),
    width=st.integers(20, 700),
    place=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    share=st.floats(0, 1),
)
@settings(max_examples=120, deadline=None)
def test_a_face_of_any_size_is_found_once_where_it_is(
    height: int, width: int, place: tuple[float, float], share: float
) -> None:
    largest = min(height, width) - 4
    side = round(min(20, largest) + share * max(0, largest - 20))
    if side < 16:
        return
    top, left = (2 + round(p * (length - side - 4)) for p, length in zip(place, (height, width), strict=True))
    photo = np.zeros((height, width, 3), np.uint8)
    photo[top : top + side, left : left + side] = 255
    faces = _tiled()([photo], _squares)[0]
    assert len(faces) == 1
    scale = max(1.0, max(height, width) / 128)  # a pixel of the smallest tile, at most
    np.testing.assert_allclose(faces[0].box, [left, top, left + side - 1, top + side - 1], atol=scale + 1)


def test_what_else_is_in_the_batch_changes_nothing() -> None:
    random = np.random.default_rng(0)
    photos = []
    for _ in range(6):
        photo = np.zeros((*random.integers(100, 500, 2).tolist(), 3), np.uint8)
        for _ in range(4):
            side = int(random.integers(20, 80))
            top, left = (int(random.integers(0, max(1, length - side))) for length in photo.shape[:2])
            photo[top : top + side, left : left + side] = 255
        photos.append(photo)
    together = _tiled()(photos, _squares)
    for photo, faces in zip(photos, together, strict=True):
        alone = _tiled(batch_size=1)([photo], _squares)[0]
        assert [face.box.tolist() for face in alone] == [face.box.tolist() for face in faces]
        scores = [face.score for face in faces]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_turned_photos_give_faces_in_their_own_pixels(quarter: int) -> None:
    upright = np.zeros((90, 120, 3), np.uint8)
    upright[10:40, 50:80] = 255

    def detects_upright_alone(tiles: Tiles) -> list[Detections]:
        upright = [bool(tile[:45].any()) and tile.shape[1] > tile.shape[0] for tile in tiles]
        return [
            faces if kept else Detections(*(rows[:0] for rows in faces))
            for kept, faces in zip(upright, _squares(tiles), strict=True)
        ]

    photo = np.rot90(upright, -quarter)
    assert _tiled()([photo], detects_upright_alone) == [[]]
    face = _tiled(turns=True)([photo], detects_upright_alone)[0][0]
    rows, columns = np.nonzero(photo[..., 0])
    assert face.box.tolist() == [columns.min(), rows.min(), columns.max(), rows.max()]
    marked = np.zeros((90, 120))
    marked[10, 50] = 1  # the first landmark is the square's upper left corner in the upright photo
    y, x = np.nonzero(np.rot90(marked, -quarter))
    assert face.landmarks[0].tolist() == [x[0], y[0]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (5, 7)])
def test_no_photo_is_too_odd(shape: tuple[int, int]) -> None:
    assert _tiled(turns=True)([np.zeros((*shape, 3), np.uint8)], _squares) == [[]]


def test_no_photos() -> None:
    assert _tiled(turns=True)([], _squares) == []


@pytest.mark.parametrize("key", ["smallest", "batch_size"])
def test_senseless_options_name_their_key(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"detector\.{key}"):
        _tiled(**{key: 0})
