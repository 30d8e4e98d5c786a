"""The album that `make album` uses where there is no other."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from hydra.utils import instantiate
from omegaconf import OmegaConf

from facerec.crops import read_photo
from facerec.data import orl
from facerec.job import CONFIG_DIR

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "orl_album.py"


def test_five_people_of_the_test_part_among_as_many_strangers(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True)
    images = orl()
    trained = set(images.identities[images.rows("train")].tolist())
    enrolled = {file: read_photo(file) for file in tmp_path.glob("enroll/*/*.png")}
    assert len(enrolled) == 25
    assert not trained & {file.parent.name for file in enrolled}

    groups = [read_photo(file) for file in sorted(tmp_path.glob("photos/*.png"))]
    detector = instantiate(OmegaConf.load(CONFIG_DIR / "detector" / "retinaface.yaml"))
    assert [sum(face.score > 0.8 for face in faces) for faces in detector.find(groups)] == [10] * 5
    for group in groups:  # nobody is asked for with a photo they were enrolled from
        cells = [
            group[24 + 248 * row : 248 + 248 * row, 24 + 208 * col : 208 + 208 * col]
            for row in (0, 1)
            for col in range(5)
        ]
        assert not any(np.array_equal(cell, photo) for cell in cells for photo in enrolled.values())
