"""Medians of interleaved runs, and the table that `make bench` writes."""

import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

OUT = Path("outputs/bench")


def options(**defaults: Any) -> dict[str, Any]:
    """KEY=VALUE of the command line over the defaults, of their types."""
    given = dict(entry.split("=", 1) for entry in sys.argv[1:])
    if unknown := set(given) - set(defaults):
        raise SystemExit(f"{', '.join(unknown)}: no such key; there are {', '.join(defaults)}")
    return {key: type(value)(given.get(key, value)) for key, value in defaults.items()}


def seconds(contenders: Mapping[str, Callable[[], Any]], rounds: int, warm: bool = True) -> dict[str, float]:
    """Name → median seconds of a call; one round calls each once, in turn, after one call to warm up."""
    for call in contenders.values() if warm else ():
        call()
    timings: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            start = time.perf_counter()
            call()
            timings[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in timings.items()}


def seconds_apart(makers: Mapping[str, Callable[[], Callable[[], Any]]], rounds: int) -> dict[str, float]:
    """The same for contenders that set up the process they run in: each is made, and called in turn, in its own."""
    context = multiprocessing.get_context("spawn")
    contenders = {}
    for name, make in makers.items():
        line, other = context.Pipe()
        context.Process(target=_serve, args=(other, make), daemon=True).start()
        contenders[name] = partial(_ask, line)
    return seconds(contenders, rounds)


def _ask(line: Connection) -> None:
    line.send(None)
    line.recv()


def _serve(line: Connection, make: Callable[[], Callable[[], Any]]) -> None:
    call = make()
    with suppress(EOFError):  # the other side has hung up
        while True:
            line.recv()
            call()
            line.send(None)


def record(what: str, figures: Mapping[str, Any], to_reach: str) -> None:
    """Print a row and keep it for the table."""
    OUT.mkdir(parents=True, exist_ok=True)
    shown = {key: f"{value:.4g}" if isinstance(value, float) else str(value) for key, value in figures.items()}
    row = {"what": what, "figures": shown, "to_reach": to_reach, "load": f"{os.getloadavg()[0]:.1f}"}
    name = "".join(letter if letter.isalnum() else "-" for letter in what.lower())
    (OUT / f"{name}.json").write_text(json.dumps(row, indent=1))
    print(what, shown, f"(to reach: {to_reach}; load {row['load']})", flush=True)


def main() -> None:
    """Write the table between the marks of benchmarks/README.md."""
    page = Path(__file__).with_name("README.md")
    before, mark, rest = page.read_text().partition("<!-- table -->\n")
    after = rest.partition("<!-- end -->\n")[2]
    told = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in told if "model name" in line), platform.processor())
    names = ("torch", "torchvision", "pytorch-lightning", "pytorch-metric-learning", "faiss-cpu", "scikit-learn")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    lines = [
        f"{os.cpu_count()} cores of {cpu}; Python {platform.python_version()}, {versions}.",
        "",
    ]
    lines += ["| what | measured | to reach | load |", "| --- | --- | --- | ---: |"]
    for file in sorted(OUT.glob("*.json")):
        row = json.loads(file.read_text())
        figures = ", ".join(f"{key} {value}" for key, value in row["figures"].items())
        lines.append(f"| {row['what']} | {figures} | {row['to_reach']} | {row['load']} |")
    page.write_text(before + mark + "\n".join(lines) + "\n<!-- end -->\n" + after)


if __name__ == "__main__":
    main()
