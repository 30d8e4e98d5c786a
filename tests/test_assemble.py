import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import yaml

from facerec.models import Ensemble, load
from facerec.models.folder import read_statistics
from facerec.runtime.files import replace_file

STUDY = Path("outputs/faces")
OUT = STUDY / "ensemble"


@pytest.fixture
def members(study: Path) -> list[Path]:
    """The model folders."""
    return sorted(study.glob("resnet*/*/model"))


@pytest.fixture
def refused(run: Callable[..., int], members: list[Path], capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the job with what it must refuse, which changes nothing; returns its message."""

    def refused(*overrides: str, spoil: Callable[[], object] = lambda: None) -> str:
        before = {file: file.read_bytes() for file in [*OUT.glob("model/*"), OUT / "inputs.json"]}
        spoil()
        capfd.readouterr()
        assert run("assemble", *overrides, "logger=csv") == 1
        assert {file: file.read_bytes() for file in before} == before
        said = "".join(capfd.readouterr())
        assert "Traceback" not in said
        return " ".join(said.split())

    return refused


def _change_bias(model: Path, by: float) -> None:
    weights = safetensors.torch.load_file(model / "weights.safetensors")
    weights["backbone.fc.bias"] += by
    replace_file(model / "weights.safetensors", safetensors.torch.save(weights))


def test_a_study_becomes_one_model_which_is_made_again_only_when_something_changed(
    run: Callable[..., int], members: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(OUT)
    assert run("assemble", "study=faces", "logger=csv") == 0
    said = "".join(capfd.readouterr())
    assert "Weights (retrieval, on validation identities)" in said
    assert str(OUT / "model") in said
    ensemble = load(OUT / "model")
    assert isinstance(ensemble, Ensemble)
    assert ensemble.names == ("resnet18", "resnet34", "resnet50")
    crops = np.random.default_rng(0).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)
    roots = ensemble.weights.sqrt().numpy()
    splits = [root * load(member).embed(crops) for root, member in zip(roots, members, strict=True)]
    np.testing.assert_allclose(ensemble.embed(crops), np.concatenate(splits, axis=1), atol=1e-6, rtol=0)
    np.testing.assert_allclose(np.linalg.norm(ensemble.embed(crops), axis=1), np.ones(3), rtol=1e-5)
    found = read_statistics(OUT / "model")
    assert found["trained_on"]["identities"] == read_statistics(members[0])["trained_on"]["identities"]
    assert found["ensemble"]["pairs"]["val"]["genuine"]["count"] == 2 * 6 * 5 // 2

    def made() -> int:
        return (OUT / "model/weights.safetensors").stat().st_mtime_ns

    first = made()
    assert run("assemble", "study=faces", "logger=csv") == 0
    assert made() == first
    assert "stays as it is" in "".join(capfd.readouterr())

    assert run("assemble", "study=faces", "weighting=equal", "split=train", "logger=csv") == 0
    assert made() != first
    assert read_statistics(OUT / "model")["ensemble"]["pairs"]["train"]["genuine"]["count"] == 8 * 5 * 4 // 2
    assert load(OUT / "model").state_dict()["weights"].tolist() == pytest.approx([1 / 3] * 3)
    assert "Weights (equal, on training identities)" in "".join(capfd.readouterr())
    second = made()

    _change_bias(members[1], 0.1)
    assert run("assemble", "study=faces", "weighting=equal", "split=train", "logger=csv") == 0
    assert made() != second


def test_another_version_makes_it_again_and_the_same_vectors_keep_their_thresholds(
    run: Callable[..., int],
    members: list[Path],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decisions = {
        "thresholds": [{"far": 0.01, "threshold": 0.5, "low": 0.4, "high": None}],
        "evaluated_on": {"dataset": "orl"},
    }
    replace_file(
        OUT / "model/statistics.json", json.dumps({**read_statistics(OUT / "model"), **decisions}).encode()
    )
    monkeypatch.setattr("facerec._version.__version__", "9.9", raising=False)
    assert run("assemble", "study=faces", "logger=csv") == 0
    assert "this is 9.9: done again" in capfd.readouterr().out
    assert decisions.items() <= read_statistics(OUT / "model").items()
    _change_bias(members[1], 0.1)
    assert run("assemble", "study=faces", "logger=csv") == 0
    assert "made with other values of members: done again" in capfd.readouterr().out
    assert not decisions.keys() & read_statistics(OUT / "model").keys()


def test_members_may_be_any_runs_or_models(run: Callable[..., int], members: list[Path]) -> None:
    given = f"members=[{members[0].parent},{members[2]}]"
    assert run("assemble", given, "weighting=logistic", "hydra.run.dir=outputs/pair", "logger=csv") == 0
    ensemble = load("outputs/pair/model")
    assert isinstance(ensemble, Ensemble)
    assert ensemble.names == (members[0].parent.name, members[2].parent.name)
    assert ensemble.embedding_dim == 256
    assert run("assemble", f"members=[{members[0]}]", "hydra.run.dir=outputs/one", "logger=csv") == 0
    assert load("outputs/one/model").state_dict()["weights"].tolist() == [1.0]


def test_a_missing_depth_is_refused(refused: Callable[..., str]) -> None:
    message = refused("study=faces", spoil=lambda: (STUDY / "resnet34/best.json").unlink())
    assert "outputs/faces/resnet34 has no best.json" in message
    assert "python -m facerec.train --multirun experiment=faces/resnet34" in message


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["members=[]"], "members: give one model folder or more"),
        (["members=[outputs/nowhere]"], "members: there is nothing at outputs/nowhere"),
        (["members=[outputs/faces/ensemble/model]"], "is an ensemble; give its members"),
        (["split=test"], "split must be train or val"),
        (["+weight=1"], "weight: no such key"),
        (["data.batch_size=0"], "data.batch_size"),
        (["shard=2/2"], "shard must be i/n"),
    ],
)
def test_what_can_not_be_combined_is_refused(
    refused: Callable[..., str], overrides: list[str], message: str
) -> None:
    assert message in refused("study=faces", *overrides)


def test_a_member_given_twice_is_refused(refused: Callable[..., str], members: list[Path]) -> None:
    assert "a model is given twice" in refused(f"members=[{members[0]},{members[0]}]", "study=faces")


def test_a_member_of_other_identities_is_named(refused: Callable[..., str], members: list[Path]) -> None:
    def spoil() -> None:
        statistics = read_statistics(members[1])
        statistics["trained_on"]["identities"][0] = "0" * 16
        replace_file(members[1] / "statistics.json", json.dumps(statistics).encode())

    message = refused("study=faces", spoil=spoil)
    assert "member resnet34: was trained on other identities" in message
    assert "7 of them the same" in message


def test_a_member_that_does_not_say_its_identities_is_named(
    refused: Callable[..., str], members: list[Path]
) -> None:
    message = refused("study=faces", spoil=lambda: replace_file(members[1] / "statistics.json", b"{}"))
    assert "member resnet34" in message
    assert "does not say which identities it was trained on" in message


def test_a_member_of_another_crop_contract_is_named(refused: Callable[..., str], members: list[Path]) -> None:
    def spoil() -> None:
        contract = yaml.safe_load((members[2] / "model.yaml").read_text())
        contract["crop"]["size"] = 96
        replace_file(members[2] / "model.yaml", yaml.safe_dump(contract).encode())

    message = refused("study=faces", spoil=spoil)
    assert f"{members[2]}/model.yaml: crop is" in message


def test_a_member_whose_embeddings_are_not_finite_is_named(
    refused: Callable[..., str], members: list[Path]
) -> None:
    message = refused("study=faces", spoil=lambda: _change_bias(members[1], torch.nan))
    assert "member resnet34: 40 of 40 embeddings are not finite" in message


@pytest.mark.parametrize("beside", [False, True])
def test_a_file_of_a_model_runs_no_code(refused: Callable[..., str], members: list[Path], beside: bool) -> None:
    function, arguments = "facerec.data.cache.os.system", {"command": "touch obeyed"}

    def spoil() -> None:
        contract = yaml.safe_load((members[0] / "model.yaml").read_text())
        contract["trained_on"].update(function=function, arguments=arguments)
        if beside:  # before models said it themselves, the configuration of their run did
            contract["trained_on"] = None
            evil = {"dataset": {"_target_": function, **arguments}}
            replace_file(members[0].parent / "config.yaml", yaml.safe_dump(evil).encode())
        replace_file(members[0] / "model.yaml", yaml.safe_dump(contract).encode())

    assert "names none, so give it" in refused("study=faces", spoil=spoil)
    assert not Path("obeyed").exists()
