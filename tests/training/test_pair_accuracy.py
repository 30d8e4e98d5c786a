"""Accuracy on pair sets in each validation, beside what the weights of the checkpoints give."""

import json
import os
import subprocess
import sys
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.optim import AdamW

from facerec.backbones import ResNet
from facerec.crops import crop_file, encode_png
from facerec.data import Augment, FaceData, orl
from facerec.errors import ConfigError
from facerec.evaluation import read_pair_file, write_pair_file
from facerec.losses import ArcFace
from facerec.models import CropEmbedder, FlipEmbedder, open_model
from facerec.models.embedder import Embedder
from facerec.training import EMA, Learner, PairAccuracy
from facerec.training.schedules import constant
from tests.conftest import Run


@pytest.fixture(scope="module")
def pair_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """190 pairs of 20 ORL images, 90 of one person, in random order."""
    images = [file for file in orl().files if file.parent.name in ("s1", "s2")]
    pairs = [(a, b, images[a].parent == images[b].parent) for a, b in combinations(range(len(images)), 2)]
    np.random.default_rng(0).shuffle(pairs)
    file = tmp_path_factory.mktemp("pairs") / "orl.bin"
    write_pair_file(file, [encode_png(crop_file(image, None).transpose(1, 2, 0)) for image in images], pairs)
    return file


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> FaceData:
    given: dict[str, Any] = {"batch_size": 8, "num_workers": 0, "decode_workers": 0, "seed": 0}
    return FaceData(orl(), Augment(flip=0.5), cache_dir=str(tmp_path_factory.mktemp("cache")), **given)


def _embedder() -> Embedder:
    torch.manual_seed(0)
    return Embedder(ResNet(18, embedding_dim=8, stem="imagenet"), [120.0] * 3, [50.0] * 3)


class _Logged(pl.Callback):
    """What stands at the end of each validation."""

    def __init__(self) -> None:
        self.values: list[dict[str, float]] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        metrics = {key: float(value) for key, value in trainer.callback_metrics.items()}
        self.values.append({key: value for key, value in metrics.items() if key.startswith("pairs/")})


def test_the_weights_that_are_validated_are_measured(data: FaceData, pair_file: Path, tmp_path: Path) -> None:
    """With averaged weights, whichever callback comes first."""
    copied = tmp_path / "mirrored.bin"
    copied.write_bytes(pair_file.read_bytes())
    measuring = [PairAccuracy([str(pair_file)]), EMA(0.9), PairAccuracy([str(copied)], flip=True)]
    logged, keeper = _Logged(), ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
    trainer = pl.Trainer(
        max_epochs=1,
        limit_train_batches=4,
        limit_val_batches=1,
        callbacks=[*measuring, keeper, logged],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )
    head = ArcFace(8, data.images.num_classes, m=0.3, scale=16.0)
    learner = Learner(_embedder(), head, data.images, partial(AdamW, lr=3e-3), partial(constant, warmup=0.5))
    trainer.fit(learner, data)
    pair_set, found = read_pair_file(pair_file), {}
    checkpoint = torch.load(tmp_path / "epoch=0.ckpt", weights_only=True)
    for name in ("state_dict", "current_model_state"):  # the average, and the weights of the last step
        learner.load_state_dict(checkpoint[name])
        embedders: dict[str, CropEmbedder] = {"pairs/orl": learner.embedder}
        embedders["pairs/mirrored"] = FlipEmbedder([learner.embedder])
        found[name] = {
            key: pair_set.accuracy(embedder.embed(pair_set.crops)).mean for key, embedder in embedders.items()
        }
    sanity_check, values = logged.values
    assert sanity_check == {}
    assert values == pytest.approx(found["state_dict"], abs=1e-6)
    assert values != pytest.approx(found["current_model_state"], abs=1e-6)


def _assert_that_of_the_model(folder: Path, pair_file: Path) -> None:
    """The metrics of the run are those of its model, in float32 to the rounding of a similarity."""
    found = json.loads((folder / "metrics.json").read_text())["pairs/orl"]
    pair_set = read_pair_file(pair_file)
    vectors = open_model(folder, "cpu").members["model"].embed(pair_set.crops)
    assert found == pytest.approx(pair_set.accuracy(vectors).mean, abs=1e-6)


def test_a_run_logs_them_and_keeps_those_of_its_model(run: Run, tiny: list[str], pair_file: Path) -> None:
    given = ["callbacks=[default,pairs]", f"callbacks.pairs.files=[{pair_file}]", "hydra.run.dir=measured"]
    assert run("train", *tiny, *given, "trainer.precision=32-true") == 0
    _assert_that_of_the_model(Path("measured"), pair_file)
    [curves] = Path("measured/csv").rglob("metrics.csv")
    assert "pairs/orl" in curves.read_text().splitlines()[0]


@pytest.mark.slow
def test_one_of_two_processes_measures_for_both(in_folder: Path, tiny: list[str], pair_file: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "facerec.train",
        *tiny,
        "trainer=ddp",
        "trainer.devices=2",
        "hydra.run.dir=two",
    ]
    command += ["callbacks=[default,pairs]", f"callbacks.pairs.files=[{pair_file}]", "trainer.precision=32-true"]
    command += ["trainer.accelerator=cpu", "callbacks.checkpoint.monitor=pairs/orl", "data.batch_size=4"]
    subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, timeout=240)
    _assert_that_of_the_model(Path("two"), pair_file)


def test_what_it_refuses() -> None:
    with pytest.raises(ConfigError, match=r"callbacks\.pairs\.files: name a \.bin file"):
        PairAccuracy([])
    with pytest.raises(ConfigError, match=r"pairs\.txt is no \.bin file; `facerec pairs` makes one"):
        PairAccuracy(["lfw.bin", "pairs.txt"])
    with pytest.raises(ConfigError, match="two files have one name"):
        PairAccuracy(["a/lfw.bin", "b/lfw.bin"])


def test_a_damaged_file_ends_the_run_before_it_begins(
    run: Run, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cut.bin").write_bytes(b"\x80\x04")
    given = ["callbacks=[default,pairs]", "callbacks.pairs.files=[cut.bin]", "hydra.run.dir=refused"]
    assert run("train", *tiny, *given) == 1
    assert "cut.bin: can't be read as a pair set" in "".join(capsys.readouterr())
    assert not list(Path("refused").glob("checkpoints/*"))
    assert run("train", *tiny, *given[:1], "hydra.run.dir=refused") == 1
    assert "callbacks.pairs.files: must be given" in "".join(capsys.readouterr())
