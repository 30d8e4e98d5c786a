"""Text files that an editor on Windows saved begin with a byte-order mark, and are read as without it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facerec.data.celeba import _read_columns
from facerec.evaluation import by_attribute, read_pairs
from facerec.gallery import transfer
from facerec.models.folder import read_statistics
from facerec.models.onnx_contract import read_contract
from facerec.web.keys import read_keys

EXPORT = {"format": 1, "model": "m", "dim": 2}
PERSON = {"person": "Ann", "note": None, "source": "a.jpg", "crop": "00", "box": None, "score": None, "kept": None}
READERS: list[tuple[str, str, Callable[[Path], Any]]] = [
    ("keys.txt", f"ann admin {'0' * 64}\n", read_keys),
    ("pairs.txt", "1\nAnn 1 2\nAnn 1 Bob 1\n", lambda file: read_pairs([file])),
    ("identity_CelebA.txt", "1.jpg 7\n2.jpg 8\n", lambda file: _read_columns(file, 1)),
    ("list_attr_celeba.txt", "1\nSmiling\n1.jpg 1\n", lambda file: list(by_attribute(file, ["1.jpg"]))),
    (
        "export.jsonl",
        f"{json.dumps(EXPORT)}\n{json.dumps(PERSON | {'vector': 'AAAAAA=='})}\n",
        lambda file: [entry.name for entry in transfer.read(file, "m")],
    ),
    (
        "external.yaml",
        "weights: a.onnx\nembedding_dim: 2\ncolour: RGB\nmean: 1\nstd: 1\n",
        read_contract,
    ),
    ("statistics.json", '{"thresholds": []}', lambda file: read_statistics(file.parent)),
]


@pytest.mark.parametrize(("name", "text", "read"), READERS, ids=[name for name, _, _ in READERS])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_it_is_read(name: str, text: str, read: Callable[[Path], Any], ends: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8", newline="\n")
    plain = read(file)
    file.write_text(text, encoding="utf-8-sig", newline=ends)
    assert read(file) == plain
    assert plain
