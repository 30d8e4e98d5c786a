"""IJB's protocols on files of their form that the test writes, beside a computation by loops in float64."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from facerec.backbones import ResNet
from facerec.crops.crop_file import crop_file
from facerec.data import orl
from facerec.errors import ConfigError, DataError
from facerec.evaluation import ijb
from facerec.evaluation.ijb import measure_ijb, verification
from facerec.evaluation.ijb_files import IjbFiles, read_ijb
from facerec.models import Embedder, Ensemble, FlippedModel, Model, open_model
from facerec.models.store import save

PEOPLE, WEIGHTS = 8, [0.25, 0.75]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    torch.manual_seed(0)
    nets = {f"{dim}": ResNet(18, embedding_dim=dim, stem="imagenet") for dim in (6, 8)}
    members = {name: Embedder(net, (120, 110, 100), (70, 70, 70)) for name, net in nets.items()}
    folder = tmp_path_factory.mktemp("ijb") / "model"
    save(folder, Ensemble(members, WEIGHTS).eval(), statistics={}, origin={})
    return open_model(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Eight of the ORL people: two templates each, of two photos and a video of three frames, and of one photo."""
    images = orl()
    assert images.landmarks is not None
    root, templates = tmp_path / "IJBC", dict[int, int]()
    faces, points = list[str](), list[str]()
    (root / "meta").mkdir(parents=True)
    (root / "loose_crop").mkdir()
    for person in range(PEOPLE):
        for frame in range(6):
            row = 10 * person + frame
            name = f"{len(faces) + 1}.png"
            Image.open(images.files[row]).save(root / "loose_crop" / name)
            template = 100 + 2 * person + (frame == 5)
            templates[template] = person
            medium = 1000 + 10 * person + min(frame, 2) + 3 * (frame == 5)  # frames 2, 3, 4 are of one video
            faces.append(f"{name} {template} {medium}")
            where = " ".join(f"{value:.6f}" for value in images.landmarks[row].ravel())
            points.append(f"{name} {where} {0.5 + 0.08 * frame:.2f}")
    pairs = [(a, b) for a in templates for b in templates if a < b]
    lines = {
        "face_tid_mid": faces,
        "name_5pts_score": points,
        "template_pair_label": [f"{a} {b} {int(templates[a] == templates[b])}" for a, b in pairs],
    }
    for name, content in lines.items():
        (root / "meta" / f"ijbc_{name}.txt").write_text("\n".join(content) + "\n")
    for number, first in ((1, 0), (2, PEOPLE // 2)):
        rows = [f"{100 + 2 * person},{person},f.jpg" for person in range(first, first + 3)]
        (root / "meta" / f"ijbc_1N_gallery_G{number}.csv").write_text("\n".join(["TID,SID,FILE", *rows]) + "\n")
    rows = [f"{101 + 2 * person},{person},f.jpg" for person in range(PEOPLE)]
    (root / "meta" / "ijbc_1N_probe_mixed.csv").write_text("\n".join(["TID,SID,FILE", *rows]) + "\n")
    return root


def _vectors(files: IjbFiles, model: Model, weight_by: str | None) -> dict[str, dict[int, NDArray[np.float64]]]:
    """System → template → unit vector, an image, a medium, a template after the other."""
    crops = np.stack([crop_file(file, files.images.landmarks[row]) for row, file in enumerate(files.images.files)])
    members = {}
    for name, member in model.members.items():
        assert isinstance(member, Embedder)
        with torch.no_grad():
            features = member.features(torch.from_numpy(crops)).double().numpy()
        units = features / np.linalg.norm(features, axis=1, keepdims=True)
        members[name] = features if weight_by == "norm" else units
    systems = dict(members)
    for name, weights in (("concatenation", [0.5, 0.5]), ("ensemble", WEIGHTS)):
        parts = [np.sqrt(w) * vectors for w, vectors in zip(weights, members.values(), strict=True)]
        systems[name] = np.concatenate(parts, axis=1)
    made: dict[str, dict[int, NDArray[np.float64]]] = {}
    for name, vectors in systems.items():
        made[name] = {}
        for template in np.unique(files.templates):
            media: dict[int, list[NDArray[np.float64]]] = {}
            for row in np.flatnonzero(files.templates == template):
                factor = files.scores[row] if weight_by == "score" else 1.0
                media.setdefault(int(files.media[row]), []).append(factor * vectors[row])
            total = sum(np.mean(frames, axis=0) for frames in media.values())
            made[name][int(template)] = total / np.linalg.norm(total)
    return made


def _rates(vectors: dict[int, NDArray[np.float64]], files: IjbFiles, far: float) -> float:
    similarity = np.array([vectors[a] @ vectors[b] for a, b in files.pairs.tolist()])
    genuine, impostor = similarity[files.same], similarity[~files.same]
    best = 0.0
    for threshold in np.concatenate([similarity, [2.0]]):
        if (impostor >= threshold).mean() <= far:
            best = max(best, float((genuine >= threshold).mean()))
    return best


def _searches(
    vectors: dict[int, NDArray[np.float64]], files: IjbFiles, fpir: float, rank: int
) -> tuple[float, float]:
    """DIR at a FPIR, and the share of mated probes that are among the first."""
    assert files.probes
    dirs, ranks = [], []
    for gallery in files.galleries:
        enrolled = list(zip(gallery.templates.tolist(), gallery.subjects.tolist(), strict=True))
        mated, alarms, within = [], [], []
        for probe, subject in zip(files.probes.templates.tolist(), files.probes.subjects.tolist(), strict=True):
            order = sorted(((float(vectors[probe] @ vectors[t]), s) for t, s in enrolled), reverse=True)
            if subject in gallery.subjects:
                mated.append((order[0][0], order[0][1] == subject))
                within.append(subject in [other for _, other in order[:rank]])
            else:
                alarms.append(order[0][0])
        thresholds = [*alarms, *(score for score, _ in mated), 2.0]
        allowed = [t for t in thresholds if np.mean([alarm >= t for alarm in alarms]) <= fpir]
        dirs.append(max(np.mean([right and score >= t for score, right in mated]) for t in allowed))
        ranks.append(np.mean(within))
    return float(np.mean(dirs)), float(np.mean(ranks))


@pytest.mark.slow
@pytest.mark.parametrize("weight_by", [None, "score", "norm"])
def test_every_rate_is_that_of_a_loop(
    root: Path, model: Model, weight_by: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ijb, "_ROWS", 7)  # several parts of each
    monkeypatch.setattr(ijb, "_PAIRS", 9)
    settings: dict[str, Any] = {"cache": tmp_path / "cache", "batch_size": 5}
    results = measure_ijb(model, root=str(root), weight_by=weight_by, **settings)
    assert {key: results[key] for key in ("protocol", "images", "templates", "pairs", "impostor_pairs")} == {
        "protocol": "IJBC",
        "images": 48,
        "templates": 16,
        "pairs": 120,
        "impostor_pairs": 112,
    }
    files = read_ijb(root)
    expected = _vectors(files, model, weight_by)
    assert list(results["systems"]) == ["6", "8", "concatenation", "ensemble"]
    for name, figures in results["systems"].items():
        assert figures["TAR@FAR=0.001"] is None  # of 112 pairs
        for far in (0.01, 0.1):
            assert figures[f"TAR@FAR={far:g}"] == pytest.approx(_rates(expected[name], files, far))
        for fpir, rank in ((0.1, 1), (0.01, 5)):
            identified, within = _searches(expected[name], files, fpir, rank)
            assert figures[f"DIR@FPIR={fpir:g}"] == pytest.approx(identified)
            assert figures[f"rank-{rank}"] == pytest.approx(within)
    assert results == measure_ijb(model, root=str(root), weight_by=weight_by, **settings)  # from the cache


@pytest.mark.slow
def test_the_job_prints_and_keeps_the_rates(
    run: Callable[..., int], in_folder: Path, root: Path, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [f"model={model.path}", "protocol=ijb", f"protocol.root={root}", "hydra.run.dir=measured"]
    assert run("evaluate", *given) == 0
    kept = json.loads(Path("measured/ijbc/metrics.json").read_text())
    printed = capsys.readouterr().out
    assert "IJBC: 48 images in 16 templates, 120 pairs, 112 of them impostor pairs" in printed
    assert f"{kept['systems']['ensemble']['TAR@FAR=0.1']:.4f}" in printed
    assert kept["fingerprint"] == model.fingerprint


@pytest.mark.slow
def test_without_galleries_pairs_are_measured_alone(root: Path, model: Model, tmp_path: Path) -> None:
    for file in (root / "meta").glob("*.csv"):
        file.unlink()
    results = measure_ijb(model, root=str(root), weight_by=None, cache=tmp_path, batch_size=64)
    assert all(name.startswith("TAR@FAR") for name in results["systems"]["ensemble"])


def test_equal_similarities_are_accepted_or_refused_together() -> None:
    pairs = np.array([[0, 0], [0, 1], [1, 2], [2, 3], [0, 2], [3, 3]])  # genuine: 1, 0; impostor: 0, 0, 0, 1
    same = np.array([True, True, False, False, False, False])
    rates = verification(np.eye(4, dtype=np.float32), pairs, same, fars=(0.2, 0.25, 0.5, 1.0))
    assert rates == {"TAR@FAR=0.2": None, "TAR@FAR=0.25": 0.5, "TAR@FAR=0.5": 0.5, "TAR@FAR=1": 1.0}


def _edited(name: str, old: str, new: str) -> Any:
    def edit(root: Path) -> None:
        file = root / "meta" / name
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))

    return edit


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            _edited("ijbc_face_tid_mid.txt", "3.png", "33.png"),
            r"ijbc_face_tid_mid\.txt and .* do not list the same",
        ),
        (_edited("ijbc_face_tid_mid.txt", " 100 ", " many "), r"ijbc_face_tid_mid\.txt can't be read .*many"),
        (_edited("ijbc_name_5pts_score.txt", "\n", " 7\n"), r"ijbc_name_5pts_score\.txt can't be read"),
        (_edited("ijbc_template_pair_label.txt", "100 101 ", "100 999 "), r"1 templates have no image, first 999"),
        (_edited("ijbc_1N_gallery_G2.csv", "\n108,", "\n888,"), r"1 templates have no image, first 888"),
        (lambda root: (root / "meta" / "ijbc_template_pair_label.txt").unlink(), r"pair_label\.txt can't be read"),
        (lambda root: (root / "meta" / "ijbc_face_tid_mid.txt").unlink(), r"protocol\.root: .*meta does not hold"),
    ],
)
def test_damage_is_named(root: Path, damage: Any, message: str) -> None:
    damage(root)
    with pytest.raises(DataError, match=message):
        read_ijb(root)


def test_an_unknown_weight_is_refused_and_norms_of_unit_vectors_too(
    root: Path, model: Model, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"protocol\.weight_by must be null, score or norm, not 'age'"):
        measure_ijb(model, root=str(root), weight_by="age", cache=tmp_path, batch_size=64)
    with pytest.raises(ConfigError, match=r"protocol\.weight_by=norm: 6 gives unit vectors only"):
        measure_ijb(FlippedModel(model), root=str(root), weight_by="norm", cache=tmp_path, batch_size=64)


def test_a_missing_image_is_named(root: Path, model: Model, tmp_path: Path) -> None:
    (root / "loose_crop" / "5.png").unlink()
    with pytest.raises(DataError, match=r"5\.png"):
        measure_ijb(model, root=str(root), weight_by=None, cache=tmp_path, batch_size=64)
