"""Models side by side, beside each one's own evaluation and pairs counted in float64."""

import json
from collections.abc import Callable
from copy import deepcopy
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facerec.backbones import ResNet
from facerec.crops import encode_png
from facerec.crops.crop_file import crop_file
from facerec.data import orl
from facerec.evaluation import write_pair_file
from facerec.evaluation.comparison import slice_errors, worst_slices
from facerec.models import Embedder, Ensemble
from facerec.models.store import save

ORL = {"dataset": "orl", "function": "facerec.data.orl", "arguments": {}}


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.floats(-0.5, 0.9))
def test_errors_of_a_slice_are_those_of_its_pairs(seed: int, threshold: float) -> None:
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(6), 8)
    vectors = random.standard_normal((6, 5))[labels] + 0.8 * random.standard_normal((48, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    slices = {"some": random.random(48) < 0.9, "none": np.zeros(48, bool), "few": np.arange(48) < 9}
    errors = slice_errors(torch.from_numpy(vectors).float(), torch.from_numpy(labels), slices, threshold)
    assert "none" not in errors
    assert "few" not in errors  # nine images make 36 pairs
    for name in errors.keys() & {"all", "some"}:
        rows = np.arange(48) if name == "all" else np.flatnonzero(slices[name])
        accepted: dict[bool, list[bool]] = {True: [], False: []}
        for a, b in combinations(rows.tolist(), 2):
            accepted[bool(labels[a] == labels[b])].append(bool(vectors[a] @ vectors[b] >= threshold))
        # similarities are rounded to a grid of 2^-15: one pair may lie on the other side
        assert errors[name]["FAR"] == pytest.approx(np.mean(accepted[False]), abs=1.01 / len(accepted[False]))
        assert errors[name]["FRR"] == pytest.approx(1 - np.mean(accepted[True]), abs=1.01 / len(accepted[True]))
        assert (errors[name]["impostor"], errors[name]["genuine"]) == (len(accepted[False]), len(accepted[True]))


def test_the_worst_slice_is_named() -> None:
    rates = {"all": (0.9, 0.9), "old": (0.1, 0.3), "young": (0.2, 0.1)}
    errors = {name: {"FAR": far, "FRR": frr} for name, (far, frr) in rates.items()}
    assert worst_slices(errors) == {"FAR": "young", "FRR": "old"}
    assert worst_slices({"all": errors["all"]}) == {"FAR": None, "FRR": None}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run with a model of ORL, and a study with an ensemble."""
    torch.manual_seed(0)
    base = tmp_path_factory.mktemp("models")
    net = Embedder(ResNet(18, embedding_dim=8, stem="imagenet"), (120, 110, 100), (70, 70, 70)).eval()
    save(base / "run" / "model", net, statistics={}, origin={"trained_on": ORL})
    both = Ensemble({"one": net, "two": deepcopy(net)}, [0.5, 0.5]).eval()
    save(base / "both" / "ensemble" / "model", both, statistics={}, origin={})
    return base / "run", base / "both"


@pytest.mark.slow
def test_each_model_is_measured_as_by_evaluate(
    run: Callable[..., int], in_folder: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    alone, study = folders
    images = orl()
    crops = [encode_png(crop_file(images.files[row], None).transpose(1, 2, 0)) for row in range(120)]
    pairs = [(row, row + 1 if row % 4 else (row + 20) % 120) for row in range(0, 118, 2)]
    write_pair_file(Path("toy.bin"), crops, [(left, right, left // 10 == right // 10) for left, right in pairs])
    given = ["dataset=orl", "resamples=50", "logger=null", "pairs=[toy.bin]"]
    assert run("compare", f"models=[{alone},{study}]", *given, "hydra.run.dir=side") == 0
    results = json.loads(Path("side/metrics.json").read_text())
    printed = capsys.readouterr().out
    assert list(results["systems"]) == ["run", "both"]
    assert run("evaluate", f"model={alone}", *given, "hydra.run.dir=alone") == 0
    expected = json.loads(Path("alone/metrics.json").read_text())["systems"]["model"]
    assert {name: results["systems"]["run"][name] for name in expected} == expected
    on_pairs = json.loads(Path("alone/metrics.json").read_text())["pair_sets"]["toy"]
    assert results["pair_sets"]["toy"]["systems"]["run"] == on_pairs["systems"]["model"]
    assert list(results["pair_sets"]["toy"]["systems"]) == ["run", "both"]
    [(title, difference)] = results["differences"].items()
    assert title in ("run over both", "both over run")  # of one network twice: the same vectors to rounding
    assert difference["MAP@R"]["value"] == pytest.approx(0, abs=1e-3)
    size = {name: about["megabytes"] for name, about in results["models"].items()}
    assert size["both"] == pytest.approx(2 * size["run"], rel=0.01)
    assert f"{results['systems']['both']['MAP@R']['value']:.4f}" in printed
    page = Path("side/comparison.html").read_text()
    assert "2 models on orl" in page
    assert "<h3>toy</h3>" in page
    assert f"{results['slices']['run']['all']['FRR']:.4f}" in page


@pytest.mark.parametrize(
    ("models", "message"),
    [("[sface]", "models: give two or more"), ("[sface,./nowhere]", "models: there is nothing at nowhere")],
)
def test_what_can_not_be_compared_is_refused(
    run: Callable[..., int], in_folder: Path, capsys: pytest.CaptureFixture[str], models: str, message: str
) -> None:
    assert run("compare", f"models={models}", "dataset=orl") == 1
    assert message in "".join(capsys.readouterr())
