"""The diagram of rooms in architecture.md: floors from the contract in pyproject.toml, arrows from the imports."""

import ast
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grimp
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
MARK = "<!-- rooms -->"
JOBS = "jobs"  # the floor of the jobs is drawn as one box
WIDTH, FLOOR, BOX, MARGIN = 900, 74, 30, 20

Edges = set[tuple[str, str]]


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put diagram and table where the page has the mark."""
    if MARK not in markdown:
        return markdown
    floors, edges = floors_and_edges()
    return markdown.replace(MARK, diagram(floors, edges) + "\n\n" + table(floors, edges))


def floors_and_edges() -> tuple[list[list[str]], Edges]:
    """Rooms floor by floor, from the top, and which room imports which."""
    [layers] = [contract["layers"] for contract in contracts() if contract["type"] == "layers"]
    floors = [[room.strip() for room in layer.split("|")] for layer in layers]
    rooms = {room for floor in floors for room in floor if (ROOT / "facerec" / room).is_dir() or room == "errors"}
    graph = grimp.build_graph("facerec", cache_dir=None)
    edges = {
        (_room(module, rooms), _room(imported, rooms))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    kept = [[JOBS], *([room for room in floor if room in rooms] for floor in floors)]
    known = rooms | {JOBS}
    return [floor for floor in kept if floor], {(a, b) for a, b in edges if a != b and {a, b} <= known}


def contracts() -> list[dict[str, Any]]:
    """Those that lint-imports checks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed: list[dict[str, Any]] = project["tool"]["importlinter"]["contracts"]
    return listed


def _room(module: str, rooms: set[str]) -> str:
    """The room of a module; jobs are loose modules, or a room's `__main__`."""
    name = module.partition(".")[2].partition(".")[0]
    if name in rooms and not module.endswith(".__main__"):
        return name
    return "" if name in ("", "_version") else JOBS


def needed(edges: Edges) -> Edges:
    """Those edges that no longer way through other rooms stands for: the transitive reduction."""
    below: dict[str, set[str]] = {}
    for importer, imported in edges:
        below.setdefault(importer, set()).add(imported)

    def reachable(room: str) -> set[str]:
        direct = below.get(room, set())
        return direct.union(*(reachable(other) for other in direct))

    return {(a, b) for a, b in edges if not any(b in reachable(other) for other in below[a] - {b})}


def without_torch() -> set[str]:
    """The rooms that the contract keeps from importing torch, as wholes."""
    free = [contract for contract in contracts() if "torch" in contract.get("forbidden_modules", ())]
    modules = [module for contract in free for module in contract["source_modules"]]
    return {module.removeprefix("facerec.") for module in modules if module.count(".") == 1}


def diagram(floors: list[list[str]], edges: Edges) -> str:
    """The rooms as SVG, a row for each floor, with an arrow down for each import that no other path stands for."""
    places = {
        room: (MARGIN + (2 * place + 1) * (WIDTH - 2 * MARGIN) / (2 * len(floor)), MARGIN + number * FLOOR)
        for number, floor in enumerate(floors)
        for place, room in enumerate(floor)
    }
    free = without_torch()
    lines = [_arrow(*places[importer], *places[imported]) for importer, imported in sorted(needed(edges))]
    boxes = [_box(room, *places[room], room in free) for room in places]
    height = MARGIN * 2 + (len(floors) - 1) * FLOOR + BOX
    head = '<marker id="end" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" markerHeight="6" orient="auto">'
    head += '<path d="M0 0L6 3L0 6z"/></marker>'
    title = "<title>The rooms of facerec; an arrow points from a room to one that it imports</title>"
    start = f'<svg class="rooms" viewBox="0 0 {WIDTH} {height}" role="img">{title}<defs>{head}</defs>'
    return "\n".join([start, *lines, *boxes, "</svg>"])


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    y += BOX
    middle = (y + to_y) / 2
    curve = f"M{x:.0f} {y:.0f}C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}"
    return f'<path class="arrow" d="{curve}"/>'


def _box(room: str, x: float, y: float, free: bool) -> str:
    width = 16 + 8 * len(room)
    kind = "room free" if free else "room"
    box = f'<rect class="{kind}" x="{x - width / 2:.0f}" y="{y:.0f}" width="{width}" height="{BOX}" rx="4"/>'
    return f'{box}<text x="{x:.0f}" y="{y + 20:.0f}">{room}</text>'


def table(floors: list[list[str]], edges: Edges) -> str:
    """What each room is for, by its docstring, and all that it imports."""
    rooms = [room for floor in floors for room in floor if room != JOBS]
    rows = [f"| `{room}` | {_docstring(room)} | {_listed(b for a, b in edges if a == room)} |" for room in rooms]
    return "\n".join(["| room | holds | imports |", "| --- | --- | --- |", *rows])


def _docstring(room: str) -> str:
    package = ROOT / "facerec" / room
    file = package / "__init__.py" if package.is_dir() else package.with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n")[0]


def _listed(rooms: Iterable[str]) -> str:
    return ", ".join(sorted(rooms))
