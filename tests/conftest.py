import logging
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig
from PIL import Image

from facerec.data import orl
from facerec.job import CONFIG_DIR, run_job

# nothing in a test may reach for a network, and no test may write into the user's cache
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"

_MARKED_BY_FIXTURE = {
    "browser": {"browser"},
    "server": {"folder", "gallery", "keyed", "make_server", "opened", "primary", "served", "service", "start"},
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures they ask for, and keep on one worker what shares an expensive one.

    Rooms with servers come first: the longest piece of work must not start last.
    """
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        fixtures, room = set(getattr(item, "fixturenames", ())), item.path.relative_to(config.rootpath).parts[1]
        for marker, names in _MARKED_BY_FIXTURE.items():
            if fixtures & names and room in ("gallery", "web"):
                item.add_marker(marker)
        group = "trained" if "trained" in fixtures else room
        item.add_marker(pytest.mark.xdist_group(group))
        groups.setdefault(group, []).append(item)
    first = sorted(groups, key=lambda group: group not in ("web", "gallery", "trained"))
    items[:] = [item for group in first for item in groups[group]]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A table of what was skipped; every reason says what is missing."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    if reasons:
        terminalreporter.section("skipped, and what for")
        for reason, count in reasons.most_common():
            terminalreporter.line(f"{count:5}  {reason}")


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 of the ORL people, 6 photos each, as a folder: 8 to train on, 2 for validation, 2 for the test."""
    root = tmp_path_factory.mktemp("people")
    for file in orl().files:
        if int(file.parent.name[1:]) <= 12 and int(file.stem) <= 6:
            (root / file.parent.name).mkdir(exist_ok=True)
            shutil.copy(file, root / file.parent.name)
    return root


@pytest.fixture(scope="session")
def small(people: Path) -> list[str]:
    """What makes a training run on `people` cheap."""
    return [
        "dataset=folder",
        f"dataset.root={people}",
        "backbone.stem=imagenet",
        "data.batch_size=8",
        "data.decode_workers=0",
        "callbacks.progress.refresh_rate=0",
    ]


@pytest.fixture(scope="session")
def tiny(small: list[str]) -> list[str]:
    """What makes it one step."""
    return [*small, "trainer.max_epochs=1", "+trainer.limit_train_batches=1", "scheduler=constant", "logger=csv"]


@pytest.fixture
def in_folder(tmp_path: Path, people: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, for this process and those it starts: outputs/ will lie there."""
    _enter(tmp_path, people, monkeypatch)
    return tmp_path


class Run:
    """Runs jobs in this process."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def __call__(self, job: str, *overrides: str) -> int:
        """Run `python -m facerec.JOB …`, whose messages are on stdout; returns the exit status."""
        GlobalHydra.instance().clear()
        self._patch.setattr(sys, "argv", [job, *overrides])
        with _fresh_logging():
            try:
                run_job(job, _task(job))
            except SystemExit as stop:
                return int(stop.code or 0)
            return 0

    def raising(self, job: str, *overrides: str) -> None:
        """Call a job that knows nothing of Hydra: its errors are raised, and its log is pytest's."""
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            config = compose(job, list(overrides))
        _task(job)(config)


@contextmanager
def _fresh_logging() -> Iterator[None]:
    """No handlers, as in a new process: pytest's would swallow what is logged before Hydra makes its own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        yield
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)


def _task(job: str) -> Callable[[DictConfig], object]:
    """The function that a job's configuration goes to."""
    others = {
        "doctor": ("doctor.__main__", "diagnose"),
        "gallery": ("gallery.__main__", "administrate"),
        "models": ("models.__main__", "look_after"),
        "pairs": ("pairs", "make_pairs"),
        "study": ("study.__main__", "study"),
    }
    module, name = others.get(job, (job, job))
    task: Callable[[DictConfig], object] = getattr(import_module(f"facerec.{module}"), name)
    return task


@pytest.fixture
def run(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs jobs in an empty current folder."""
    return Run(monkeypatch)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, people: Path, tiny: list[str]) -> Path:
    """A folder whose outputs/faces holds a sweep of one tiny job for each depth, and their ensemble."""
    root = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        _enter(root, people, patch)
        run = Run(patch)
        for depth, loss in (("resnet18", "normface"), ("resnet34", "softmax"), ("resnet50", "arcface")):
            given = ["--multirun", f"experiment=orl/{depth}", "study=faces", f"loss={loss}", "optimizer.lr=1e-3"]
            assert run("train", *given, *tiny) == 0
        # two validation people can't tell which members count
        assert run("assemble", "study=faces", "weighting=equal", "logger=csv") == 0
    return root


@pytest.fixture
def study(trained: Path, in_folder: Path) -> Path:
    """Three sweeps and their ensemble in the current folder, as links: files are to be replaced, not written."""
    study = Path("outputs/faces")
    no_checkpoints = shutil.ignore_patterns("checkpoints")
    shutil.copytree(trained / study, study, copy_function=os.link, ignore=no_checkpoints)
    return study


def _enter(folder: Path, people: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    patch.setenv("FACEREC_CACHE", str(people.parent / "cache"))
    patch.delenv("HYDRA_FULL_ERROR", raising=False)
    patch.delenv("WANDB_SERVICE", raising=False)  # or a child that is killed leaves its run open in our W&B service


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs, where there is one."""
    folder = Path(os.environ.get("FACEREC_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "celeba").is_dir():
        pytest.skip(f"no real photographs at {folder}; set FACEREC_DATA")
    return folder


@pytest.fixture
def make_celeba(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small data set in CelebA's official layout and returns its root."""

    def make(
        name: str = "celeba",
        images_of: dict[int, int] | None = None,
        partition_of: Callable[[int], int] = lambda identity: 2 if identity >= 16 else 0,
        landmarks: bool = True,
        size: tuple[int, int] = (218, 178),
        first: int = 1,
    ) -> Path:
        root = tmp_path / name
        (root / "img_align_celeba").mkdir(parents=True)
        images_of = images_of or dict.fromkeys(range(10, 20), 4)
        random = np.random.default_rng(0)
        lists: dict[str, list[str]] = {"identity": [], "partition": [], "landmarks": []}
        number = first
        for identity, count in images_of.items():
            for _ in range(count):
                file = f"{number:06d}.jpg"
                pixels = torch.from_numpy(random.integers(0, 256, (3, 8, 8), dtype=np.uint8))
                pixels = torch.nn.functional.interpolate(pixels[None], size)[0]
                Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(root / "img_align_celeba" / file)
                lists["identity"].append(f"{file} {identity}")
                lists["partition"].append(f"{file} {partition_of(identity)}")
                lists["landmarks"].append(f"{file} 70 111 107 111 88 135 72 152 105 152")
                number += 1
        (root / "identity_CelebA.txt").write_text("\n".join(lists["identity"]) + "\n")
        (root / "list_eval_partition.txt").write_text("\n".join(lists["partition"]) + "\n")
        if landmarks:
            header = [str(len(lists["landmarks"])), "lefteye_x lefteye_y …"]
            (root / "list_landmarks_align_celeba.txt").write_text("\n".join(header + lists["landmarks"]) + "\n")
        return root

    return make
