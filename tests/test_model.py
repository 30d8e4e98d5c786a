import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

import facerec
from facerec import model
from facerec.backbones import BACKBONES, Backbone, ResNet
from facerec.embedder import Embedder
from facerec.errors import ModelError

MEAN, STD = (131.04, 103.55, 90.91), (75.3, 68.2, 67.9)
STATISTICS = {"channels": {"mean": list(MEAN), "std": list(STD)}, "thresholds": [{"far": 1e-3, "similarity": 0.31}]}
ORIGIN = {"dataset": "orl", "seed": 0, "places": ["Straße", "東京"]}
CROPS = np.random.default_rng(0).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)


class Small(Backbone):
    """A backbone of a few hundred weights."""

    def __init__(self, width: int = 4, slope: float = 0.1, norm: bool = True, name: str = "small") -> None:
        super().__init__()
        self.options = {"width": width, "slope": slope, "norm": norm, "name": name}
        self.out_features = width
        self.conv = nn.Conv2d(3, width, 8, stride=8)
        self.norm = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.norm(self.conv(x))
        return nn.functional.leaky_relu(features, self.slope).mean(dim=(2, 3))


@pytest.fixture(scope="module", autouse=True)
def register_small() -> Iterator[None]:
    BACKBONES["Small"] = Small
    yield
    del BACKBONES["Small"]


def make(seed: int = 0, **options: Any) -> Embedder:
    """An embedder whose running statistics are not the initial ones."""
    torch.manual_seed(seed)
    embedder = Embedder(Small(**options), MEAN, STD)
    embedder(torch.from_numpy(CROPS))
    return embedder


def save(folder: Path, embedder: Embedder, **origin: Any) -> Path:
    model.save(folder, embedder, statistics=STATISTICS, origin={**ORIGIN, **origin})
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(tmp_path / "run" / "model", make())


@pytest.fixture(scope="module")
def resnet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    embedder = Embedder(ResNet(18, stem="imagenet"), MEAN, STD)
    return save(tmp_path_factory.mktemp("resnet") / "model", embedder)


# Saving and loading


def test_a_loaded_model_gives_the_same_vectors(tmp_path: Path) -> None:
    embedder = make(width=6, slope=0.3, name="yes")
    loaded = model.load(str(save(tmp_path / "model", embedder)))
    assert torch.equal(loaded.embed(CROPS), embedder.embed(CROPS))
    assert loaded.backbone.options == embedder.backbone.options
    assert loaded.embedding_dim == 6
    assert not any(module.training for module in loaded.modules())
    torch.testing.assert_close(loaded.state_dict(), embedder.state_dict(), rtol=0, atol=0)


def test_a_resnet_comes_back_whole(resnet_folder: Path) -> None:
    torch.manual_seed(0)
    embedder = Embedder(ResNet(18, stem="imagenet"), MEAN, STD)
    assert torch.equal(model.load(resnet_folder).embed(CROPS), embedder.embed(CROPS))


def test_the_folder_holds_plain_files_that_explain_themselves(folder: Path) -> None:
    assert {entry.name for entry in folder.iterdir()} == {"model.yaml", "weights.safetensors", "statistics.json"}
    text = (folder / "model.yaml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "東京" in text
    versions = {"facerec": facerec.__version__, "torch": torch.__version__}
    assert yaml.safe_load(text) == {
        "format": 1,
        "kind": "embedder",
        "backbone": SMALL,
        "crop": {"size": 112, "template": "arcface-112", "colour": "RGB"},
        "embedding_dim": 4,
        "origin": {**ORIGIN, **versions},
    }
    assert json.loads((folder / "statistics.json").read_text()) == STATISTICS == model.read_statistics(folder)


def test_saving_and_loading_do_not_move_the_random_numbers(folder: Path) -> None:
    embedder, state = model.load(folder), torch.get_rng_state()
    save(folder, embedder)
    model.load(folder)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.filterwarnings("ignore")
def test_compiled_models_are_saved_under_their_own_names(tmp_path: Path) -> None:
    embedder, plain = make(), make()
    embedder.backbone = torch.compile(embedder.backbone, backend="eager")  # type: ignore[assignment]
    assert any("_orig_mod." in name for name in embedder.state_dict())
    for name, compiled in {"inner": embedder, "both": torch.compile(embedder, backend="eager")}.items():
        loaded = model.load(save(tmp_path / name, compiled))  # type: ignore[arg-type]
        assert loaded.state_dict().keys() == plain.state_dict().keys()
        assert torch.equal(loaded.embed(CROPS), plain.embed(CROPS))


def test_channels_last_and_half_precision_weights_are_stored_plain(tmp_path: Path) -> None:
    embedder = make()
    expected = embedder.embed(CROPS)
    embedder.to(memory_format=torch.channels_last)
    assert not embedder.state_dict()["backbone.conv.weight"].is_contiguous()
    torch.testing.assert_close(model.load(save(tmp_path / "model", embedder)).embed(CROPS), expected)
    halved = model.load(save(tmp_path / "half", embedder.half()))
    assert {value.dtype for value in halved.parameters()} == {torch.float32}
    torch.testing.assert_close(halved.embed(CROPS), expected, atol=0.01, rtol=0)


def test_load_needs_no_job_library_and_the_package_no_torch(resnet_folder: Path) -> None:
    code = f"""
import sys, facerec
assert "torch" not in sys.modules and facerec.__version__
assert {{"load", "Embedder", "__version__"}} <= set(dir(facerec))
from facerec import Embedder, load
assert isinstance(load({str(resnet_folder)!r}), Embedder)
print({{"hydra", "omegaconf", "pytorch_lightning", "lightning", "torchmetrics"}} & set(sys.modules))
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (finished.stdout, finished.returncode) == ("set()\n", 0), finished.stderr


def test_the_package_offers_nothing_else() -> None:
    with pytest.raises(AttributeError, match="'embed'"):
        facerec.embed  # noqa: B018


# The fingerprint


def test_the_fingerprint_follows_what_decides_the_vectors(tmp_path: Path) -> None:
    first = model.fingerprint(save(tmp_path / "first", make()))
    assert len(first) == 64
    assert int(first, 16) >= 0
    model.save(tmp_path / "again", model.load(tmp_path / "first"), statistics={"x": 1}, origin={"seed": 9})
    assert model.fingerprint(tmp_path / "again") == first
    others = [make(seed=1), make(slope=0.2), make(name="other"), make()]
    others[3].mean[0] += 1
    prints = [model.fingerprint(save(tmp_path / f"other{i}", embedder)) for i, embedder in enumerate(others)]
    assert len({first, *prints}) == 5


# What is refused when loading


SMALL = {"class": "Small", "width": 4, "slope": 0.1, "norm": True, "name": "small"}
RESNET = {"class": "ResNet", "depth": 18, "embedding_dim": 4, "stem": "face", "final_fc": True, "final_relu": False}


def rewrite(folder: Path, changes: dict[Any, Any]) -> None:
    contract = yaml.safe_load((folder / "model.yaml").read_text())
    (folder / "model.yaml").write_text(yaml.safe_dump({**contract, **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format is 2"),
        ({"format": True}, "format is True"),
        ({"kind": "classifier"}, "kind is 'classifier'"),
        ({"crop": {"size": 96, "template": "arcface-112", "colour": "RGB"}}, "crop is .*96.*wants .*112"),
        ({"crop": None}, "crop is None"),
        ({"embedding_dim": 5}, "embedding_dim is 5, .* gives 4"),
        ({"_target_": "os.system"}, "'_target_' is unknown"),
        ({1: 2}, "1 is unknown"),
        ({"backbone": "Small"}, "backbone.class must be one of ResNet"),
        ({"backbone": {**SMALL, "class": "os.system"}}, "backbone.class .* not 'os.system'"),
        ({"backbone": {**SMALL, "class": ["Small"]}}, "backbone.class"),
        ({"backbone": {"class": "Small", "width": 4}}, "backbone.slope is missing"),
        ({"backbone": {**SMALL, "_target_": "os.system"}}, "backbone.'_target_' is unknown"),
        ({"backbone": {**SMALL, "width": 4.0}}, "backbone.width must be of type int, not 4.0"),
        ({"backbone": {**SMALL, "width": True}}, "backbone.width must be of type int, not True"),
        ({"backbone": {**SMALL, "norm": 1}}, "backbone.norm must be of type bool, not 1"),
        ({"backbone": {**RESNET, "depth": 19}}, "backbone.depth must be one of 18, 34, 50, not 19"),
        ({"backbone": {**RESNET, "embedding_dim": 10**30}}, "backbone.embedding_dim must be from 1"),
    ],
)
def test_a_contract_we_cannot_keep_is_refused_by_key(folder: Path, changes: dict[Any, Any], message: str) -> None:
    rewrite(folder, changes)
    for door in (
        (model.load, model.fingerprint)
        if "depth" not in message and "embedding_dim" not in message
        else (model.load,)
    ):
        with pytest.raises(ModelError, match=message) as caught:
            door(folder)
        assert str(folder / "model.yaml") in str(caught.value)


@pytest.mark.parametrize("key", ["format", "kind", "backbone", "crop", "embedding_dim", "origin"])
def test_a_missing_key_is_named(folder: Path, key: str) -> None:
    contract = yaml.safe_load((folder / "model.yaml").read_text())
    del contract[key]
    (folder / "model.yaml").write_text(yaml.safe_dump(contract))
    with pytest.raises(ModelError, match=rf"model\.yaml: {key} is missing"):
        model.load(folder)


def test_tags_are_refused_and_never_obeyed(folder: Path) -> None:
    victim = folder.parent / "obeyed"
    text = (folder / "model.yaml").read_text()
    for tag in (f"!!python/object/apply:pathlib.Path.touch [{victim}]", "!!python/name:os.system", "!Ours {}"):
        (folder / "model.yaml").write_text(text.replace("dataset: orl", f"dataset: {tag}"))
        with pytest.raises(ModelError, match="not plain YAML"):
            model.load(folder)
    assert not victim.exists()


def test_aliases_that_unfold_to_2_to_the_60_are_refused(folder: Path) -> None:
    bomb = "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 61))
    text = (folder / "model.yaml").read_text()
    (folder / "model.yaml").write_text(bomb + text.replace("kind: embedder", "kind: *a60"))
    with pytest.raises(ModelError, match="'a0' is unknown"):
        model.load(folder)


YAML_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=5,
)
CONTRACT = {
    "format": 1,
    "kind": "embedder",
    "backbone": SMALL,
    "crop": {"size": 112, "template": "arcface-112", "colour": "RGB"},
    "embedding_dim": 4,
    "origin": {},
}
PLACES = (
    [(key,) for key in CONTRACT] + [("backbone", key) for key in SMALL] + [("crop", "size"), ("new",), ("crop", 1)]
)


@pytest.fixture(scope="module")
def contract_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose weights are missing, so that no contract can make `load` succeed."""
    return tmp_path_factory.mktemp("contract")


@given(place=st.sampled_from(PLACES), value=YAML_VALUES)
@settings(deadline=None, max_examples=150)
def test_any_value_at_any_key_is_a_model_error_or_a_good_contract(
    contract_only: Path, place: tuple[Any, ...], value: Any
) -> None:
    contract = json.loads(json.dumps(CONTRACT))
    (contract if len(place) == 1 else contract[place[0]])[place[-1]] = value
    (contract_only / "model.yaml").write_text(yaml.safe_dump(contract), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        model.load(contract_only)
    harmless = place in [("origin",), ("backbone", "slope"), ("backbone", "norm"), ("backbone", "name")]
    if not harmless and contract != CONTRACT:
        assert str(contract_only / "model.yaml") in str(caught.value)


@given(start=st.integers(0, 400), length=st.integers(0, 40), insert=st.binary(max_size=20))
@example(start=0, length=400, insert=b"")
@example(start=0, length=400, insert=b"[" * 20_000)
@example(start=0, length=0, insert=b"2020-13-45: 1\n")
@example(start=0, length=0, insert=b"x: !!int ''\n")
@settings(deadline=None, max_examples=200)
def test_any_damage_to_the_contract_is_a_model_error(
    contract_only: Path, start: int, length: int, insert: bytes
) -> None:
    whole = yaml.safe_dump(CONTRACT, sort_keys=False).encode()
    (contract_only / "model.yaml").write_bytes(whole[:start] + insert + whole[start + length :])
    with pytest.raises(ModelError):
        model.load(contract_only)


@given(kept=st.floats(0, 1, exclude_max=True))
@example(kept=0.0)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_weights_cut_short_are_refused(folder: Path, kept: float) -> None:
    path = folder / "weights.safetensors"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: int(len(whole) * kept)])
        with pytest.raises(
            ModelError, match=r"weights\.safetensors: is damaged or cut short .*save the model again"
        ):
            model.load(folder)
    finally:
        path.write_bytes(whole)


@given(position=st.integers(0, 900), value=st.integers(0, 255))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_weights_header_is_never_a_crash(folder: Path, position: int, value: int) -> None:
    path = folder / "weights.safetensors"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:position] + bytes([value]) + whole[position + 1 :])
        with contextlib.suppress(ModelError):
            assert model.load(folder).embed(CROPS).shape == (3, 4)
    finally:
        path.write_bytes(whole)


def test_weights_of_another_model_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    path = folder / "weights.safetensors"
    weights = safetensors.torch.load_file(path)
    shutil.copy(save(tmp_path / "wide", make(width=7)) / path.name, path)
    with pytest.raises(
        ModelError, match=r"conv\.weight: float \[7, 3, 8, 8\], wants float \[4, 3, 8, 8\][\s\S]*3 more"
    ):
        model.load(folder)
    safetensors.torch.save_file({**weights, "head.weight": torch.zeros(2)}, path)
    with pytest.raises(ModelError, match=r"head\.weight: float \[2\], wants none"):
        model.load(folder)
    safetensors.torch.save_file({name: value for name, value in weights.items() if name != "mean"}, path)
    with pytest.raises(ModelError, match=r"mean: none, wants float \[3\]"):
        model.load(folder)
    safetensors.torch.save_file({**weights, "mean": weights["mean"].view(torch.int32)}, path)
    with pytest.raises(ModelError, match=r"mean: int \[3\], wants float \[3\]"):
        model.load(folder)


@pytest.mark.parametrize("name", ["model.yaml", "weights.safetensors"])
def test_missing_files_are_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: is missing"):
        model.load(folder)
    (folder / name).mkdir()
    with pytest.raises(ModelError, match=f"{name}: can't be read"):
        model.load(folder)


def test_a_run_folder_points_at_its_model(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"its model is {folder}"):
        model.load(folder.parent)
    with pytest.raises(ModelError, match="nowhere.*model.yaml: is missing"):
        model.load(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_damaged_statistics_are_refused(folder: Path, content: bytes) -> None:
    (folder / "statistics.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"statistics\.json"):
        model.read_statistics(folder)


@contextlib.contextmanager
def no_privileges() -> Iterator[None]:
    """Root may read everything, so stop being root for a moment."""
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("name", ["model.yaml", "weights.safetensors", "."])
def test_files_we_may_not_read_are_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path / "run")  # relative, because the folders above are private
    (folder / name).chmod(0)
    try:
        with no_privileges(), pytest.raises(ModelError, match=r"can't be read \(.*Permission denied.*permissions"):
            model.load("model")
    finally:
        (folder / name).chmod(0o755)


# What is refused when saving, and what survives


def test_a_model_is_replaced(folder: Path) -> None:
    other = make(seed=1)
    save(folder, other, seed=1)
    assert torch.equal(model.load(folder).embed(CROPS), other.embed(CROPS))
    assert [entry.name for entry in folder.parent.iterdir()] == ["model"]


def test_a_folder_that_holds_anything_else_is_left_alone(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    (before := folder.parent / "empty").mkdir()
    save(before, make())
    with pytest.raises(ModelError, match=r"notes\.txt"):
        save(folder, make(seed=1))
    assert (folder / "notes.txt").read_text() == "mine"
    assert torch.equal(model.load(folder).embed(CROPS), make().embed(CROPS))


def test_a_link_to_a_model_stays_a_link(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "latest"
    link.symlink_to(folder, target_is_directory=True)
    save(link, make(seed=1))
    assert link.is_symlink()
    assert torch.equal(model.load(folder).embed(CROPS), make(seed=1).embed(CROPS))


def test_the_umask_decides_who_may_read(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        folder = save(tmp_path / "model", make())
    finally:
        os.umask(mask)
    assert {oct(entry.stat().st_mode & 0o777) for entry in folder.iterdir()} == {"0o640"}
    assert folder.stat().st_mode & 0o777 == 0o750


def untouched(folder: Path) -> bool:
    alone = [entry.name for entry in folder.parent.iterdir()] == [folder.name]
    return alone and torch.equal(model.load(folder).embed(CROPS), make().embed(CROPS))


@pytest.mark.parametrize(
    "extra", [{"at": Path("x")}, {"at": np.float32(1)}, {"at": torch.ones(1)}, {"at": {1, 2j}}]
)
def test_values_that_are_not_plain_are_refused(folder: Path, extra: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="must be plain"):
        model.save(folder, make(seed=1), statistics=extra, origin={})
    with pytest.raises(ModelError, match="must be plain"):
        model.save(folder, make(seed=1), statistics={}, origin=extra)
    assert untouched(folder)


def test_what_could_not_be_loaded_is_not_saved(folder: Path) -> None:
    stranger = make(seed=1)
    stranger.backbone = torchvision.models.resnet18()  # has the name of ours
    with pytest.raises(ModelError, match=r"torchvision.* not listed in facerec\.backbones\.BACKBONES"):
        save(folder, stranger)
    changed = make(seed=1)
    changed.backbone.add_module("conv", nn.Conv2d(3, 9, 8))
    with pytest.raises(ModelError, match=r"conv\.weight: float \[9, 3, 8, 8\], wants"):
        save(folder, changed)
    with pytest.raises(ModelError, match=r"backbone\.width must be of type int, not 4\.5"):
        mistyped = make(seed=1)
        mistyped.backbone.options["width"] = 4.5
        save(folder, mistyped)
    assert untouched(folder)


@pytest.mark.parametrize("limit", [0, 100, 1000, 3000])
def test_a_full_disk_leaves_the_old_model_whole(folder: Path, limit: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(ModelError, match="can't be written .*File too large.*free space") as caught:
            save(folder, make(seed=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(folder) in str(caught.value)
    assert untouched(folder)


def test_a_place_we_may_not_write_to_leaves_the_old_model_whole(folder: Path) -> None:
    folder.parent.chmod(0o555)
    try:
        with no_privileges(), pytest.raises(ModelError, match="can't be written .*Permission denied"):
            save(folder, make(seed=1))
    finally:
        folder.parent.chmod(0o755)
    assert untouched(folder)
    with pytest.raises(ModelError, match="can't be written"):
        save(folder / "model.yaml", make())


KILLED = """
import itertools, os, signal, sys, warnings
sys.path.insert(0, sys.argv[3])
from pathlib import Path
import test_model as t
t.BACKBONES["Small"] = t.Small
folder, embedder = Path(sys.argv[1]), t.make(seed=1)
steps = itertools.count()

def kill(event, args):
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir") and sys.argv[2] in os.fsdecode(args[0]):
        if next(steps) == number:
            os.kill(os.getpid(), signal.SIGKILL)

for number in itertools.count():
    target = folder / str(number) / "model"
    t.save(target, t.make())
    child = os.fork()
    if not child:
        sys.addaudithook(kill)
        t.save(target, embedder)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""


def test_a_save_killed_at_any_step_loses_no_model(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", KILLED, str(tmp_path), "model", str(Path(__file__).parent)]
    finished = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    old, new = make().embed(CROPS), make(seed=1).embed(CROPS)
    outcomes = []
    for number in range(len(list(tmp_path.iterdir()))):
        folder = tmp_path / str(number) / "model"
        if not folder.exists():  # killed between two renames: the message says where the old model is
            with pytest.raises(ModelError, match=r"rename (\S+\.old) to") as caught:
                model.load(folder)
            Path(str(caught.value).split("rename ")[1].split(" to ")[0]).rename(folder)
            outcomes.append("aside")
        else:
            outcomes.append("here")
        found = model.load(folder).embed(CROPS)
        outcomes[-1] += " old" if torch.equal(found, old) else " new" if torch.equal(found, new) else " neither"
    assert sorted(set(outcomes)) == ["aside old", "here new", "here old"]
    assert outcomes.count("aside old") == 1
    assert outcomes.count("here old") >= 5  # the folder, three files and a rename
