import numpy as np
import pytest

from facerec.errors import ConfigError
from facerec.faces import Face, choose, refuse


def _face(x: float, y: float, side: float, score: float) -> Face:
    box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)
    return Face(box, np.zeros((5, 2), np.float32), score)


SURE, LARGE, CENTRAL = _face(20, 20, 40, 0.99), _face(200, 60, 100, 0.95), _face(150, 100, 50, 0.9)
SMALL, DOUBTFUL = _face(150, 100, 10, 0.99), _face(150, 100, 200, 0.4)
FACES = [SURE, SMALL, LARGE, CENTRAL, DOUBTFUL]


@pytest.mark.parametrize(
    ("which", "kept"),
    [("all", [SURE, LARGE, CENTRAL]), ("largest", [LARGE]), ("most_central", [CENTRAL]), ("score", [SURE])],
)
def test_which_faces_count(which: str, kept: list[Face]) -> None:
    assert choose(FACES, which, 20, 0.8, (200, 300)) == kept  # type: ignore[arg-type]
    assert choose([], which, 20, 0.8, (200, 300)) == []  # type: ignore[arg-type]
    assert choose([SMALL, DOUBTFUL], which, 20, 0.8, (200, 300)) == []  # type: ignore[arg-type]


def test_of_equals_the_first() -> None:
    twins = [_face(100, 100, 50, 0.9), _face(100, 100, 50, 0.9)]
    for which in ("largest", "most_central", "score"):
        assert choose(twins, which, 20, 0.8, (200, 200))[0] is twins[0]


def test_reasons_are_told() -> None:
    reasons = refuse(FACES, "largest", 20, 0.8, (200, 300))
    assert reasons == ["not largest", "face too small", "", "not largest", "score too low"]


def test_unknown_choice_names_its_key() -> None:
    with pytest.raises(ConfigError, match=r"faces\.which"):
        choose(FACES, "best", 20, 0.8, (200, 300))  # type: ignore[arg-type]
