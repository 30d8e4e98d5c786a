"""Two processes on the CPU end where one process with the same batch ends, in float64 to its rounding."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer

from facerec.backbones import ResNet
from facerec.data import Augment, FaceData, orl
from facerec.distributed.batch_norm import CPUSyncBatchNorm
from facerec.errors import ConfigError
from facerec.models import Embedder
from facerec.models.store import save
from facerec.report.curves import read_metrics

TWO = ("trainer=ddp", "trainer.devices=2", "data.batch_size=8")
EXACT = ("trainer.precision=64-true", "trainer.accelerator=cpu", "optimizer.lr=0.01")
MORE = ("scheduler=constant", "logger=csv", "trainer.log_every_n_steps=1", "loss=adaface")


def _start(name: str, *overrides: str) -> None:
    command = [sys.executable, "-m", "facerec.train", f"hydra.run.dir={name}", *EXACT, *MORE, *overrides]
    subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, timeout=240)


def _assert_equal_runs(first: Path, second: Path) -> None:
    weights = [torch.load(run / "checkpoints/last.ckpt", weights_only=True) for run in (first, second)]
    for kind in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(weights[0][kind], weights[1][kind], rtol=1e-6, atol=1e-6)
    curves = [read_metrics(run / "csv") for run in (first, second)]
    for metric, values in curves[0].items():
        if "per_s" not in metric:
            expected = {step: values[step] for step in curves[1][metric]}
            assert curves[1][metric] == pytest.approx(expected, abs=1e-6), metric
    finals = [json.loads((run / "metrics.json").read_text()) for run in (first, second)]
    quality = [{name: value for name, value in final.items() if "milli" not in name} for final in finals]
    assert quality[0] == pytest.approx(quality[1], abs=1e-6)
    statistics = [json.loads((run / "model/statistics.json").read_text())["channels"] for run in (first, second)]
    assert statistics[0] == statistics[1]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adabelief"])
def test_two_processes_and_sharded_classes_end_as_one_process(
    run: Callable[..., int], small: list[str], in_folder: Path, optimizer: str
) -> None:
    small = [*small, f"optimizer={optimizer}"]

    def resumed(name: str) -> tuple[str, str]:
        return f"resume={in_folder}/{name}", "trainer.max_epochs=2"

    # both stop and go on: Lightning reads a checkpoint into float32 weights, and makes them float64 only then
    for more in (("trainer.max_epochs=1",), resumed("one")):
        assert run("train", *small, *EXACT, *MORE, "data.batch_size=16", "hydra.run.dir=one", *more) == 0
    _start("two", *small, *TWO, "trainer.max_epochs=1")
    _start("two", *small, *TWO, "loss.shard_classes=true", *resumed("two"))
    _assert_equal_runs(Path("one"), Path("two"))


@pytest.mark.slow
@pytest.mark.parametrize("views", ["3", "online"])
def test_two_processes_learn_from_a_teacher_as_one_does(
    run: Callable[..., int], small: list[str], in_folder: Path, views: str
) -> None:
    torch.manual_seed(0)
    network = Embedder(ResNet(18, embedding_dim=12, stem="imagenet"), [120.0] * 3, [60.0] * 3)
    save(in_folder / "teacher", network, statistics={}, origin={})
    taught = ["teacher=model", f"teacher.model={in_folder}/teacher", f"teacher.views={views}"]
    given = [*small, *taught, "optimizer=sgd", "backbone.embedding_dim=4", "trainer.max_epochs=1"]
    assert run("train", *given, *EXACT, *MORE, "data.batch_size=16", "hydra.run.dir=one") == 0
    _start("two", *given, *TWO)
    _assert_equal_runs(Path("one"), Path("two"))


@pytest.mark.slow
def test_a_sweep_starts_the_processes_of_each_job(in_folder: Path, tiny: list[str]) -> None:
    command = [sys.executable, "-m", "facerec.train", "--multirun", *tiny, *TWO[:2], "trainer.accelerator=cpu"]
    command += ["hydra.sweep.dir=sweep", "loss=normface,cosface", "data.batch_size=4", "loss.shard_classes=true"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "FACEREC_CACHE": "cache"}
    done = subprocess.run(command, env=environment, check=True, timeout=240, capture_output=True, text=True)
    assert len(list(in_folder.glob("sweep/*/model/model.yaml"))) == 2
    assert (done.stdout + done.stderr).count("decoding 72 images") == 1  # by one of the four processes
    assert [file.suffix for file in sorted(in_folder.glob("cache/crops-*"))].count(".npy") == 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["loss.shard_classes=true"], "loss.shard_classes needs several processes"),
        (["loss.shart_classes=true"], "shart_classes"),
    ],
)
def test_what_can_not_be_sharded_is_refused(
    run: Callable[..., int], tiny: list[str], overrides: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", *tiny, *overrides, "hydra.run.dir=refused") == 1
    assert message in "".join(capsys.readouterr())


def test_more_processes_than_images_are_refused(tmp_path: Path) -> None:
    data = FaceData(
        orl(), Augment(), batch_size=2, num_workers=0, decode_workers=0, cache_dir=str(tmp_path), seed=0
    )
    counts = [len(data.split(part)) for part in ("seen", "val", "test")]
    data.trainer = Trainer(devices=min(counts), accelerator="cpu", strategy="ddp", logger=False)
    data.setup("fit")
    data.trainer = Trainer(devices=min(counts) + 1, accelerator="cpu", strategy="ddp", logger=False)
    with pytest.raises(ConfigError, match=f"holds {min(counts)} images, too few for {min(counts) + 1} proc"):
        data.setup("fit")
    data.trainer = Trainer(devices=len(data.split("train")), accelerator="cpu", strategy="ddp", logger=False)
    with pytest.raises(ConfigError, match=r"data\.batch_size is 2 in each of"):
        data.setup("fit")


def test_local_batches_are_augmented_as_the_global_one() -> None:
    crops = torch.randint(0, 256, (8, 3, 24, 24), dtype=torch.uint8)
    augment = Augment(flip=0.5, zoom=0.1, shift=0.1, brightness=0.1, contrast=0.2, erase=0.5)
    global_batch = augment(crops, torch.Generator().manual_seed(1))
    local_batches = [augment(crops[i::2], torch.Generator().manual_seed(1), (i, 2)) for i in range(2)]
    assert torch.equal(torch.stack(local_batches, 1).flatten(0, 1), global_batch)


def test_each_image_is_in_one_process_once_an_epoch() -> None:
    dataset = np.arange(43)
    samplers: list[torch.utils.data.DistributedSampler[int]] = [
        torch.utils.data.DistributedSampler(dataset, 4, rank, seed=1, drop_last=True)  # type: ignore[arg-type]
        for rank in range(4)
    ]
    seen = [row for sampler in samplers for row in sampler]
    assert len(seen) == len(set(seen)) == 40


def test_the_norm_of_one_process_is_torchs() -> None:
    torch.manual_seed(0)
    values = torch.randn(6, 5, 4, 4, dtype=torch.float64)
    synced, plain = CPUSyncBatchNorm(5).double().eval(), torch.nn.BatchNorm2d(5).double().eval()
    torch.testing.assert_close(synced(values), plain(values))
