"""Figures of benchmarks, kept with machine, commit and date in benchmarks/results, one file a script."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")
WORSE = 0.9  # of the last run of the same kind of machine: less is said
_PACKAGES = ("torch", "torchvision", "pytorch-lightning", "onnxruntime")


@dataclass(frozen=True)
class Figure:
    """One figure of ours, beside those of others.

    Attributes:
        what: was measured.
        unit: of the values.
        ours: the value.
        beside: whose else → value.
        goals: whose else → how many times better ours is to be.
        limit: what ours is to be at least, or at most where less is better.
        less: whether less is better.
    """

    what: str
    unit: str
    ours: float
    beside: Mapping[str, float] = field(default_factory=dict)
    goals: Mapping[str, float] = field(default_factory=dict)
    limit: float | None = None
    less: bool = False

    def times(self, other: float) -> float:
        """How many times better ours is than another value."""
        better, worse = (other, self.ours) if self.less else (self.ours, other)
        return better / worse if worse else float("inf")


@dataclass(frozen=True)
class Run:
    """What one start of a script measured.

    Attributes:
        date: of its end, in minutes.
        commit: of the code, with a + if it was changed since.
        machine: processor, cores and accelerator, by which runs are compared.
        versions: of the packages that decide.
        load: of the machine meanwhile; above the number of its cores others were at work.
        figures: in the order of the script.
    """

    date: str
    commit: str
    machine: str
    versions: str
    load: float
    figures: Sequence[Figure]


def record(figures: Sequence[Figure], device: str = "cpu") -> None:
    """Print figures, say which became worse, and append them to the results of this script.

    Args:
        figures: what was measured.
        device: on which: "cpu", or an accelerator's.
    """
    script = Path(sys.argv[0]).stem
    before = {figure.what: (run, figure) for run, figure in history() if run.machine == _machine(device)}
    for figure in figures:
        print(*_told(figure), flush=True)
        run, last = before.get(figure.what, (None, None))
        if run and last and figure.times(last.ours) < WORSE:
            print(f"  worse than {shown(last.ours)} {last.unit} on {run.date}, commit {run.commit}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{script}.json"
    runs = json.loads(file.read_text()) if file.exists() else []
    versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in _PACKAGES)]
    date, load = f"{datetime.now():%Y-%m-%d %H:%M}", round(os.getloadavg()[0], 1)
    run = Run(date, _commit(), _machine(device), ", ".join(versions), load, figures)
    file.write_text(json.dumps([*runs, asdict(run)], indent=1) + "\n")


def history() -> Iterator[tuple[Run, Figure]]:
    """All figures there are, oldest first."""
    found: list[dict[str, Any]] = [run for file in RESULTS.glob("*.json") for run in json.loads(file.read_text())]
    for entry in sorted(found, key=lambda entry: str(entry["date"])):
        run = Run(**{**entry, "figures": [Figure(**figure) for figure in entry["figures"]]})
        for figure in run.figures:
            yield run, figure


def shown(value: float) -> str:
    """Four digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _told(figure: Figure) -> list[str]:
    values = [f"{name} {shown(value)} (x {shown(figure.times(value))})" for name, value in figure.beside.items()]
    return [f"{figure.what}:", shown(figure.ours), figure.unit, f"beside {', '.join(values)}" if values else ""]


def _machine(device: str) -> str:
    info = Path("/proc/cpuinfo")  # of Linux
    told = info.read_text().splitlines() if info.exists() else []
    cpu = next((line.split(":")[1].strip() for line in told if "model name" in line), platform.processor())
    name = f"{os.cpu_count()} cores of {cpu}"
    if device == "cpu":
        return name
    import torch

    return f"{torch.cuda.get_device_name()}, {name}"


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + "+" * bool(git("status", "--porcelain", "--", "facerec"))
    except (OSError, subprocess.CalledProcessError):  # a copy without its history
        return "unknown"
