import json
import logging
import os
import shutil
from collections.abc import Callable
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import yaml
from numpy.typing import NDArray

from facerec.backbones import ResNet
from facerec.data import folder as folder_images
from facerec.models import Embedder, Ensemble, load, open_model
from facerec.models.catalogue import find_entry, weights_file
from facerec.models.folder import read_statistics
from facerec.models.store import save
from facerec.runtime.files import replace_file
from facerec.study.member_models import origin_of
from facerec.weighting import MemberPairs
from tests.models.test_onnx_module import TERMS, write_network

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
    found = read_statistics(OUT / "model")
    assert found["ensemble"]["members"] == ["resnet18", "resnet34", "resnet50"]
    counted = [weight > 0 for weight in found["ensemble"]["weights"]]  # two people decide that, hardly twice alike
    assert ensemble.names == tuple(compress(found["ensemble"]["members"], counted))
    crops = np.random.default_rng(0).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)
    roots = ensemble.weights.sqrt().numpy()
    kept = compress(members, counted)
    splits = [root * load(member).embed(crops) for root, member in zip(roots, kept, strict=True)]
    np.testing.assert_allclose(ensemble.embed(crops), np.concatenate(splits, axis=1), atol=1e-6, rtol=0)
    np.testing.assert_allclose(np.linalg.norm(ensemble.embed(crops), axis=1), np.ones(3), rtol=1e-5)
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
    assert run("assemble", "study=faces", "weighting=equal", "logger=csv") == 0
    assert "this is 9.9: done again" in capfd.readouterr().out
    assert decisions.items() <= read_statistics(OUT / "model").items()
    _change_bias(members[1], 0.1)
    assert run("assemble", "study=faces", "weighting=equal", "logger=csv") == 0
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


def _say(model: Path, trained_on: dict[str, Any] | None) -> None:
    """Let a model say that it was trained on these people."""
    statistics = read_statistics(model) | {"trained_on": trained_on}
    replace_file(model / "statistics.json", json.dumps({k: v for k, v in statistics.items() if v}).encode())


def test_a_member_that_knows_a_validation_person_is_named(
    refused: Callable[..., str], members: list[Path], people: Path
) -> None:
    said = read_statistics(members[1])["trained_on"]
    [someone, _] = folder_images(str(people)).identity_digests("val")
    changed = {**said, "identities": sorted([*said["identities"], someone])}
    message = refused("study=faces", spoil=lambda: _say(members[1], changed))
    assert "member resnet34: was trained on 1 of the 2 validation identities" in message
    assert "or change dataset.val_share" in message


def test_weights_of_training_people_want_the_same_for_all_members(
    refused: Callable[..., str], members: list[Path]
) -> None:
    said = read_statistics(members[1])["trained_on"]
    others = {**said, "identities": ["0" * 16, *said["identities"][1:]]}
    message = refused("study=faces", "split=train", spoil=lambda: _say(members[1], others))
    assert "member resnet34: was trained on other identities" in message
    assert "7 of them the same" in message
    message = refused("study=faces", "split=train", spoil=lambda: _say(members[1], None))
    assert "member resnet34" in message
    assert "does not say which identities it was trained on; take split=val" in message


def test_members_of_unlike_training_sets_and_widths_are_measured_together(
    run: Callable[..., int], members: list[Path], people: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = read_statistics(members[0])["trained_on"]
    half = {**said, "identities": said["identities"][:4]}
    torch.manual_seed(0)
    narrow = Embedder(ResNet(18, embedding_dim=24, stem="imagenet"), (120, 110, 100), (70, 70, 70)).eval()
    save(tmp_path / "narrow", narrow, statistics={"trained_on": {**half, "dataset": "elsewhere"}}, origin={})
    save(tmp_path / "silent", narrow, statistics={}, origin={})
    _say(members[0], half)
    given = [f"members=[{members[0]},{members[1]},{tmp_path / 'narrow'},{tmp_path / 'silent'}]", "weighting=equal"]
    assert run("assemble", *given, "hydra.run.dir=outputs/mixed", "logger=csv") == 0
    printed = " ".join("".join(capfd.readouterr()).split())
    assert "member silent: its training people are unknown" in printed
    assert "member narrow: was trained on people of elsewhere only" in printed
    model = Path("outputs/mixed/model")
    assert load(model).embedding_dim == 128 + 128 + 24 + 24
    found = read_statistics(model)["trained_on"]
    assert (found["dataset"], found["identities"]) == (said["dataset"], said["identities"])
    assert found["others"] == [{"dataset": "elsewhere", "identities": half["identities"]}]
    assert found["unknown"] == ["silent"]

    measured = ["model=outputs/mixed/model", "hydra.run.dir=measured", "logger=csv", "resamples=20"]
    assert run("evaluate", *measured, "data.decode_workers=0") == 0
    printed = " ".join("".join(capfd.readouterr()).split())
    assert "never seen in training; training people of silent not known" in printed
    page = Path("measured/report.html").read_text()
    assert "as far as is known; on whom silent was trained is not known" in page
    results = json.loads(Path("measured/metrics.json").read_text())
    assert list(results["systems"])[2:] == ["narrow", "silent", "concatenation", "ensemble"]
    assert (results["shared_identities"], results["training_unknown"]) == (0, ["silent"])

    # one of the people to be measured on is in the training set of one member
    asked = folder_images(str(people)).identity_digests("test")
    _say(model, {**found, "dataset": "elsewhere", "others": [{**said, "identities": asked[:1]}]})
    assert run("evaluate", *measured, "data.decode_workers=0") == 1
    assert "the model was trained on 1 of the 4 identities" in " ".join("".join(capfd.readouterr()).split())


def all_to_the_first(pairs: MemberPairs) -> NDArray[np.float64]:
    """A weighting."""
    weights = np.zeros(len(pairs.names))
    weights[0] = 1
    return weights


def test_a_member_of_weight_0_is_left_out_and_listed(
    run: Callable[..., int], members: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    given = ["weighting=equal", f"weighting._target_={__name__}.all_to_the_first", "logger=csv"]
    assert run("assemble", "study=faces", *given) == 0
    said = "".join(capfd.readouterr())
    for name in ("resnet34", "resnet50"):
        assert f"member {name}: has weight 0, so it is left out of the ensemble" in said
    assert said.count("0, left out") == 2
    ensemble = load(OUT / "model")
    assert isinstance(ensemble, Ensemble)
    assert ensemble.names == ("resnet18",)
    found = read_statistics(OUT / "model")["ensemble"]
    assert (found["members"], found["weights"]) == (["resnet18", "resnet34", "resnet50"], [1, 0, 0])
    assert run("evaluate", "study=faces", "logger=csv", "resamples=20", "data.decode_workers=0") == 0
    systems = json.loads((STUDY / "evaluation/metrics.json").read_text())["systems"]
    assert list(systems) == ["resnet18", "concatenation", "ensemble"]
    assert "<td>0, left out</td>" in (STUDY / "evaluation/report.html").read_text()


def test_an_onnx_file_is_a_member_and_goes_with_the_ensemble(
    run: Callable[..., int], members: list[Path], tmp_path: Path
) -> None:
    Path("foreign").mkdir()
    write_network(Path("foreign/net.onnx"))
    said = {"licence": "MIT", "origin": "a test"}
    Path("foreign/contract.yaml").write_text(yaml.safe_dump({**TERMS, "output": "vectors", **said}))
    given = [f"members=[{members[0]},./foreign]", "weighting=equal", "hydra.run.dir=outputs/both", "logger=csv"]
    assert run("assemble", *given) == 0
    foreign = open_model("./foreign", "cpu")
    shutil.rmtree("foreign")
    moved = shutil.move("outputs/both/model", tmp_path / "moved")
    opened = open_model(moved, "cpu")
    crops = np.random.default_rng(0).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)
    np.testing.assert_allclose(load(moved).embed(crops)[:, 128:] * 2**0.5, foreign.embed(crops), atol=1e-5)
    contract = yaml.safe_load((tmp_path / "moved/model.yaml").read_text())
    assert contract["members"][1]["origin"] == said
    assert contract["origin"]["licences"] == {"foreign": "MIT"}
    assert "non_commercial" not in contract["origin"]
    assert opened.statistics.trained_on is not None
    assert opened.statistics.trained_on["unknown"] == ["foreign"]


def test_a_ready_made_model_is_a_member_and_needs_no_cache_afterwards(
    run: Callable[..., int],
    members: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    cache = os.environ["FACEREC_CACHE"]
    monkeypatch.delenv("FACEREC_CACHE")
    weights = weights_file(find_entry("sface"))
    if not weights.exists():
        pytest.skip("the weights of sface are not in the user's cache: facerec models get sface")
    shutil.copytree(cache, tmp_path / "cache")
    (tmp_path / "cache/models").mkdir(exist_ok=True)
    (tmp_path / "cache/models/sface.onnx").symlink_to(weights)
    monkeypatch.setenv("FACEREC_CACHE", str(tmp_path / "cache"))
    given = [f"members=[sface,{members[0]}]", "offline=true", "hydra.run.dir=outputs/both", "logger=csv"]
    assert run("assemble", *given, "weighting=equal") == 0
    shutil.rmtree(tmp_path / "cache/models")
    shutil.move("outputs/both/model", "moved")
    measured = ["model=./moved", "hydra.run.dir=measured", "logger=csv", "resamples=20", "data.decode_workers=0"]
    assert run("evaluate", *measured, "offline=true") == 0
    printed = " ".join("".join(capfd.readouterr()).split())
    assert "training people of sface not known" in printed
    results = json.loads(Path("measured/metrics.json").read_text())
    assert list(results["systems"]) == ["sface", members[0].parent.name, "concatenation", "ensemble"]
    assert (
        results["systems"]["sface"]["MAP@R"]["value"] > results["systems"][members[0].parent.name]["MAP@R"]["value"]
    )
    page = Path("measured/report.html").read_text()
    assert "<td>sface</td>" in page
    assert "0.5000" in page
    contract = yaml.safe_load(Path("moved/model.yaml").read_text())
    assert contract["members"][0]["network"]["sha256"] == find_entry("sface").sha256
    assert contract["members"][0]["origin"]["licence"] == contract["origin"]["licences"]["sface"] == "Apache-2.0"
    assert contract["members"][0]["fingerprint"] == find_entry("sface").fingerprint


def test_a_licence_that_forbids_commercial_use_is_passed_on(
    members: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = open_model(members[0], "cpu")
    model.origin = {**model.origin, "licence": "CC-BY-NC-4.0", "non_commercial": True}
    model.origin |= {"teacher": {"name": "sface", "licence": "Apache-2.0"}}
    origin = origin_of({"a": model, "b": open_model(members[1], "cpu")}, "faces")
    assert (origin["licences"], origin["non_commercial"]) == ({"a": "CC-BY-NC-4.0"}, True)
    assert origin["teachers"] == {"a": {"name": "sface", "licence": "Apache-2.0"}}
    torch.manual_seed(0)
    network = Embedder(ResNet(18, embedding_dim=4, stem="imagenet"), (120, 110, 100), (70, 70, 70))
    save(tmp_path / "model", Ensemble({"a": network}, [1.0]), statistics={}, origin=origin)
    with caplog.at_level(logging.WARNING):
        assert open_model(tmp_path / "model", "cpu").origin["non_commercial"]
    assert "NOT FOR COMMERCIAL USE" in caplog.text
    # and an ensemble of which it is a part says so, too
    assert origin_of({"c": open_model(tmp_path / "model", "cpu")}, "faces")["non_commercial"]


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
    assert "member resnet34: 12 of 12 embeddings are not finite" in message


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
