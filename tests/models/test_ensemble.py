import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import yaml
from torch import nn

from facerec.backbones import ResNet
from facerec.errors import ModelError
from facerec.models import Ensemble
from facerec.models import store as model
from facerec.models.embedder import Embedder
from facerec.models.folder import fingerprint, read_statistics, write_statistics

WEIGHTS = (0.5, 0.2, 0.3)
CROPS = np.random.default_rng(0).integers(0, 256, (4, 3, 112, 112), dtype=np.uint8)


def embedder(depth: int, dim: int, seed: int) -> Embedder:
    torch.manual_seed(seed)
    made = Embedder(
        ResNet(depth, embedding_dim=dim, stem="imagenet"), (100.0 + seed, 110, 90), (70, 60.0 + seed, 65)
    )
    made(torch.from_numpy(CROPS))  # running statistics that are not the initial ones
    return made


@pytest.fixture(scope="module")
def members() -> dict[str, Embedder]:
    return {"first": embedder(18, 8, 0), "deep": embedder(34, 16, 1), "Ännchen": embedder(18, 5, 2)}


@pytest.fixture(scope="module")
def ensemble(members: dict[str, Embedder]) -> Ensemble:
    return Ensemble(members, WEIGHTS)


@pytest.fixture(scope="module")
def saved(ensemble: Ensemble, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("saved") / "model", ensemble)


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    copied = tmp_path / "model"
    copied.mkdir()
    for file in saved.iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    return copied


def save(folder: Path, ensemble: Ensemble) -> Path:
    model.save(folder, ensemble, statistics={"pairs": [1]}, origin={"seed": 0})
    return folder


# The vectors


def test_embeddings_lie_on_the_product_of_the_spheres(ensemble: Ensemble, members: dict[str, Embedder]) -> None:
    embeddings = ensemble.embed(CROPS, batch_size=3)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (4, ensemble.embedding_dim) == (4, 29)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), np.ones(4), atol=1e-6)
    parts = [member.embed(CROPS).astype(np.float64) for member in members.values()]
    expected = sum(weight * part @ part.T for weight, part in zip(WEIGHTS, parts, strict=True))
    np.testing.assert_allclose(embeddings @ embeddings.T, expected, atol=1e-6)
    for part, found, weight in zip(parts, np.split(embeddings, [8, 24], axis=1), WEIGHTS, strict=True):
        np.testing.assert_allclose(found, weight**0.5 * part, atol=1e-6)


def test_an_ensemble_of_one_is_its_member(members: dict[str, Embedder]) -> None:
    alone = Ensemble({"first": members["first"]}, [1])
    assert np.array_equal(alone.embed(CROPS[0]), members["first"].embed(CROPS[0]))


def test_a_member_of_weight_0_changes_nothing(members: dict[str, Embedder]) -> None:
    embeddings = Ensemble(members, np.array([1.0, 0.0, 0.0])).embed(CROPS)
    assert np.array_equal(embeddings[:, :8], members["first"].embed(CROPS))
    assert not embeddings[:, 8:].any()


def test_embed_leaves_modes_and_running_statistics_alone(members: dict[str, Embedder]) -> None:
    training = copy.deepcopy(Ensemble(members, WEIGHTS)).train()
    training.embedders[1].eval()
    modes = [module.training for module in training.modules()]
    before = copy.deepcopy(training.state_dict())
    training.embed(CROPS)
    assert [module.training for module in training.modules()] == modes
    torch.testing.assert_close(training.state_dict(), before, rtol=0, atol=0)


def test_embeddings_are_float32_and_unit_under_autocast(ensemble: Ensemble) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        embeddings = ensemble.embed(CROPS)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), np.ones(4), atol=1e-5)


def test_anything_but_uint8_crops_is_refused(ensemble: Ensemble) -> None:
    for embed in (ensemble, ensemble.embed):
        with pytest.raises(ValueError, match="uint8"):
            embed(torch.zeros(1, 3, 112, 112))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((0.5, 0.5), "3 members can't have weights"),
        ((0.5, 0.5, 1e-5), "sum 1"),
        ((0.6, 0.6, -0.2), "0 or above"),
        ((0.5, float("nan"), 0.5), "0 or above"),
        (np.eye(3), "each needs one"),
    ],
)
def test_weights_that_are_no_shares_are_refused(members: dict[str, Embedder], weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ensemble(members, weights)


def test_an_ensemble_needs_a_member() -> None:
    with pytest.raises(ValueError, match="0 members"):
        Ensemble({}, [])


# On disk


def test_a_loaded_ensemble_gives_the_same_vectors(ensemble: Ensemble, saved: Path) -> None:
    state = torch.get_rng_state()
    loaded = model.load(saved)
    assert torch.equal(torch.get_rng_state(), state)
    assert isinstance(loaded, Ensemble)
    assert loaded.names == ("first", "deep", "Ännchen")
    assert not any(module.training for module in loaded.modules())
    np.testing.assert_allclose(loaded.embed(CROPS), ensemble.embed(CROPS), atol=1e-6, rtol=0)
    torch.testing.assert_close(loaded.state_dict(), ensemble.state_dict(), rtol=0, atol=0)
    assert read_statistics(saved) == {"pairs": [1]}


def test_the_contract_lists_the_members(members: dict[str, Embedder], saved: Path, tmp_path: Path) -> None:
    text = (saved / "model.yaml").read_text(encoding="utf-8")
    assert text.startswith("# A face ensemble")
    contract = yaml.safe_load(text)
    assert list(contract) == ["format", "kind", "members", "crop", "embedding_dim", "trained_on", "origin"]
    assert (contract["format"], contract["kind"], contract["embedding_dim"]) == (3, "ensemble", 29)
    options = [member.backbone.options for member in members.values()]
    assert contract["trained_on"] is None
    prints = [{"fingerprint": one.pop("fingerprint")} for one in copy.deepcopy(contract["members"])]
    for member, kept in zip(members.values(), prints, strict=True):
        model.save(tmp_path / "member", member, statistics={}, origin={})
        assert kept["fingerprint"] == fingerprint(tmp_path / "member")
    assert contract["members"] == [
        {"name": "first", "backbone": {"class": "ResNet", **options[0]}, "embedding_dim": 8, **prints[0]},
        {"name": "deep", "backbone": {"class": "ResNet", **options[1]}, "embedding_dim": 16, **prints[1]},
        {"name": "Ännchen", "backbone": {"class": "ResNet", **options[2]}, "embedding_dim": 5, **prints[2]},
    ]
    names = set(safetensors.torch.load_file(saved / "weights.safetensors"))
    assert {"weights", "members.0.backbone.conv1.weight", "members.2.mean"} <= names


def test_the_fingerprint_follows_what_decides_the_vectors(
    ensemble: Ensemble, members: dict[str, Embedder], saved: Path, tmp_path: Path
) -> None:
    first, (a, b, c) = fingerprint(saved), members.values()
    again = Ensemble({"other": a, "names": b, "here": c}, WEIGHTS)
    assert fingerprint(save(tmp_path / "again", again)) == first
    others = [
        Ensemble(members, (0.5, 0.3, 0.2)),
        Ensemble({"c": c, "b": b, "a": a}, WEIGHTS),
        Ensemble({"a": a}, [1]),
    ]
    prints = {fingerprint(save(tmp_path / str(i), other)) for i, other in enumerate(others)}
    model.save(tmp_path / "a", a, statistics={}, origin={})
    assert len({first, *prints, fingerprint(tmp_path / "a")}) == 5


@pytest.mark.filterwarnings("ignore")
def test_compiled_members_are_saved_under_their_own_names(members: dict[str, Embedder], tmp_path: Path) -> None:
    compiled: Any = dict(copy.deepcopy(members))
    compiled["first"].backbone = torch.compile(compiled["first"].backbone, backend="eager")
    compiled["deep"] = torch.compile(compiled["deep"], backend="eager")
    whole: Any = torch.compile(Ensemble(compiled, WEIGHTS), backend="eager")
    assert sum("_orig_mod." in name for name in whole.state_dict()) > 9
    loaded = model.load(save(tmp_path / "model", whole))
    np.testing.assert_allclose(loaded.embed(CROPS), Ensemble(members, WEIGHTS).embed(CROPS), atol=1e-6, rtol=0)


def test_what_could_not_be_loaded_is_not_saved(members: dict[str, Embedder], tmp_path: Path) -> None:
    strange = Ensemble(copy.deepcopy(members), WEIGHTS)
    strange.embedders[1].backbone = nn.Identity()
    with pytest.raises(ModelError, match=r"Identity.* is not registered"):
        save(tmp_path / "model", strange)
    halved = Ensemble(members, WEIGHTS)
    halved.weights[0] = 0.25
    with pytest.raises(ModelError, match=r"weights\.safetensors: the members' weights must be .* sum 1"):
        save(tmp_path / "model", halved)
    unnamed = Ensemble({1: members["first"]}, [1])  # type: ignore[dict-item]
    with pytest.raises(ModelError, match=r"members\[0\]\.name must be a string of its own, not 1"):
        save(tmp_path / "model", unnamed)
    assert not (tmp_path / "model").exists()


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(kind="committee"), "kind is 'committee', this facerec wants embedder or ensemble"),
        (lambda c: c.update(kind=["ensemble"]), r"kind is \['ensemble'\]"),
        (lambda c: c.update(kind="embedder"), "backbone is missing"),
        (lambda c: c.update(format=4), "format is 4"),
        (lambda c: c.update(_target_="os.system"), "'_target_' is unknown"),
        (lambda c: c.update(weights=[1]), "'weights' is unknown"),
        (lambda c: c.pop("members"), "members is missing"),
        (lambda c: c.update(members={}), "members must be a list of 1 to 64"),
        (lambda c: c.update(members=[]), "members must be a list of 1 to 64"),
        (lambda c: c.update(members=[c["members"][0]] * 65), "members must be a list of 1 to 64"),
        (lambda c: c.update(embedding_dim=30), "embedding_dim is 30, but these members give 29"),
        (lambda c: c["members"].append("ResNet"), r"members\[3\] must hold the keys name, backbone, embedding_dim"),
        (lambda c: c["members"].pop(), "embedding_dim is 29, but these members give 24"),
        (lambda c: c["members"][1].pop("name"), r"members\[1\]\.name is missing"),
        (
            lambda c: c["members"][1].update(name="first"),
            r"members\[1\]\.name must be a string of its own, not 'fir",
        ),
        (lambda c: c["members"][1].update(name=["a"]), r"members\[1\]\.name must be a string of its own"),
        (lambda c: c["members"][1].update(path="/tmp"), r"members\[1\]\.'path' is unknown"),
        (lambda c: c["members"][1].update(embedding_dim=4), r"members\[1\]\.embedding_dim is 4, but this backbone"),
        (
            lambda c: c["members"][2]["backbone"].update({"class": "os.system"}),
            r"\[2\]\.backbone\.class must be one",
        ),
        (lambda c: c["members"][2].update(backbone="ResNet"), r"\[2\]\.backbone must hold class and plain options"),
        (lambda c: c["members"][2]["backbone"].update(depth=18.0), r"\[2\]\.backbone\.depth must be of type int"),
        (
            lambda c: c["members"][2]["backbone"].update(depth=19),
            r"\[2\]\.backbone can't be built: backbone\.depth",
        ),
        (lambda c: c["members"][2]["backbone"].update(file="x"), r"\[2\]\.backbone\.'file' is unknown"),
        (lambda c: c["members"].reverse(), r"weights\.safetensors: does not fit model\.yaml"),
    ],
)
def test_a_tampered_contract_is_refused_by_key(folder: Path, change: Change, message: str) -> None:
    path = folder / "model.yaml"
    contract = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(contract)
    path.write_text(yaml.safe_dump(contract))
    with pytest.raises(ModelError, match=message):
        model.load(folder)


@pytest.mark.parametrize("values", [[0.5, 0.2, 0.2], [1.2, 0, -0.2], [float("nan")] * 3])
def test_tampered_weights_are_refused(folder: Path, values: list[float]) -> None:
    path = folder / "weights.safetensors"
    weights = safetensors.torch.load_file(path)
    safetensors.torch.save_file({**weights, "weights": torch.tensor(values)}, path)
    with pytest.raises(ModelError, match=r"weights\.safetensors: the members' weights must be 0 or above"):
        model.load(folder)
    del weights["weights"]
    safetensors.torch.save_file(weights, path)
    with pytest.raises(ModelError, match=r"weights: none, wants float \[3\]"):
        model.load(folder)


def test_new_statistics_change_nothing_else(folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    write_statistics(str(folder), {"pairs": [1], "thresholds": [0.3]})
    assert read_statistics(folder) == {"pairs": [1], "thresholds": [0.3]}
    after = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"statistics.json"}
    assert after.keys() == before.keys()
    assert [entry.name for entry in folder.parent.iterdir()] == ["model"]
    with pytest.raises(ModelError, match="statistics must be plain"):
        write_statistics(folder, {"at": Path("x")})
    with pytest.raises(ModelError, match=r"model\.yaml: is missing"):
        write_statistics(folder.parent, {})
    assert json.loads((folder / "statistics.json").read_text())["thresholds"] == [0.3]
    assert not (folder.parent / "statistics.json").exists()


def test_using_an_ensemble_needs_no_library_of_statistics(saved: Path) -> None:
    code = f"""
import sys
from facerec import Ensemble, load
assert isinstance(load({str(saved)!r}), Ensemble)
print({{"hydra", "sklearn", "scipy", "pytorch_lightning"}} & set(sys.modules))
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (finished.stdout, finished.returncode) == ("set()\n", 0), finished.stderr
