import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
import torch
from PIL import Image

from facerec.models import load
from facerec.report.curves import read_metrics
from facerec.training.checkpoints import WholeCheckpoints
from tests.conftest import Run


class Job(Protocol):
    def __call__(self, *overrides: str, name: str = "run", status: int = 0) -> Path: ...


@pytest.fixture
def job(run: Run, in_folder: Path, small: list[str]) -> Job:
    """Trains in a folder, which it returns, and expects an exit status."""

    def train(*overrides: str, name: str = "run", status: int = 0) -> Path:
        folder = in_folder / name
        assert run("train", *small, f"hydra.run.dir={folder}", *overrides) == status
        return folder

    return train


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
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), np.ones(3), rtol=1e-5)

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
    for file in ("crops.png", "curves.png"):
        with Image.open(run / file) as image:
            assert np.asarray(image).std() > 10
    assert (run / "config.yaml").exists()
    assert list((run / "wandb").glob("offline-run-*/*.wandb"))


@pytest.mark.parametrize(
    ("overrides", "checkpoints"),
    [
        (["~callbacks.progress", "+trainer.limit_val_batches=0", "+trainer.limit_train_batches=1"], ["last.ckpt"]),
        (["~callbacks.checkpoint", "callbacks.last=null", "+trainer.limit_train_batches=1"], []),
        (
            [f"callbacks.{key}=null" for key in ("checkpoint", "last", "learning_rate", "progress")]
            + ["+trainer.max_steps=1", "dataset.val_share=0"],
            [],
        ),
        (["+trainer.max_steps=2", "trainer.max_epochs=21", "scheduler=cosine"], ["last.ckpt"]),
        (["+trainer.check_val_every_n_epoch=5", "+trainer.limit_train_batches=1"], ["last.ckpt"]),
        (
            [f"+trainer.enable_{what}=false" for what in ("checkpointing", "progress_bar")]
            + ["+trainer.limit_test_batches=0", "+trainer.max_steps=1"],
            [],
        ),
    ],
)
def test_a_run_that_trained_leaves_a_model_whatever_is_left_out(
    job: Job, capsys: pytest.CaptureFixture[str], overrides: list[str], checkpoints: list[str]
) -> None:
    run = job("trainer.max_epochs=1", "logger=csv", *overrides)
    assert "the model is that of the last step" in capsys.readouterr().out
    assert load(run / "model").embedding_dim == 128
    assert all(0 <= value <= 1 for value in json.loads((run / "metrics.json").read_text()).values())
    assert [file.name for file in run.rglob("*.ckpt")] == checkpoints
    job("trainer.max_epochs=1", "logger=csv", status=1)
    assert "holds another run" in capsys.readouterr().out


def test_what_can_not_be_saved_is_refused_before_it_is_trained(
    job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run" / "model" / "thesis.tex"
    file.parent.mkdir(parents=True)
    file.write_text("years of work")
    job("trainer.max_epochs=1", "logger=csv", status=1)
    assert "holds ['thesis.tex'], which does not belong to a model" in capsys.readouterr().out
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert file.exists()


@pytest.fixture
def make_disk(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Mounts a disk of its own below the test's folder."""
    made: list[Path] = []

    def make(name: str, options: str) -> Path:
        (tmp_path / name).mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", tmp_path / name])
        if mounted.returncode:
            pytest.skip("only root can mount a disk")
        made.append(tmp_path / name)
        return tmp_path / name

    yield make
    for folder in made:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_one_message_and_loses_no_checkpoint(
    job: Job, make_disk: Callable[[str, str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    small_disk = make_disk("disk", "size=4m")  # less than a checkpoint
    file = small_disk / "run" / "checkpoints" / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"good": True}, file)
    with pytest.raises(OSError, match=f"No space left on device: '{file.parent}/.last.ckpt"):
        WholeCheckpoints().save_checkpoint({"large": torch.zeros(2_000_000)}, file)
    assert torch.load(file) == {"good": True}
    assert [entry.name for entry in file.parent.iterdir()] == ["last.ckpt"]
    file.unlink()

    job("logger=csv", "trainer.max_epochs=1", "+trainer.limit_train_batches=1", name="disk/run", status=1)
    said = "".join(capfd.readouterr())
    assert ": the disk is full; free space there (hydra.run.dir)\nno epoch was finished" in said
    assert "Traceback" not in said
    assert list(small_disk.rglob("*.ckpt")) == []

    job("logger=csv", name=f"{make_disk('locked', 'ro').name}/run", status=1)
    said = "".join(capfd.readouterr())
    assert "/locked/run: the disk is read-only; choose another place (hydra.run.dir)" in said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("sweep", [False, True])
def test_an_interrupt_says_how_to_go_on(in_folder: Path, small: list[str], sweep: bool) -> None:
    given = [*small, "logger=csv", "trainer.max_epochs=3", "scheduler=constant", "+trainer.limit_train_batches=2"]
    where = ["--multirun", "hydra.sweep.dir=all", "loss=softmax,arcface"] if sweep else ["hydra.run.dir=all/run"]
    command = [sys.executable, "-m", "facerec.train", *where, *given]
    job = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    while not (found := list(in_folder.glob("all/*/checkpoints/last.ckpt"))):
        assert job.poll() is None, "the run ended before it could be interrupted"
        time.sleep(0.01)
    os.killpg(job.pid, signal.SIGINT)  # as a terminal does
    said, _ = job.communicate()
    assert job.returncode == 130
    assert "Traceback" not in said
    [run] = [file.parent for file in in_folder.glob("all/*/csv")]  # no other job of a sweep was begun
    assert [file.name for file in run.glob("*.json")] == ["started.json"]
    assert not (run / "model").exists()
    if sweep:
        assert said.rstrip().endswith(
            "interrupted; the same command skips the finished jobs and goes on with this one"
        )
        return
    assert f"interrupted; the epochs up to now are in {found[0]}; go on with" in said
    go_on = shlex.split(said.strip().splitlines()[-1])
    assert go_on[:3] == ["python", "-m", "facerec.train"]
    subprocess.run([sys.executable, *go_on[1:]], check=True)
    assert (run / "metrics.json").exists()
    assert len(list(run.glob("csv/version_*"))) == 2


def test_init_from_starts_with_the_weights_of_a_model(job: Job) -> None:
    first = job("trainer.max_epochs=1", "logger=csv")
    second = job("trainer.max_epochs=1", "logger=csv", "optimizer.lr=0", f"init_from={first}/model", name="second")
    before, after = load(first / "model").state_dict(), load(second / "model").state_dict()
    for name in before:
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(before[name], after[name])
    job(f"init_from={first}/model", "backbone=resnet34", name="third", status=1)


def test_the_model_of_an_averaged_run_is_the_average(job: Job) -> None:
    run = job("logger=csv", "trainer.max_epochs=1", "scheduler=constant", "callbacks=[default,ema]")
    best = torch.load(run / "checkpoints/best.ckpt", weights_only=True)
    weights = load(run / "model").state_dict()
    for name, value in weights.items():
        torch.testing.assert_close(best["state_dict"][f"embedder.{name}"], value)
    name = "backbone.conv1.weight"
    assert not torch.equal(best["current_model_state"][f"embedder.{name}"], weights[name])


def _metrics_of(run: Path) -> dict[str, dict[int, float]]:
    return {name: values for name, values in read_metrics(run / "csv").items() if "per_s" not in name}


@pytest.mark.slow
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

    assert start("killed", f"resume={tmp_path / 'killed'}").wait() == 0
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
        (["loss=arcfase"], "loss=arcfase: there is none; give one of adaface, "),
        (["loss.margin=1"], "margin"),
        (["+loss.margin=1"], "margin"),
        (["+sede=1"], "sede: no such key"),
        (["dataset=celeba", "dataset.root=/nowhere"], "/nowhere is missing\nGet CelebA"),
        (["dataset=celeba", "dataset.root=???"], "dataset.root"),
        ([f"dataset.root={Path(__file__).parent}"], "dataset.root: no images"),
        (
            ["data.batch_size=1000"],
            "data.batch_size is 1000, but must lie between 2 and the 40 training images",
        ),
        (["dataset.val_share=1"], "at least two identities"),
        (["backbone.depth=19"], "backbone.depth"),
        (["learner.interval=hour"], "learner.interval"),
        (["resume=/nowhere"], "run is not the run that goes on, resume=/nowhere; leave it out"),
        (["ckpt_path=last.ckpt"], "ckpt_path is now resume: give the folder of the run, resume=RUN"),
        (["init_from=/nowhere"], "/nowhere"),
        (["trainer.max_epochs=0"], "trainer.max_epochs is 0, which leaves nothing to train"),
        (["+trainer.limit_train_batches=0"], "trainer.limit_train_batches is 0"),
        (["+trainer.max_step=1"], "trainer: Trainer.__init__() got an unexpected keyword argument 'max_step'"),
        (
            ["trainer.max_epochs=-1", "+trainer.max_time=01:00:00:00", "scheduler=cosine"],
            "give trainer.max_epochs or",
        ),
        (["scheduler.warmup=-1"], "scheduler.warmup must be a number of epochs, 0 for none, not -1"),
        (["callbacks.checkpoint.mode=best"], "`mode` can be"),
        (["seed=-1"], "seed must lie between 0 and"),
        ([f"hydra.run.dir={__file__}/run"], f"{__file__}/run: a file lies where a folder is wanted; choose"),
    ],
)
def test_bad_input_ends_in_one_message(
    job: Job,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    overrides: list[str],
    message: str,
) -> None:
    job("logger=csv", *overrides, status=1)
    assert not (tmp_path / "run" / "checkpoints").exists()
    said = "".join(capsys.readouterr())
    assert message in said
    assert "Traceback" not in said


def test_what_the_second_command_may_not_do(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    run = job("trainer.max_epochs=1", "logger=csv")
    for overrides, message in (
        ([], "holds another run"),
        ([f"resume={run}", "backbone=resnet34"], "the checkpoint is of another run:\n  backbone"),
        ([f"resume={run}", "loss=cosface"], "loss: ArcFace in the checkpoint, CosFace here"),
        ([f"resume={run}", f"init_from={run}/model"], "give one of them"),
        (
            [f"resume={run}", "data.batch_size=4"],
            "data.batch_size * processes: 8 in the checkpoint, 4 here",
        ),
        ([f"resume={run}", "trainer.accumulate_grad_batches=2"], "accumulate_grad_batches: 1 in the"),
        ([f"resume={run}", "optimizer.lr=1"], "follows another schedule"),
        (
            [f"resume={run}", "scheduler=cosine"],
            "(trainer.max_epochs, trainer.max_steps): None there, 10 here",
        ),
        (
            [f"resume={run}", "scheduler.warmup=0.5"],
            "of the warm-up (scheduler.warmup): 0 there, 2 here\n",
        ),
    ):
        capsys.readouterr()
        job("logger=csv", "trainer.max_epochs=2", *overrides, status=1)
        assert message in capsys.readouterr().out
    for checkpoint in (run / "checkpoints").iterdir():
        checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    job(f"resume={run}", status=1)
    assert "has no complete checkpoint" in capsys.readouterr().out
    assert (run / "model" / "model.yaml").exists()


def test_a_loss_that_is_not_finite_stops_the_run(
    job: Job, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    exploding = ["optimizer=sgd", "optimizer.lr=1e38", "trainer.gradient_clip_val=null", "loss=softmax"]
    job("logger=csv", *exploding, status=1)
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
    assert (
        "backbone: iresnet100, iresnet18, iresnet34, iresnet50, mobilefacenet, resnet18, resnet34, resnet50"
        in done.stdout
    )
    assert "loss: adaface, arcface" in done.stdout  # without _head, which leaves share
    assert "weighting" not in done.stdout


def test_metrics_of_a_resumed_run_replace_those_after_its_checkpoint(tmp_path: Path) -> None:
    for version, rows in enumerate(([(1, 0.5), (2, 0.4)], [(2, 0.3), (3, 0.2)])):
        (tmp_path / f"version_{version}").mkdir()
        with (tmp_path / f"version_{version}" / "metrics.csv").open("w") as stream:
            writer = csv.writer(stream)
            writer.writerows([("step", "train/loss"), *rows])
    assert read_metrics(tmp_path)["train/loss"] == {1: 0.5, 2: 0.3, 3: 0.2}
