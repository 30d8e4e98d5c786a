"""The tables of benchmarks/README.md, of the last figure of each kind: python benchmarks/table.py"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from results import Figure, Run, history, shown

PAGE = Path(__file__).with_name("README.md")


def main() -> None:
    """Write what stands between the marks."""
    text = PAGE.read_text()
    for kind in ("cpu", "gpu"):
        last = {figure.what: (run, figure) for run, figure in history() if _kind(run) == kind}
        before, mark, rest = text.partition(f"<!-- {kind} -->\n")
        after = rest.partition("<!-- end -->\n")[2]
        text = before + mark + "\n".join(lines(last.values())) + "\n<!-- end -->\n" + after
    PAGE.write_text(text)


def lines(figures: Iterable[tuple[Run, Figure]]) -> Iterator[str]:
    """A table, and below it where its figures come from."""
    rows = sorted(figures, key=lambda entry: entry[1].what)
    if not rows:
        yield "Nothing was run."
        return
    yield "| what | ours | beside | ratio | goal | reached |"
    yield "| --- | ---: | --- | ---: | ---: | --- |"
    for _, figure in rows:
        yield from cells(figure)
    yield ""
    yield from sorted({f"- {run.date[:10]}, commit {run.commit}: {run.machine}; {run.versions}" for run, _ in rows})


def cells(figure: Figure) -> Iterator[str]:
    """A row for each of the others, and one for a limit."""
    ours = f"{shown(figure.ours)} {figure.unit}".strip()
    for name, value in figure.beside.items():
        ratio, goal = figure.times(value), figure.goals.get(name)
        wanted, reached = ("", "") if goal is None else (f"{goal:g}", _answer(ratio >= goal))
        yield f"| {figure.what} | {ours} | {name}: {shown(value)} | {ratio:.3g} | {wanted} | {reached} |"
    if figure.limit is not None:
        wanted = f"{'at most' if figure.less else 'at least'} {figure.limit:g}"
        reached = _answer(figure.ours == figure.limit or figure.times(figure.limit) > 1)
        yield f"| {figure.what} | {ours} | | | {wanted} | {reached} |"
    elif not figure.beside:
        yield f"| {figure.what} | {ours} | | | | |"


def _answer(reached: bool) -> str:
    return "yes" if reached else "no"


def _kind(run: Run) -> str:
    return "cpu" if run.machine[0].isdigit() else "gpu"  # an accelerator is named before the cores


if __name__ == "__main__":
    main()
