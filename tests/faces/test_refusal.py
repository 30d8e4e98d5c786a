import numpy as np
import pytest

from facerec.errors import ConfigError
from facerec.faces import Face, Which, refusal_reasons


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
def test_accepted_faces(which: Which, kept: list[Face]) -> None:
    reasons = refusal_reasons(FACES, which, 20, 0.8, (200, 300))
    assert [face for face, reason in zip(FACES, reasons, strict=True) if not reason] == kept
    assert refusal_reasons([], which, 20, 0.8, (200, 300)) == []
    assert refusal_reasons([SMALL, DOUBTFUL], which, 20, 0.8, (200, 300)) == ["face too small", "score too low"]


@pytest.mark.parametrize("which", ["largest", "most_central", "score"])
def test_of_equal_faces_the_first_is_accepted(which: Which) -> None:
    twins = [_face(100, 100, 50, 0.9), _face(100, 100, 50, 0.9)]
    assert refusal_reasons(twins, which, 20, 0.8, (200, 200)) == ["", f"not {which}"]


def test_reasons() -> None:
    reasons = refusal_reasons(FACES, "largest", 20, 0.8, (200, 300))
    assert reasons == ["not largest", "face too small", "", "not largest", "score too low"]


def test_unknown_choice_names_its_key() -> None:
    with pytest.raises(ConfigError, match=r"faces\.which"):
        refusal_reasons(FACES, "best", 20, 0.8, (200, 300))  # type: ignore[arg-type]
