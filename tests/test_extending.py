"""The package of docs/extending.md, installed, with the commands of that page."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import facerec
from facerec.data import orl
from facerec.errors import MachineError, ModelError
from facerec.models import Embedder, load, open_model
from facerec.models.catalogue import find_entry, names
from facerec.models.folder import CONTRACT, read_contract
from facerec.models.store import save
from facerec.runtime.entry_points import load_registered
from tests.conftest import Run

PAGE = Path(facerec.__file__).parents[1] / "docs" / "extending.md"
FILES = dict(re.findall(r"^`([\w/.]+)`[^\n]*:\n\n```\w+\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))
FILES |= dict.fromkeys(re.findall(r"`([\w/]+__init__\.py)`", PAGE.read_text()), "")
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
CROPS = np.random.default_rng(0).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)
CHEAP = ["trainer.max_epochs=1", "+trainer.limit_train_batches=1", "scheduler=constant", "logger=csv"]
CHEAP += ["data.batch_size=8", "data.decode_workers=0", "callbacks.progress.refresh_rate=0"]


def install(root: Path, files: dict[str, str]) -> Path:
    """Write a package and install it as pip does, into a folder of its own."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    given = [
        "--disable-pip-version-check",
        "--target",
        str(root / "site"),
        str(root / next(iter(files)).partition("/")[0]),
    ]
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return root / "site"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's package is installed."""
    return install(tmp_path_factory.mktemp("extending"), FILES)


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(site))
    find_entry.cache_clear()
    yield
    find_entry.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "facepack"]:
        del sys.modules[name]


def command_with(text: str) -> list[str]:
    """Job and arguments of the page's command that holds `text`."""
    [command] = [words for words in COMMANDS if text in words]
    assert command[0] == "facerec"
    return command[1:]


@pytest.mark.usefixtures("installed")
def test_a_loss_of_a_package_trains(run: Run, small: list[str]) -> None:
    job, *given = command_with("loss=liarcface")
    assert run(job, *given, *small, *CHEAP, "hydra.run.dir=run") == 0
    config = yaml.safe_load(Path("run/config.yaml").read_text())
    assert (config["loss"]["_target_"], config["loss"]["m"]) == ("facepack.loss.LiArcFace", 0.3)


@pytest.mark.usefixtures("installed")
def test_the_loss_of_the_page_is_that_of_its_paper() -> None:
    """Every logit in float64, s·(π - 2(θ + m)) / π, one image and class after the other."""
    from facepack.loss import LiArcFace  # type: ignore[import-not-found, unused-ignore]

    torch.manual_seed(0)
    head = LiArcFace(4, 5, m=0.3, scale=8.0)
    features, labels = torch.randn(3, 4), torch.tensor([4, 0, 2])
    rows = []
    for feature, label in zip(features.double().numpy(), labels.tolist(), strict=True):
        weight = head.weight.detach().double().numpy()
        cosine = weight @ feature / np.linalg.norm(weight, axis=1) / np.linalg.norm(feature)
        logits = 8 * (np.pi - 2 * (np.arccos(cosine) + 0.3 * (np.arange(5) == label))) / np.pi
        rows.append(np.log(np.exp(logits).sum()) - logits[label])
    assert head(features, labels).loss.item() == pytest.approx(np.mean(rows), rel=1e-5)


@pytest.mark.usefixtures("installed")
def test_a_backbone_of_a_package_trains_and_opens_again(run: Run, tiny: list[str]) -> None:
    job, *given = command_with("backbone=convmixer")
    assert run(job, *given, *[word for word in tiny if not word.startswith("backbone.")]) == 0
    assert read_contract("outputs/mixer/model")["backbone"] == {
        "class": "ConvMixer", "width": 32, "depth": 4, "patch": 8, "embedding_dim": 128,
    }  # fmt: skip
    job, *given = command_with("model=outputs/mixer")
    assert run(job, *given) == 0
    vectors = load("outputs/mixer/model").embed(CROPS)
    np.testing.assert_allclose(open_model("outputs/mixer.yaml", "cpu").embed(CROPS), vectors, atol=1e-5, rtol=0)


def test_a_model_folder_names_a_class_of_an_installed_package_and_nothing_else(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(site))
        from facepack.backbone import ConvMixer  # type: ignore[import-not-found, unused-ignore]

        embedder = Embedder(ConvMixer(width=8, depth=1), (120, 110, 100), (70, 70, 70)).eval()
        save(tmp_path / "model", embedder, statistics={}, origin={})
        np.testing.assert_array_equal(load(tmp_path / "model").embed(CROPS), embedder.embed(CROPS))
    # it is imported still, but not installed any more
    assert "facepack.backbone" in sys.modules
    with pytest.raises(ModelError, match=r"class must be .* not 'ConvMixer'.*installed package registers it"):
        load(tmp_path / "model")
    with pytest.raises(ModelError, match="ConvMixer'> is not registered"):
        save(tmp_path / "again", embedder, statistics={}, origin={})
    contract = tmp_path / "model" / CONTRACT
    for name in ("facepack.backbone.ConvMixer", "facepack.backbone:ConvMixer"):
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(site))
            text = contract.read_text()
            contract.write_text(text.replace("class: ConvMixer", f"class: {name}"))
            with pytest.raises(ModelError, match=f"ConvMixer, not '{name}'"):
                load(tmp_path / "model")
            contract.write_text(text)


@pytest.mark.usefixtures("installed")
def test_a_data_set_of_a_package_is_trained_on_and_opened_by_evaluate(
    run: Run, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("PHOTOS").mkdir()
    for file in orl().files:
        if int(file.parent.name[1:]) <= 8 and int(file.stem) <= 4:
            (Path("PHOTOS") / f"{file.parent.name}_{file.stem}{file.suffix}").write_bytes(file.read_bytes())
    job, *given = command_with("dataset=flat")
    assert run(job, *given, *[word for word in tiny if not word.startswith("dataset")]) == 0
    trained_on = read_contract("outputs/flat/model")["trained_on"]
    assert trained_on["function"] == "facepack.data.flat"
    job, *given = command_with("model=outputs/flat")
    assert run(job, *given, "resamples=20", "logger=csv", "data.decode_workers=0") == 0
    assert "2 people of flat (test)" in "".join(capsys.readouterr())
    contract = Path("outputs/flat/model") / CONTRACT
    contract.write_text(
        contract.read_text().replace("function: facepack.data.flat", "function: facepack.data.Path")
    )
    assert run(job, *given) == 1
    assert "names none, so give it" in "".join(capsys.readouterr())


@pytest.mark.usefixtures("installed")
def test_a_ready_made_model_of_a_package_is_known_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    job, action, name = command_with("mean_face")
    assert (job, action) == ("models", "show")
    assert names() == sorted({*names(), "sface", "mean_face"})
    from facerec.models.catalogue.tables import show_entry

    show_entry(name)
    assert "the average of each colour" in capsys.readouterr().out
    with pytest.raises(ModelError, match="mean_face"):
        open_model(name, offline=True)


def test_what_two_packages_register_or_cannot_be_imported_is_refused_by_name(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyproject = """
[project]
name = "rival"
version = "1"
[tool.setuptools]
packages = ["rival"]
[project.entry-points."facerec.backbones"]
ConvMixer = "rival:ConvMixer"
Other = "rival:NotThere"
Text = "rival:__name__"
ResNet = "rival:__name__"
"""
    rival = install(tmp_path, {"rival/pyproject.toml": pyproject, "rival/rival/__init__.py": ""})
    monkeypatch.syspath_prepend(str(rival))
    monkeypatch.syspath_prepend(str(site))
    with pytest.raises(MachineError, match=r"ConvMixer is registered as .*; uninstall one"):
        load_registered("backbones", "ConvMixer")
    with pytest.raises(MachineError, match=r"Other, registered as rival:NotThere, can't be imported"):
        load_registered("backbones", "Other")
    from facerec.backbones import ResNet, find_backbone

    with pytest.raises(ModelError, match=r"Text must be a facerec.backbones.Backbone of that name, not 'rival'"):
        find_backbone("Text")
    assert find_backbone("ResNet") is ResNet
    assert find_backbone("Nobody") is None


def test_the_page_names_every_command_and_file_it_needs() -> None:
    assert len(FILES) == 10
    assert {Path(name).suffix for name in FILES} == {".toml", ".py", ".yaml"}
    assert all(words[0] == "facerec" for words in COMMANDS)
