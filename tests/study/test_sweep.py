import copy
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from facerec.backbones import ResNet
from facerec.data import folder, orl
from facerec.data.fingerprint import data_fingerprint, dated_fingerprint
from facerec.errors import ConfigError
from facerec.job import CONFIG_DIR
from facerec.job.sweep_jobs import resolve_job_name
from facerec.models import Embedder
from facerec.models.store import save
from facerec.runtime.files import replace_file
from facerec.study.best import best_run, write_best
from facerec.study.job_names import deciding_config

SWEEP = Path("outputs/faces/resnet18")
EXPERIMENT = ("--multirun", "experiment=orl/resnet18", "study=faces", "optimizer.lr=1e-3")


def jobs(pattern: str) -> list[Path]:
    return sorted(path.parent for path in SWEEP.glob(pattern))


@pytest.fixture
def job(trained: Path, in_folder: Path) -> Path:
    """The finished job of a sweep of one. Its checkpoints are links: to be replaced, not written."""
    shutil.copytree(trained / SWEEP, SWEEP, copy_function=_copy)
    (job,) = jobs("*/inputs.json")
    return job


def _copy(source: str, target: str) -> None:
    (os.link if source.endswith((".ckpt", ".safetensors")) else shutil.copy2)(source, target)


@pytest.fixture
def given(tiny: list[str]) -> list[str]:
    """The command that it was finished by."""
    return [*EXPERIMENT, *tiny, "loss=normface"]


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_every_job_is_one_run_of_its_group(
    run: Callable[..., int], small: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    given = [*EXPERIMENT, *small, "loss=cosface,normface", "trainer.max_epochs=3", "logger=wandb"]
    killed = subprocess.Popen([sys.executable, "-m", "facerec.train", *given])
    while not (jobs("cosface*/inputs.json") and jobs("normface*/checkpoints/last.ckpt")):
        assert killed.poll() is None, "the sweep ended before it could be killed"
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (finished,) = jobs("cosface*/inputs.json")
    assert jobs("*/inputs.json") == [finished]
    assert not (SWEEP / "best.json").exists()
    written = (finished / "metrics.json").stat().st_mtime_ns

    assert run("train", *given) == 0
    assert (finished / "metrics.json").stat().st_mtime_ns == written
    (resumed,) = jobs("normface*/inputs.json")
    assert len(list(resumed.glob("csv/version_*"))) == 2
    assert (finished / "csv/version_0").exists()
    assert not (finished / "csv/version_1").exists()
    best = json.loads((SWEEP / "best.json").read_text())
    assert best["val/MAP@R"].keys() == {finished.name, resumed.name}
    assert best["val/MAP@R"][best["job"]] == max(best["val/MAP@R"].values())
    assert best["reason"].startswith(f"highest val/MAP@R of 2 finished jobs: {max(best['val/MAP@R'].values()):.4f}")
    assert best_run(SWEEP) == SWEEP / best["job"]

    names = {job: {log.stem for log in job.glob("wandb/offline-run-*/*.wandb")} for job in (finished, resumed)}
    assert [len(runs) for runs in names.values()] == [1, 1]  # gone on with under the same name
    assert not names[finished] & names[resumed]
    for job in names:  # the group is the study: all other paths in there go on behind it
        logs = b"".join(log.read_bytes() for log in job.glob("wandb/offline-run-*/*.wandb"))
        assert re.search(re.escape(str(SWEEP.parent).encode()) + rb"[^/]", logs)


def test_a_failed_job_is_listed_and_done_again_and_loses_no_other(
    run: Callable[..., int], tiny: list[str], in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, outcome in (("theirs", "out of memory"), ("running", None)):  # of another multirun, at the same time
        (SWEEP / name / ".hydra").mkdir(parents=True)
        if outcome:
            (SWEEP / name / "outcome.json").write_text(json.dumps({"multirun": "another", "problem": outcome}))
    given = [*EXPERIMENT, *tiny, "loss=normface"]
    assert run("train", *given, "learner.interval=hour,step") == 1
    said = "".join(capfd.readouterr())
    assert "1 of 2 jobs under outputs/faces/resnet18 failed" in said
    assert "learner.interval must be 'step' or 'epoch', not 'hour'" in said.split("failed; the same command")[1]
    assert "out of memory" not in said
    assert "Traceback" not in said
    (done,) = jobs("*/model")
    assert json.loads((SWEEP / "best.json").read_text())["job"] == done.name

    written = (done / "metrics.json").stat().st_mtime_ns
    assert run("train", *given, "learner.interval=hour,step") == 1
    assert (done / "metrics.json").stat().st_mtime_ns == written
    assert run("train", *given, "learner.interval=step") == 0


@pytest.mark.parametrize("damaged", [(), ("last",), ("last", "best")])
def test_a_job_killed_at_any_moment_goes_on(
    run: Callable[..., int], job: Path, given: list[str], damaged: tuple[str, ...]
) -> None:
    metrics = (job / "metrics.json").read_text()
    (job / "inputs.json").write_text("{" if not damaged else "")
    for name in damaged:
        file = job / f"checkpoints/{name}.ckpt"
        replace_file(file, file.read_bytes()[:1000])
    assert run("train", *given) == 0
    assert json.loads((job / "metrics.json").read_text()) == pytest.approx(json.loads(metrics), abs=1e-6)


def test_a_copy_of_the_data_is_not_trained_again_and_other_data_beside_it(
    run: Callable[..., int],
    job: Path,
    given: list[str],
    people: Path,
    in_folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = job
    copied = Path(shutil.copytree(people, in_folder / "copy" / people.name, copy_function=shutil.copyfile))
    given.append(f"dataset.root={copied}")
    assert run("train", *given) == 0
    assert jobs("*/inputs.json") == [first]
    assert f"{first.name}: finished before\n" in capfd.readouterr().out

    monkeypatch.setattr("facerec._version.__version__", "9.9", raising=False)
    assert run("train", *given) == 0
    assert "finished before by facerec 0" in (said := capfd.readouterr().out)
    assert "this is 9.9; it is kept" in said

    shutil.copyfile(copied / "s1/1.pgm", copied / "s2/1.pgm")
    written = (first / "metrics.json").stat().st_mtime_ns
    assert run("train", *given) == 0
    assert (first / "metrics.json").stat().st_mtime_ns == written
    (second,) = set(jobs("*/inputs.json")) - {first}
    best = json.loads((SWEEP / "best.json").read_text())
    assert list(best["val/MAP@R"]) == [best["job"]] == [second.name]
    assert second.name in (said := capfd.readouterr().out)
    assert first.name not in said


@pytest.mark.parametrize("half", ["inputs.json", "metrics.json"])
def test_half_a_file_makes_a_job_unfinished_and_blocks_nothing(
    run: Callable[..., int], job: Path, given: list[str], half: str, capfd: pytest.CaptureFixture[str]
) -> None:
    contents = {name: (job / name).read_text() for name in ("inputs.json", "metrics.json")}
    (job / half).write_text(contents[half][:40])
    (SWEEP / "other").mkdir()
    (SWEEP / "other" / half).write_text("{")
    assert run("train", *given) == 0
    assert f"{job / half} is missing or damaged, so this job is done again" in "".join(capfd.readouterr())
    assert (job / "inputs.json").read_text() == contents["inputs.json"]
    assert json.loads((job / "metrics.json").read_text()) == pytest.approx(json.loads(contents["metrics.json"]))
    assert json.loads((SWEEP / "best.json").read_text())["job"] == job.name


def test_a_job_finished_before_data_was_told_apart_by_content_is_recognised(
    run: Callable[..., int], job: Path, given: list[str], people: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    inputs = json.loads((job / "inputs.json").read_text())
    digest = hashlib.sha256(json.dumps(inputs["config"], sort_keys=True).encode()).hexdigest()[:8]
    old = job.rename(SWEEP / f"normface-lr0.001-{digest}")
    moved = {**inputs["config"], "learner": {**inputs["config"]["learner"], "_target_": "facerec.learner.Learner"}}
    dated = dated_fingerprint(folder(str(people)))
    (old / "inputs.json").write_text(json.dumps({**inputs, "config": moved, "data": dated}))
    assert run("train", *given) == 0
    assert jobs("*/inputs.json") == [old]
    assert "finished before" in capfd.readouterr().out
    assert json.loads((SWEEP / "best.json").read_text())["job"] == old.name

    (old / "inputs.json").write_text(json.dumps({**inputs, "data": "other"}))
    assert run("train", *given) == 0
    assert len(jobs("*/inputs.json")) == 2
    assert run("train", *given, f"hydra.sweep.subdir={old.name}") == 1
    assert "was finished with other images or values; move it away" in "".join(capfd.readouterr())
    assert (old / "model").exists()


def _finished(name: str, value: float, data: str) -> None:
    (SWEEP / name).mkdir(parents=True)
    (SWEEP / name / "inputs.json").write_text(json.dumps({"config": {"dataset": {}}, "data": data}))
    (SWEEP / name / "metrics.json").write_text(json.dumps({"val/MAP@R": value}))


def test_the_best_job_is_written_with_its_reason(in_folder: Path) -> None:
    images = orl()
    ours = data_fingerprint(images, Path("cache"))
    inputs = {"config": {"dataset": {"_target_": "facerec.data.orl"}}, "data": ours}
    assert write_best(SWEEP, inputs, images) == {}
    with pytest.raises(ConfigError, match=r"resnet18 has no best\.json; run its sweep first: .*=faces/resnet18"):
        best_run(SWEEP)
    for job in (("a", 0.5, ours), ("b", 0.75, ours), ("c", 0.25, ours), ("d", 0.9, "celeba")):
        _finished(*job)
    (SWEEP / "unfinished").mkdir()
    (SWEEP / "damaged").mkdir()
    (SWEEP / "damaged/inputs.json").write_text('{"config"')
    assert list(write_best(SWEEP, inputs, images)) == ["b", "a", "c"]
    best = json.loads((SWEEP / "best.json").read_text())
    assert best["job"] == "b"
    assert best["reason"] == "highest val/MAP@R of 3 finished jobs: 0.7500, next 0.5000 (a)"
    assert best_run(SWEEP) == SWEEP / "b"


def _config(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose("train", list(overrides), return_hydra_config=True)


def _embedder() -> Embedder:
    return Embedder(ResNet(18, embedding_dim=8, stem="imagenet"), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_jobs_share_a_folder_only_if_they_are_the_same_job(in_folder: Path, people: Path) -> None:
    name = resolve_job_name(_root_=_config())
    assert name.startswith("arcface-lr0.001-")
    for same in ("study=other", "logger=csv", "data.cache_dir=elsewhere", "callbacks.progress.refresh_rate=0"):
        assert resolve_job_name(_root_=_config(same)) == name
    for other in ("seed=1", "loss.m=0.1", "trainer.max_epochs=3", "dataset.seen_share=0.1", "backbone=resnet34"):
        assert resolve_job_name(_root_=_config(other)) != name
    save("start", _embedder(), statistics={}, origin={})
    started = resolve_job_name(_root_=_config("init_from=start"))
    save("start", _embedder(), statistics={}, origin={})
    assert len({name, started, resolve_job_name(_root_=_config("init_from=start"))}) == 3
    for unopened in ("init_from=nowhere", "dataset=folder", "dataset.val_identities=99"):  # for the job to say
        assert resolve_job_name(_root_=_config(unopened)) == resolve_job_name(_root_=_config(unopened)) != name


def test_a_teacher_counts_by_its_content_wherever_it_lies(in_folder: Path) -> None:
    save("one", _embedder(), statistics={}, origin={})
    shutil.copytree("one", "copy")
    save("other", _embedder(), statistics={}, origin={})
    taught = ("loss=none", "teacher=model", "dataset.labels=false", "backbone.embedding_dim=8")
    one, copied, other = (
        resolve_job_name(_root_=_config(*taught, f"teacher.model=./{name}")) for name in ("one", "copy", "other")
    )
    assert one == copied != other
    assert one.startswith("model-lr0.001-")
    assert resolve_job_name(_root_=_config(*taught, "teacher.model=./one", "teacher.weight=2")) != one
    sface = resolve_job_name(_root_=_config("teacher=sface"))  # whose weights need not be there
    assert sface.startswith("arcface-sface-lr0.001-")


def test_where_a_class_lies_decides_nothing() -> None:
    config = _config()
    moved = copy.deepcopy(config)
    OmegaConf.set_struct(moved, False)
    moved.learner._target_ = "facerec.learner.Learner"
    moved.scheduler._target_ = "facerec.schedules.warm_restarts"
    del moved.loss.shard_classes, moved.scheduler.warmup
    moved.head = {"shard": False}
    assert deciding_config(moved) == deciding_config(config)
    moved.head.shard = True
    assert deciding_config(moved) == deciding_config(_config("loss.shard_classes=true")) != deciding_config(config)
    assert deciding_config(_config("scheduler.warmup=1")) != deciding_config(config)


@pytest.mark.parametrize(("depth", "before"), [(18, False), (34, False), (50, True)])
def test_jobs_of_before_zero_init_residual_are_known_again(depth: int, before: bool) -> None:
    config = _config(f"backbone=resnet{depth}")
    old = copy.deepcopy(config)
    OmegaConf.set_struct(old, False)
    del old.backbone.zero_init_residual
    assert deciding_config(old) == deciding_config(config)
    other = _config(f"backbone=resnet{depth}", f"backbone.zero_init_residual={not before}")
    assert deciding_config(other) != deciding_config(config)


def test_callbacks_that_change_the_training_decide() -> None:
    stopping = {"_target_": "pytorch_lightning.callbacks.EarlyStopping", "monitor": "train/loss"}
    config = _config()
    OmegaConf.update(config, "callbacks.early_stopping", stopping, force_add=True)
    assert deciding_config(config)["callbacks"] == {"early_stopping": {**stopping, "_target_": "EarlyStopping"}}
    assert "callbacks" not in deciding_config(_config())


@pytest.mark.parametrize(
    "launcher", ["processes", "slurm", "cluster", "joblib", "submitit_local", "submitit_slurm", "ray"]
)
def test_launchers_are_composed(launcher: str) -> None:
    if launcher in ("cluster", "ray"):  # 330 MB, not in the test extra
        pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="facerec[ray] is not installed")
    chosen = _config(f"hydra/launcher={launcher}").hydra.launcher
    assert str(chosen._target_).startswith("hydra_plugins.")
    assert OmegaConf.to_container(chosen, resolve=False)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["processes", "submitit_local"])
def test_jobs_of_a_launcher_are_those_of_a_serial_sweep(
    in_folder: Path, tiny: list[str], launcher: str, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [*EXPERIMENT, *tiny, "loss=normface", "learner.interval=hour,step", f"hydra/launcher={launcher}"]
    done = subprocess.run([sys.executable, "-m", "facerec.train", *given])
    said = "".join(capfd.readouterr())
    assert done.returncode == 1
    assert "1 of 2 jobs under outputs/faces/resnet18 failed" in said
    (finished,) = jobs("*/model")
    assert json.loads((SWEEP / "best.json").read_text())["job"] == finished.name
