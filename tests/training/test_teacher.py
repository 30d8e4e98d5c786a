import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file

from facerec.backbones import ResNet
from facerec.data import Augment, Batch, FaceData, FixedViews, folder
from facerec.errors import ConfigError, ModelError
from facerec.models import Embedder, open_model
from facerec.models.folder_model import FolderModel
from facerec.models.store import save
from facerec.report.curves import read_metrics
from facerec.training import open_teacher
from facerec.training.comparison import compare
from facerec.training.projection import principal_axes
from facerec.training.teacher import Teacher
from tests.conftest import Run
from tests.models.test_onnx_model import DIM, matrix, write_network, written

AUGMENT = Augment(zoom=0.1, contrast=0.3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> FolderModel:
    """A small network of ours, whose vectors have 12 numbers."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "model"
    embedder = Embedder(ResNet(18, embedding_dim=12, stem="imagenet"), [120.0] * 3, [60.0] * 3)
    save(path, embedder, statistics={}, origin={})
    return FolderModel(path, "cpu", None)


@pytest.fixture
def make_data(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], FaceData]:
    """The people with some fixed views; none: augmented anew."""
    images, cache = folder(str(people), labels=False), tmp_path_factory.getbasetemp() / "teacher-cache"

    def make(views: int) -> FaceData:
        shown = FixedViews(AUGMENT, views, len(images.files)) if views else None
        given: dict[str, Any] = {"batch_size": 8, "num_workers": 0, "decode_workers": 0, "seed": 0}
        return FaceData(images, AUGMENT, cache_dir=str(cache), views=shown, **given)

    return make


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """An ONNX file that gives 6 numbers."""
    write_network(tmp_path / "net.onnx", matrix())
    return written(tmp_path)


def _batch(data: FaceData, rows: np.ndarray[Any, np.dtype[np.int64]], views: list[int]) -> Batch:
    crops, places = torch.from_numpy(np.array(data.crops[rows])), torch.from_numpy(rows)
    shown = torch.tensor(views)
    assert data.views
    return Batch(data.views(crops, places, shown), torch.zeros(len(rows)), places, shown)


def test_targets_are_the_vectors_of_exactly_what_is_shown(
    model: FolderModel, make_data: Callable[[int], FaceData]
) -> None:
    data = make_data(4)
    teacher = Teacher(model, model.network, data, 12, weight=1.0)
    rows = data.images.rows("train")[[5, 0, 9, 5]]
    batch = _batch(data, rows, [0, 1, 2, 3])
    np.testing.assert_allclose(teacher.targets(batch), model.network.embed(batch.crops), atol=1e-5)
    assert not np.allclose(teacher.targets(batch)[0], teacher.targets(batch)[3], atol=1e-3)

    clean = batch._replace(crops=torch.from_numpy(np.array(data.crops[rows])))
    online = Teacher(model, model.network, make_data(0), 12, weight=1.0)
    np.testing.assert_allclose(online.targets(clean), model.network.embed(clean.crops), atol=1e-5)


def test_a_teacher_that_sees_each_batch_needs_no_views(
    model: FolderModel, make_data: Callable[[int], FaceData]
) -> None:
    data = make_data(0)
    teacher = open_teacher(data, 12, model=str(model.path), views="online")
    crops = torch.randint(0, 256, (3, 3, 112, 112), dtype=torch.uint8)
    unknown = Batch(crops, torch.zeros(3), torch.zeros(3, dtype=torch.int64))
    np.testing.assert_allclose(teacher.targets(unknown), model.network.embed(crops), atol=1e-5)
    assert data.views is None
    assert not any(parameter.requires_grad for parameter in teacher.embedder.parameters())  # type: ignore[attr-defined]


def test_the_loss_is_one_less_the_mean_cosine(model: FolderModel, make_data: Callable[[int], FaceData]) -> None:
    data = make_data(2)
    teacher = Teacher(model, model.network, data, 12, weight=1.0)
    batch = _batch(data, data.images.rows("train")[:6], [0, 1, 0, 1, 0, 1])
    features = torch.randn(6, 12, generator=torch.Generator().manual_seed(0))
    targets, given = teacher.targets(batch).double().numpy(), features.double().numpy()
    cosines = (targets * given).sum(axis=1) / np.linalg.norm(given, axis=1)
    assert float(teacher.loss(features, batch)) == pytest.approx(1 - cosines.mean(), abs=1e-6)
    assert float(teacher.loss(3 * teacher.targets(batch), batch)) == pytest.approx(0, abs=1e-6)


def test_vectors_that_are_longer_than_the_students_are_projected(
    model: FolderModel, make_data: Callable[[int], FaceData]
) -> None:
    data = make_data(2)
    teacher = Teacher(model, model.network, data, 5, weight=1.0)
    rows = data.images.rows("train")[:4]
    own = model.network.embed(np.array(data.crops[rows]))
    assert teacher.axes is not None
    expected = own @ teacher.axes
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(teacher.targets(_batch(data, rows, [0] * 4)), expected, atol=1e-5)


def test_a_student_is_shown_beside_its_teacher(model: FolderModel, make_data: Callable[[int], FaceData]) -> None:
    data = make_data(2)
    teacher = Teacher(model, model.network, data, 12, weight=1.0)
    assert isinstance(model.network, Embedder)
    student, own = compare(model.network, teacher, data, {"val/cosine": 0.5})
    assert (student.cosine, own.cosine) == (0.5, 1)
    assert student.milliseconds > 0 < own.milliseconds
    assert np.isnan(own.map_at_r)  # nobody knows who is in the folder
    assert teacher.validation.shape == (len(data.images.rows("val")), 12)


@pytest.mark.parametrize(
    ("changes", "dim", "said"),
    [
        ({"views": "often"}, DIM, r"teacher\.views must be online, auto or a number, not 'often'"),
        ({"views": 0}, DIM, r"teacher\.views must be 1 or more"),
        ({"weight": 0.0}, DIM, r"teacher\.weight must be above 0, not 0\.0"),
        ({}, DIM + 1, r"backbone\.embedding_dim: the student's vectors have 7 numbers, .* only 6; give 6 or less"),
    ],
)
def test_bad_settings_are_refused_by_name(
    contract: Path, make_data: Callable[[int], FaceData], changes: dict[str, Any], dim: int, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        open_teacher(make_data(0), dim, model=str(contract), **changes)


def test_vectors_that_are_not_finite_are_refused_with_the_files(
    tmp_path: Path, make_data: Callable[[int], FaceData]
) -> None:
    write_network(tmp_path / "net.onnx", np.full((3, DIM), np.nan, np.float32))
    with pytest.raises(ModelError, match=r"(?s)external\.yaml: \d+ images of which it gives .* NaN .*\.pgm"):
        open_teacher(make_data(0), DIM, model=str(written(tmp_path)))


def test_a_teacher_of_another_crop_size_or_colour_is_refused(
    tmp_path: Path, make_data: Callable[[int], FaceData]
) -> None:
    write_network(tmp_path / "net.onnx", matrix(), shape=(3, 96, 96))
    with pytest.raises(ModelError, match=r"weights does not fit net\.onnx: it takes .*96"):
        open_teacher(make_data(0), DIM, model=str(written(tmp_path)))
    with pytest.raises(ModelError, match="colour must be RGB or BGR, not grey"):
        open_teacher(make_data(0), DIM, model=str(written(tmp_path, colour="grey")))


def _taught(contract: Path, small: list[str]) -> list[str]:
    labels = [given for given in small if not given.startswith("data.batch_size")]
    return [*labels, "data.batch_size=8", "loss=none", "teacher=model", f"teacher.model={contract}", "logger=csv"]


def test_a_training_from_a_teacher_alone_ends_with_a_model_that_says_whose_space_it_is(
    run: Run,
    in_folder: Path,
    small: list[str],
    contract: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = [*_taught(contract, small), "backbone.embedding_dim=4", "trainer.max_epochs=3", "optimizer.lr=3e-3"]
    assert run("train", *given, "dataset.labels=false", "hydra.run.dir=run") == 0
    output = capsys.readouterr().out
    assert "Student beside teacher" in output
    assert "watches val/cosine" in output
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert metrics.keys() == {"val/cosine", "student/milliseconds", "teacher/milliseconds"}  # nobody has a name
    curves = read_metrics(Path("run/csv"))
    assert metrics["val/cosine"] == pytest.approx(max(curves["val/cosine"].values()), abs=1e-5)
    assert curves["train/cosine"][max(curves["train/cosine"])] > curves["train/cosine"][min(curves["train/cosine"])]

    origin = yaml.safe_load(Path("run/model/model.yaml").read_text())["origin"]
    assert origin["teacher"]["name"] == str(contract)
    assert origin["teacher"]["fingerprint"] == open_model(contract).fingerprint
    assert origin["loss"] is None
    assert load_file(Path("run/model/teacher.safetensors"))["axes"].shape == (DIM, 4)
    student = open_model("./run", "cpu")
    assert student.teachers["model"] == origin["teacher"]
    assert run("evaluate", "model=./run", "logger=csv") == 1
    assert "have no names, so nobody can be recognised in them" in capsys.readouterr().out

    more = ["init_from=run/model", "trainer.max_epochs=1", "scheduler=constant", "logger=csv"]
    assert run("train", *small, *more, "backbone.embedding_dim=4", "hydra.run.dir=more") == 0
    refined = open_model("./more", "cpu")
    assert refined.origin["init_from"]["fingerprint"] == student.fingerprint
    assert refined.teachers["model"]["fingerprint"] == origin["teacher"]["fingerprint"]
    assert refined.statistics.trained_on is not None
    assert refined.statistics.trained_on["unknown"] == ["run/model"]
    assert student.statistics.trained_on is None  # nobody knows who is in the folder

    longer = ["dataset.labels=false", "trainer.max_epochs=1", "init_from=run/model", "hydra.run.dir=longer"]
    with monkeypatch.context() as patch:  # another machine finds the same axes with other signs
        patch.setattr("facerec.training.teacher.principal_axes", lambda *given: -principal_axes(*given))
        assert run("train", *given, *longer) == 0
    before, after = (load_file(Path(name) / "model/teacher.safetensors")["axes"] for name in ("run", "longer"))
    np.testing.assert_array_equal(after, before)
    Path("run/model/teacher.safetensors").write_bytes(b"damaged")
    assert run("train", *given, *longer[:-1], "hydra.run.dir=never") == 1
    assert "run/model/teacher.safetensors: is damaged" in "".join(capsys.readouterr())


def test_labels_and_teacher_together_resumed_as_never_stopped(
    run: Run, in_folder: Path, small: list[str], contract: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [*_taught(contract, small), "loss=arcface", "teacher.weight=2.5", "teacher.views=3"]
    given += ["backbone.embedding_dim=4", "scheduler=constant"]
    assert run("train", *given, "trainer.max_epochs=2", "hydra.run.dir=whole") == 0
    assert run("train", *given, "trainer.max_epochs=1", "hydra.run.dir=halves") == 0
    with monkeypatch.context() as patch:  # another machine finds the same axes with other signs
        patch.setattr("facerec.training.teacher.principal_axes", lambda *given: -principal_axes(*given))
        assert run("train", *given, "trainer.max_epochs=2", "resume=halves") == 0
    for file in ("weights.safetensors", "teacher.safetensors"):
        whole, halves = (load_file(Path(name) / "model" / file) for name in ("whole", "halves"))
        assert all(np.array_equal(whole[name], halves[name]) for name in whole)
    metrics = json.loads(Path("whole/metrics.json").read_text())
    assert {"val/MAP@R", "val/cosine", "val/A@1/seen", "test/MAP@R"} <= metrics.keys()
    assert yaml.safe_load(Path("whole/model/model.yaml").read_text())["origin"]["loss"] == "ArcFace"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["loss=none"], "loss=none learns from a teacher alone, but teacher is null"),
        (["dataset.labels=false"], "dataset.labels is false, but a loss learns by identity; choose loss=none"),
        (["loss=none", "teacher=model", "backbone.final_relu=true"], "backbone.final_relu: no number is negative"),
        (["loss=none", "teacher=model", "teacher.model=nowhere/m"], "there is nothing at nowhere/m"),
    ],
)
def test_what_can_not_be_learnt_is_refused_before_training(
    run: Run,
    in_folder: Path,
    tiny: list[str],
    contract: Path,
    overrides: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [f"teacher.model={contract}"] if "teacher=model" in overrides and len(overrides) < 4 else []
    width = [f"backbone.embedding_dim={DIM}"] if given else []
    assert run("train", *tiny, *overrides[:2], *given, *width, *overrides[2:], "hydra.run.dir=run") == 1
    assert said in capsys.readouterr().out
    assert not Path("run/checkpoints").exists()


def test_mixing_is_off_where_no_teacher_sees_the_mixture(
    run: Run, in_folder: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", *tiny, "augment=strong", "hydra.run.dir=run") == 0
    assert "augment.mixup is off" in capsys.readouterr().out
