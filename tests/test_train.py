import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from PIL import Image

from facerec.job import run_job
from facerec.models import load
from facerec.report.curves import read_metrics
from facerec.train import train

Job = Callable[..., Path]


@pytest.fixture
def job(tmp_path: Path, people: Path, small: list[str], monkeypatch: pytest.MonkeyPatch) -> Job:
    """Runs `python -m facerec.train …` in this process and returns the run's folder."""
    monkeypatch.setenv("FACEREC_CACHE", str(people.parent / "cache"))
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def run(*overrides: str, name: str = "run") -> Path:
        GlobalHydra.instance().clear()
        folder = tmp_path / name
        given = [*small, f"hydra.run.dir={folder}", *overrides]
        monkeypatch.setattr(sys, "argv", ["train", *given])
        run_job("train", train)
        return folder

    return run


def test_a_run_leaves_a_model_that_works_and_everything_to_judge_it_by(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    run = job("trainer.max_epochs=2", "scheduler=cosine")
    output = capsys.readouterr().out
    assert str(run / "model") in output
    assert "test identities" in output
    metrics = json.loads((run / "metrics.json").read_text())
    names = ("MAP@R", "P@1", "R-precision", "A@1/unseen")
    assert metrics.keys() == {
        *(f"{part}/{name}" for part in ("val", "test") for name in names),
        "val/A@1/seen",
    }
    assert all(0 <= value <= 1 for value in metrics.values())

    model = load(run / "model")
    crops = torch.randint(0, 256, (3, 3, 112, 112), dtype=torch.uint8)
    embeddings = model.embed(crops)
    assert embeddings.shape == (3, 128)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))

    checkpoint = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    weights = checkpoint["state_dict"]
    assert weights["head.weight"].shape == (8, 128)
    assert (
        len(checkpoint["optimizer_states"][0]["state"]) == len([name for name, _ in model.named_parameters()]) + 1
    )
    torch.testing.assert_close(weights["embedder.backbone.fc.weight"], model.state_dict()["backbone.fc.weight"])

    curves = read_metrics(run / "csv")
    assert {
        "train/loss",
        "train/accuracy",
        "train/images_per_s",
        "lr",
        "val/MAP@R",
        "val/A@1/seen",
    } <= curves.keys()
    assert len(curves["val/MAP@R"]) == 2
    best = max(curves["val/MAP@R"].values())
    assert metrics["val/MAP@R"] == pytest.approx(best, abs=1e-6)
    for picture in ("crops.png", "curves.png"):
        with Image.open(run / picture) as image:
            assert np.asarray(image).std() > 10
    assert (run / "config.yaml").exists()
    assert list((run / "wandb").glob("offline-run-*/*.wandb"))


def test_init_from_starts_with_the_weights_of_a_model(job: Job) -> None:
    first = job("trainer.max_epochs=1", "logger=csv")
    second = job("trainer.max_epochs=1", "logger=csv", "optimizer.lr=0", f"init_from={first}/model", name="second")
    before, after = load(first / "model").state_dict(), load(second / "model").state_dict()
    for name in before:
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(before[name], after[name])
    with pytest.raises(SystemExit):
        job(f"init_from={first}/model", "backbone=resnet34", name="third")


def _metrics_of(run: Path) -> dict[str, dict[int, float]]:
    return {name: values for name, values in read_metrics(run / "csv").items() if "per_s" not in name}


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_killed_run_ends_as_one_never_killed(tmp_path: Path, small: list[str], interval: str) -> None:
    def start(name: str, *overrides: str) -> "subprocess.Popen[bytes]":
        given = [*small, "logger=csv", "trainer.max_epochs=3", "scheduler.t_0=1"]
        given += ["trainer.log_every_n_steps=1", f"learner.interval={interval}", f"hydra.run.dir={tmp_path / name}"]
        environment = os.environ | {"FACEREC_CACHE": str(tmp_path / "cache")}
        # or two runs may round differently, killed or not: threads share sums out, MKL by where its memory lies
        environment |= {"OMP_NUM_THREADS": "1", "MKL_CBWR": "COMPATIBLE"}
        return subprocess.Popen([sys.executable, "-m", "facerec.train", *given, *overrides], env=environment)

    assert start("whole").wait() == 0
    killed, checkpoint = start("killed"), tmp_path / "killed/checkpoints/last.ckpt"
    while not checkpoint.exists():
        assert killed.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    time.sleep(0.3)  # into the second epoch
    assert killed.poll() is None, "the run ended before it could be killed"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    steps = torch.load(checkpoint, weights_only=True)["global_step"]
    assert 0 < steps < 15
    assert not (tmp_path / "killed" / "model").exists()

    assert start("killed", f"ckpt_path={checkpoint}").wait() == 0
    whole, resumed = _metrics_of(tmp_path / "whole"), _metrics_of(tmp_path / "killed")
    for name in ("train/loss", "lr", "val/MAP@R", "val/A@1/seen", "train/accuracy"):
        later = {step: value for step, value in whole[name].items() if step >= steps}
        assert later
        assert {step: resumed[name][step] for step in later} == pytest.approx(later, abs=1e-6), name
    finals = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("whole", "killed")]
    assert finals[0] == pytest.approx(finals[1], abs=1e-6)


def test_an_epoch_without_progress_is_not_done_again(job: Job) -> None:
    first_is_best = ["callbacks.checkpoint.monitor=step", "callbacks.checkpoint.mode=min"]
    run = job("logger=csv", "trainer.max_epochs=3", "scheduler.t_0=1", *first_is_best)
    last, best = (torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True) for name in ("last", "best"))
    assert last["global_step"] == 3 * best["global_step"] > 0


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["backbon=resnet18"], "backbon"),
        (["loss=arcfase"], "loss/arcfase"),
        (["loss.margin=1"], "margin"),
        (["+loss.margin=1"], "margin"),
        (["+sede=1"], "sede: no such key"),
        (["dataset=celeba", "dataset.root=/nowhere"], "/nowhere is missing\nGet CelebA"),
        (["dataset=celeba", "dataset.root=???"], "dataset.root"),
        ([f"dataset.root={Path(__file__).parent}"], "dataset.root: no pictures"),
        (
            ["data.batch_size=1000"],
            "data.batch_size is 1000, but must lie between 2 and the 40 training images",
        ),
        (["dataset.val_share=1"], "at least two identities"),
        (["backbone.depth=19"], "backbone.depth"),
        (["learner.interval=hour"], "learner.interval"),
        (["ckpt_path=/nowhere.ckpt"], "ckpt_path: /nowhere.ckpt is missing"),
        (["init_from=/nowhere"], "/nowhere"),
    ],
)
def test_bad_input_ends_in_one_message(
    job: Job,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    overrides: list[str],
    message: str,
) -> None:
    with pytest.raises(SystemExit) as stop:
        job("logger=csv", *overrides)
    assert stop.value.code == 1
    said = caplog.text + "".join(capsys.readouterr())
    assert message in said
    assert "Traceback" not in said


def test_what_the_second_command_may_not_do(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    run = job("trainer.max_epochs=1", "logger=csv")
    checkpoint = run / "checkpoints" / "last.ckpt"
    for overrides, message in (
        ([], "holds another run"),
        ([f"ckpt_path={checkpoint}", "backbone=resnet34"], "the checkpoint is of another run:\n  backbone"),
        ([f"ckpt_path={checkpoint}", "loss=cosface"], "loss: ArcFace in the checkpoint, CosFace here"),
        ([f"ckpt_path={checkpoint}", f"init_from={run}/model"], "give one of them"),
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit):
            job("logger=csv", "trainer.max_epochs=2", *overrides)
        assert message in capsys.readouterr().out
    (run / "broken.ckpt").write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(SystemExit):
        job(f"ckpt_path={run}/broken.ckpt")
    assert "is no complete checkpoint" in capsys.readouterr().out
    assert (run / "model" / "model.yaml").exists()


def test_a_loss_that_is_not_finite_stops_the_run(
    job: Job, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        job(
            "logger=csv",
            "optimizer=sgd",
            "optimizer.lr=1e38",
            "trainer.gradient_clip_val=null",
            "loss=softmax",
        )
    said = capsys.readouterr().out
    assert all(part in said for part in ("in epoch 0, batch ", ".pgm", "optimizer.lr"))
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.parametrize("name", ["train", "search", "assemble"])
def test_help_is_quick_because_it_does_not_import_torch(name: str) -> None:
    program = f"import sys; import facerec.{name}; assert 'torch' not in sys.modules, 'torch was imported'"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_help_lists_the_groups() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "facerec.train", "--help"], capture_output=True, text=True, check=True
    )
    assert "backbone: resnet18, resnet34, resnet50" in done.stdout


def test_metrics_of_a_resumed_run_replace_those_after_its_checkpoint(tmp_path: Path) -> None:
    for version, rows in enumerate(([(1, 0.5), (2, 0.4)], [(2, 0.3), (3, 0.2)])):
        (tmp_path / f"version_{version}").mkdir()
        with (tmp_path / f"version_{version}" / "metrics.csv").open("w") as stream:
            writer = csv.writer(stream)
            writer.writerows([("step", "train/loss"), *rows])
    assert read_metrics(tmp_path)["train/loss"] == {1: 0.5, 2: 0.3, 3: 0.2}
