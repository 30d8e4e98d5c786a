"""Detect, embed and compare: what needs the model and no gallery."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facerec.models import open_model
from tests.web import fisherfaces
from tests.web.conftest import ANN, BOB, CLEO, Running, check_problem, enroll, group, identify, photo

API = "/api/v1"


def ask(service: Running, what: str, picture: bytes, other: bytes | None = None, **fields: str) -> dict[str, Any]:
    files = {"photo": ("p.jpg", picture), **({"other": ("q.jpg", other)} if other else {})}
    answer = service.client.post(f"{API}/{what}", files=files, data=fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def grey() -> bytes:
    """A photo without a face."""
    stream = io.BytesIO()
    Image.new("L", (200, 200), 128).save(stream, "PNG")
    return stream.getvalue()


def test_detect_and_embed_find_the_faces_that_identify_finds(service: Running, contract: Path) -> None:
    picture = group((ANN, 1), (BOB, 1), (CLEO, 1))
    identified = identify(service.client, picture).json()
    detected, embedded = ask(service, "detect", picture), ask(service, "embed", picture)
    assert len(detected["faces"]) == 3
    keys = ("number", "box", "landmarks", "score")
    for found in (identified, embedded):
        assert [{key: face[key] for key in keys} for face in found["faces"]] == detected["faces"]
        assert (found["width"], found["height"]) == (detected["width"], detected["height"])
    model = open_model(contract, "cpu")
    described = {"name": contract.parent.name, "fingerprint": model.fingerprint, "dim": fisherfaces.DIM}
    assert embedded["model"] == described
    vectors = np.array([face["vector"] for face in embedded["faces"]])
    assert vectors.shape == (3, fisherfaces.DIM)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


def test_a_vector_is_that_of_the_gallery(service: Running) -> None:
    enroll(service.client, "Ann", photo(ANN, 1))
    [face] = identify(service.client, photo(ANN, 2)).json()["faces"]
    [one], [other] = (ask(service, "embed", photo(ANN, number))["faces"] for number in (1, 2))
    assert face["matches"][0]["similarity"] == pytest.approx(np.dot(one["vector"], other["vector"]), abs=1e-6)


def test_compare_the_largest_faces(service: Running, contract: Path) -> None:
    statistics = json.loads((contract.parent / "statistics.json").read_text())
    threshold = {point["far"]: point["threshold"] for point in statistics["thresholds"]}
    ann, bob = photo(ANN, 1), photo(BOB, 1)
    for far, wanted in threshold.items():
        same = ask(service, "compare", ann, photo(ANN, 2), far=str(far))
        assert (same["far"], same["threshold"]) == (pytest.approx(far), pytest.approx(wanted))
        [pair] = same["pairs"]
        assert pair["accepted"] == (pair["similarity"] >= wanted)
    vectors = [ask(service, "embed", picture)["faces"][0]["vector"] for picture in (ann, photo(ANN, 2))]
    assert pair["similarity"] == pytest.approx(np.dot(*vectors), abs=1e-6)
    assert pair["probability"] == pytest.approx(1 / (1 + np.exp(-(12 * pair["similarity"] - 6))), abs=1e-6)
    [stranger] = ask(service, "compare", ann, bob)["pairs"]
    assert stranger["similarity"] < pair["similarity"]
    assert not stranger["accepted"]
    [itself] = ask(service, "compare", ann, ann)["pairs"]
    assert itself["accepted"]
    assert itself["similarity"] == pytest.approx(1, abs=1e-6)


def test_compare_all_faces(service: Running) -> None:
    party = group((BOB, 1), (ANN, 2), (CLEO, 1))
    compared = ask(service, "compare", photo(ANN, 1), party, faces="all")
    assert [(pair["face"], pair["other"]) for pair in compared["pairs"]] == [(1, 1), (1, 2), (1, 3)]
    best = max(compared["pairs"], key=lambda pair: float(pair["similarity"]))
    box = compared["other"]["faces"][best["other"] - 1]["box"]
    assert box[0] // 208 == 1  # the second column
    largest = ask(service, "compare", photo(ANN, 1), party)
    sizes = [min(x1 - x0, y1 - y0) for x0, y0, x1, y1 in (face["box"] for face in largest["other"]["faces"])]
    assert [pair["other"] for pair in largest["pairs"]] == [int(np.argmax(sizes)) + 1]


def test_without_a_face_there_is_nothing_to_compare(service: Running) -> None:
    empty = grey()
    assert ask(service, "detect", empty)["faces"] == []
    assert ask(service, "embed", empty)["faces"] == []
    compared = ask(service, "compare", photo(ANN, 1), empty)
    assert compared["pairs"] == []
    assert len(compared["photo"]["faces"]) == 1


def test_refusals(service: Running) -> None:
    client, files = service.client, {"photo": ("a.jpg", photo(ANN, 1))}
    assert "other: missing or empty; send a second photo" in check_problem(
        client.post(f"{API}/compare", files=files), 422
    )
    both = {**files, "other": ("b.jpg", photo(BOB, 1))}
    wrong = client.post(f"{API}/compare", files=both, data={"faces": "some"})
    assert "faces: send largest or all" in check_problem(wrong, 422)
    for what in ("detect", "embed"):
        check_problem(client.post(f"{API}/{what}", files={"photo": ("a.jpg", b"not a photo")}), 415)
        check_problem(client.post(f"{API}/{what}", json={}), 415)
        check_problem(client.post(f"{API}/{what}", files={"photo": ("a.jpg", b"x" * 20_100_000)}), 413)
    # two photos of the size that one may have
    halves = dict.fromkeys(("photo", "other"), ("a.jpg", b"x" * 19000000))
    check_problem(client.post(f"{API}/compare", files=halves), 415)


def test_nothing_is_stored(service: Running) -> None:
    ready = service.client.get(f"{API}/ready").json()
    for what in ("detect", "embed"):
        ask(service, what, photo(ANN, 1))
    ask(service, "compare", photo(ANN, 1), photo(ANN, 2))
    assert service.client.get(f"{API}/ready").json() == ready
    assert service.client.get(f"{API}/changes").json() == []
