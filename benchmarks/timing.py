"""Options of a script, and medians of interleaved runs."""

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any


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
