"""The landmarks that come with the ORL faces are those that a user's detector finds."""

import numpy as np
from hydra.utils import instantiate
from omegaconf import OmegaConf

from facerec.crops import read_photo
from facerec.crops.resize import resize
from facerec.data import orl
from facerec.job import CONFIG_DIR


def test_landmarks_are_where_the_default_detector_sees_them() -> None:
    images = orl()
    assert images.landmarks is not None
    rows = range(0, 400, 20)
    doubled = [resize(read_photo(images.files[row]), (224, 184)) for row in rows]
    found = instantiate(OmegaConf.load(CONFIG_DIR / "detector" / "retinaface.yaml")).find(doubled)
    assert [len(faces) for faces in found] == [1] * 20
    points = (np.array([faces[0].landmarks for faces in found]) + 0.5) / 2 - 0.5
    distance = np.linalg.norm(points - images.landmarks[rows], axis=-1)
    assert distance.mean() < 2  # pixels of 92x112, where eyes are about 34 apart; the detector itself varies by 1.6
    assert distance.max() < 7
