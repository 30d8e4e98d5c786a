"""The card that an evaluation writes into a model's folder."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from facerec.backbones import ResNet
from facerec.errors import ModelError
from facerec.models import Embedder, open_model
from facerec.models.folder import read_card
from facerec.models.store import load, save
from facerec.report.card import write_card
from tests.conftest import Run
from tests.models.test_onnx_model import TERMS, matrix, write_network

TEACHER = {"name": "sface", "fingerprint": "1", "licence": "Apache-2.0", "trained_on": "unknown people"}
POINT = {"far": 0.01, "threshold": 0.51234, "low": 0.4, "high": 0.6}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    embedder = Embedder(ResNet(18, stem="imagenet", embedding_dim=6), (120, 110, 100), (70, 70, 70)).eval()
    statistics = {
        "trained_on": {"dataset": "celeba", "identities": ["a", "b", "c"]},
        "thresholds": [POINT, {"far": 0.0001, "threshold": None}],
    }
    origin = {"licence": "CC BY-NC", "non_commercial": True, "teacher": TEACHER}
    save(tmp_path / "net", embedder, statistics=statistics, origin=origin)
    return tmp_path / "net"


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def results(**changes: Any) -> dict[str, Any]:
    return {
        "version": "9.9",
        "fingerprint": "abcdef",
        "dataset": "lfw",
        "split": "test",
        "images": 40,
        "identities": 20,
        "trained_on": "celeba",
        "shared_identities": None,
        "systems": {"first": {"MAP@R": figure(0.1)}, "model": {"MAP@R": figure(0.75), "AUC": figure(0.9)}},
        "slices": {
            "Male": {"images": {"value": 12.0, "low": None, "high": None}, "MAP@R": figure(0.7)},
            "not Male": {"images": {"value": 28.0, "low": None, "high": None}, "MAP@R": figure(0.6)},
        },
        **changes,
    }


def test_it_says_what_a_reader_has_to_know(folder: Path) -> None:
    write_card(open_model(folder, "cpu"), results())
    card = read_card(folder)
    for text in (
        "# net\n",
        "vector of 6 numbers",
        "- 3 people of the data set celeba\n",
        "- the vectors of sface (licence: Apache-2.0;",
        "40 images of 20 people of lfw (test)",
        "it was trained on another data set, celeba",
        "| MAP@R | 0.7500 | 0.6500 … 0.8500 |",
        "| not Male | 28 | 0.6000 | 0.5000 … 0.7000 |",
        "Worst on: not Male.",
        "| 0.01 | 0.5123 | 0.4000 … 0.6000 |",
        "| 0.0001 | not reached |  |",
        "20 people are few",
        "Of the weights: CC BY-NC. NOT FOR COMMERCIAL USE.",
        "Fingerprint abcdef, evaluated by facerec 9.9.",
    ):
        assert text in card, card
    assert "0.1000" not in card  # of another system
    assert "differ between groups" not in card


def test_what_was_not_measured_or_is_not_known_is_said(folder: Path) -> None:
    save(folder, load(folder), statistics={}, origin={})  # the card goes with the model that it was of
    write_card(open_model(folder, "cpu"), results(slices={}, trained_on=None, identities=300))
    card = read_card(folder)
    assert "It is not known on whom." in card
    assert "Of the weights: not stated. The" in card
    assert "It was not measured how the figures differ between groups of people." in card
    assert "are few" not in card
    assert "Worst on" not in card


def test_a_card_goes_with_its_model_and_a_readme_of_somebody_else_stays(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_card(open_model(folder, "cpu"), results())
    write_card(open_model(folder, "cpu"), results(identities=21))
    assert "40 images of 21 people" in read_card(folder)
    save(folder, load(folder), statistics={}, origin={})
    with pytest.raises(ModelError, match=r"has no card yet; `facerec evaluate model=.*` writes it"):
        read_card(folder)
    (folder / "README.md").write_text("mine")
    with caplog.at_level(logging.WARNING):
        write_card(open_model(folder, "cpu"), results())
    assert "was not written by facerec, so it stays" in caplog.text
    assert read_card(folder) == "mine"


@pytest.mark.slow
def test_evaluate_writes_it_and_models_show_prints_it(
    run: Run, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(folder, load(folder), statistics={}, origin={})
    given = [f"model={folder}", "dataset=orl", "resamples=20", "logger=csv", "data.decode_workers=0"]
    assert run("evaluate", *given, "hydra.run.dir=evaluation") == 0
    figures = json.loads(Path("evaluation/metrics.json").read_text())
    capsys.readouterr()
    assert run("models", "action=show", f"name={folder}") == 0
    card = capsys.readouterr().out
    assert "100 images of 10 people of orl (test); it is not known on whom" in card
    assert f"| MAP@R | {figures['systems']['model']['MAP@R']['value']:.4f} |" in card
    assert f"| 0.01 | {figures['thresholds'][0]['threshold']:.4f} |" in card
    # figures of another set are not those of the model's thresholds
    assert run("evaluate", *given, "dataset.test_identities=5", "hydra.run.dir=other") == 0
    assert "100 images of 10 people" in read_card(folder)
    assert run("models", "action=show", "name=./nowhere") == 1


def test_an_adopted_network_has_a_card_and_a_contract_among_other_files_none(tmp_path: Path) -> None:
    write_network(tmp_path / "net.onnx", matrix())
    for name in ("net.yaml", "contract.yaml"):
        (tmp_path / name).write_text(yaml.safe_dump({**TERMS, "licence": "MIT"}))
        assert not (tmp_path / "README.md").exists()
        write_card(open_model(tmp_path / name, "cpu"), results())
    assert "Of the weights: MIT." in read_card(tmp_path)
