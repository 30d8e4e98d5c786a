import contextlib
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import facerec
from facerec.backbones import BACKBONES, Backbone, ResNet
from facerec.errors import ModelError
from facerec.models import store as model
from facerec.models.embedder import Embedder
from facerec.models.folder import fingerprint, read_contract, read_statistics

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
    assert np.array_equal(loaded.embed(CROPS), embedder.embed(CROPS))
    assert isinstance(loaded, Embedder)
    assert loaded.backbone.options == embedder.backbone.options
    assert loaded.embedding_dim == 6
    assert not any(module.training for module in loaded.modules())
    torch.testing.assert_close(loaded.state_dict(), embedder.state_dict(), rtol=0, atol=0)


def test_a_resnet_comes_back_whole(resnet_folder: Path) -> None:
    torch.manual_seed(0)
    embedder = Embedder(ResNet(18, stem="imagenet"), MEAN, STD)
    assert np.array_equal(model.load(resnet_folder).embed(CROPS), embedder.embed(CROPS))


def test_the_folder_holds_plain_files_that_explain_themselves(folder: Path) -> None:
    assert {entry.name for entry in folder.iterdir()} == {"model.yaml", "weights.safetensors", "statistics.json"}
    text = (folder / "model.yaml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "東京" in text
    versions = {"facerec": facerec.__version__, "torch": torch.__version__}
    assert yaml.safe_load(text) == {
        "format": 3,
        "kind": "embedder",
        "backbone": SMALL,
        "crop": {"size": 112, "template": "arcface-112", "colour": "RGB"},
        "embedding_dim": 4,
        "trained_on": None,
        "origin": {**ORIGIN, **versions},
    }
    assert json.loads((folder / "statistics.json").read_text()) == STATISTICS == read_statistics(folder)


def test_formats_1_and_2_open_and_their_fingerprint_is_that_of_format_3(folder: Path, tmp_path: Path) -> None:
    trained_on = {"dataset": "orl", "function": "facerec.data.orl", "arguments": {"val_identities": 6}}
    model.save(tmp_path / "second", model.load(folder), statistics={}, origin={}, trained_on=trained_on)
    assert read_contract(tmp_path / "second")["trained_on"] == trained_on
    contract = yaml.safe_load((folder / "model.yaml").read_bytes())
    (folder / "model.yaml").write_text(yaml.safe_dump({**contract, "format": 2}))
    assert fingerprint(folder) == fingerprint(tmp_path / "second")
    assert np.array_equal(model.load(folder).embed(CROPS), model.load(tmp_path / "second").embed(CROPS))
    del contract["trained_on"]
    first = {**contract, "format": 1}
    (folder / "model.yaml").write_text(yaml.safe_dump(first))
    assert np.array_equal(model.load(folder).embed(CROPS), model.load(tmp_path / "second").embed(CROPS))
    # what galleries that were filled before remember
    deciding = json.dumps({key: first[key] for key in ("format", "kind", "crop", "backbone")}, sort_keys=True)
    digest = hashlib.sha256(deciding.encode() + (folder / "weights.safetensors").read_bytes()).hexdigest()
    assert fingerprint(folder) == digest == fingerprint(tmp_path / "second")


def test_saving_and_loading_do_not_move_the_random_numbers(folder: Path) -> None:
    embedder, state = model.load(folder), torch.get_rng_state()
    assert isinstance(embedder, Embedder)
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
        assert np.array_equal(loaded.embed(CROPS), plain.embed(CROPS))


def test_channels_last_and_half_precision_weights_are_stored_plain(tmp_path: Path) -> None:
    embedder = make()
    expected = embedder.embed(CROPS)
    embedder.to(memory_format=torch.channels_last)
    assert not embedder.state_dict()["backbone.conv.weight"].is_contiguous()
    np.testing.assert_allclose(model.load(save(tmp_path / "model", embedder)).embed(CROPS), expected, atol=1e-6)
    halved = model.load(save(tmp_path / "half", embedder.half()))
    assert {value.dtype for value in halved.parameters()} == {torch.float32}
    np.testing.assert_allclose(halved.embed(CROPS), expected, atol=0.01, rtol=0)


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
    with pytest.raises(AttributeError, match="embed"):
        facerec.embed  # noqa: B018


# The fingerprint


def test_the_fingerprint_follows_what_decides_the_vectors(tmp_path: Path) -> None:
    first = fingerprint(save(tmp_path / "first", make()))
    assert len(first) == 64
    assert int(first, 16) >= 0
    model.save(tmp_path / "again", model.load(tmp_path / "first"), statistics={"x": 1}, origin={"seed": 9})
    assert fingerprint(tmp_path / "again") == first
    others = [make(seed=1), make(slope=0.2), make(name="other"), make()]
    others[3].mean[0] += 1
    prints = [fingerprint(save(tmp_path / f"other{i}", embedder)) for i, embedder in enumerate(others)]
    assert len({first, *prints}) == 5


# What is refused when loading


SMALL = {"class": "Small", "width": 4, "slope": 0.1, "norm": True, "name": "small"}


@given(kept=st.floats(0, 1, exclude_max=True))
@example(kept=0.0)
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    with pytest.raises(ModelError, match=r"nowhere.*model.yaml: is missing"):
        model.load(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_damaged_statistics_are_refused(folder: Path, content: bytes) -> None:
    (folder / "statistics.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"statistics\.json"):
        read_statistics(folder)


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
    assert np.array_equal(model.load(folder).embed(CROPS), other.embed(CROPS))
    assert [entry.name for entry in folder.parent.iterdir()] == ["model"]


def test_what_other_software_leaves_in_a_folder_does_not_keep_a_model_out(folder: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / name).touch()
    save(folder, make(seed=1))
    assert np.array_equal(model.load(folder).embed(CROPS), make(seed=1).embed(CROPS))


def test_a_folder_that_holds_anything_else_is_left_alone(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    (before := folder.parent / "empty").mkdir()
    save(before, make())
    with pytest.raises(ModelError, match=r"notes\.txt"):
        save(folder, make(seed=1))
    assert (folder / "notes.txt").read_text() == "mine"
    assert np.array_equal(model.load(folder).embed(CROPS), make().embed(CROPS))


def test_a_link_to_a_model_stays_a_link(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "latest"
    link.symlink_to(folder, target_is_directory=True)
    save(link, make(seed=1))
    assert link.is_symlink()
    assert np.array_equal(model.load(folder).embed(CROPS), make(seed=1).embed(CROPS))


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
    return alone and np.array_equal(model.load(folder).embed(CROPS), make().embed(CROPS))


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
    with pytest.raises(ModelError, match=r"torchvision.* is not registered.*facerec\.backbones"):
        save(folder, stranger)
    changed = make(seed=1)
    changed.backbone.add_module("conv", nn.Conv2d(3, 9, 8))
    with pytest.raises(ModelError, match=r"conv\.weight: float \[9, 3, 8, 8\], wants"):
        save(folder, changed)
    mistyped = make(seed=1)
    mistyped.backbone.options["width"] = 4.5
    with pytest.raises(ModelError, match=r"backbone\.width must be of type int, not 4\.5"):
        save(folder, mistyped)
    assert untouched(folder)


@pytest.mark.parametrize("limit", [0, 100, 1000, 3000])
def test_a_full_disk_leaves_the_old_model_whole(folder: Path, limit: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(ModelError, match=r"can't be written .*File too large.*free space") as caught:
            save(folder, make(seed=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(folder) in str(caught.value)
    assert untouched(folder)


def test_a_place_we_may_not_write_to_leaves_the_old_model_whole(folder: Path) -> None:
    folder.parent.chmod(0o555)
    try:
        with no_privileges(), pytest.raises(ModelError, match=r"can't be written .*Permission denied"):
            save(folder, make(seed=1))
    finally:
        folder.parent.chmod(0o755)
    assert untouched(folder)
    with pytest.raises(ModelError, match="can't be written"):
        save(folder / "model.yaml", make())


STOPPED = """
import itertools, os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
import test_store as t

t.BACKBONES["Small"] = t.Small
new = t.make(seed=1)

def stop(event, args):
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir") and "model" in str(args[0]):
        if next(steps) == number:
            if way == "interrupted":
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGKILL)

for way in ("killed", "interrupted"):
    for number in itertools.count():
        folder = t.save(Path(sys.argv[1], way, f"{number:02}", "model"), t.make())
        steps, child = itertools.count(), os.fork()
        if not child:
            sys.addaudithook(stop)
            try:
                t.save(folder, new)
            except KeyboardInterrupt:
                os._exit(1)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            break
"""


def test_a_save_stopped_at_any_step_loses_no_model(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", STOPPED, str(tmp_path), str(Path(__file__).parent)]
    finished = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    old, new = make().embed(CROPS), make(seed=1).embed(CROPS)
    outcomes: dict[str, list[str]] = {"killed": [], "interrupted": []}
    for way, found in outcomes.items():
        for run in sorted((tmp_path / way).iterdir()):
            folder, place = run / "model", "here"
            if not folder.exists():  # stopped between two renames: the message says where the old model is
                with pytest.raises(ModelError, match=r"rename \S+\.old to") as caught:
                    model.load(folder)
                Path(str(caught.value).split("rename ")[1].split(" to ")[0]).rename(folder)
                place = "aside"
            vectors = model.load(folder).embed(CROPS)
            which = "old" if np.array_equal(vectors, old) else "new" if np.array_equal(vectors, new) else "neither"
            found.append(f"{which} {place}")
    # the temporary folder, its three files and the first rename; the second rename; the old folder's deletion
    assert outcomes["killed"][:6] == ["old here"] * 5 + ["old aside"]
    assert set(outcomes["killed"][6:]) == {"new here"}
    assert outcomes["interrupted"][:6] == ["old here"] * 6
    assert set(outcomes["interrupted"][6:]) == {"new here"}
