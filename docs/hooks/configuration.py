"""The configuration reference, out of conf/ and its comments: a page for each group, and one of the jobs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

CONF = Path(__file__).parents[2] / "conf"
NOT_FOR_READERS = ("defaults", "_target_", "_partial_")
PLACE = "configuration/"  # the entry of the nav that stands for all these pages


class Row(NamedTuple):
    """A key, or a group, as a table shows it."""

    key: str
    default: str
    comment: str


def on_config(config: MkDocsConfig) -> None:
    """Put the pages where the nav names their folder."""
    pages = ["jobs.md", *(f"{_page(group)}.md" for group in groups())]
    for section in config.nav or []:
        for entry in [entry for value in section.values() if isinstance(value, list) for entry in value]:
            entry |= {title: [PLACE + page for page in pages] for title, place in entry.items() if place == PLACE}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Write the pages."""
    files.append(File.generated(config, f"{PLACE}jobs.md", content=jobs_page()))
    for group in groups():
        files.append(File.generated(config, f"{PLACE}{_page(group)}.md", content=group_page(group)))
    return files


def groups() -> list[str]:
    """The folders of conf/ that a command chooses from; `shared` is what jobs have in common."""
    folders = {file.relative_to(CONF).parent.as_posix() for file in CONF.glob("*/**/[!_]*.yaml")}
    return sorted(
        {folder if folder.startswith("hydra/") else folder.split("/")[0] for folder in folders} - {"shared"}
    )


def jobs_page() -> str:
    """All jobs: what their --help says, their groups and keys."""
    page = "# Jobs and their keys\n\n"
    page += "`facerec JOB KEY=VALUE …` sets a key, `facerec JOB GROUP=CHOICE` chooses from a group.\n"
    for file in sorted(CONF.glob("*.yaml")):
        header = yaml.safe_load(file.read_text(encoding="utf-8"))["hydra"]["help"]["header"]
        rows = [row for row in rows_of(file) if not row.key.startswith("hydra.")]
        page += f"\n## {file.stem}\n\n```text\n{header.rstrip()}\n```\n\n{_table(rows)}"
    return page


def group_page(group: str) -> str:
    """A group: its choices with their keys."""
    page = f"# {group}\n\n`facerec JOB {group}=…` chooses one of these.\n"
    for file in sorted((CONF / group).rglob("[!_]*.yaml")):
        text = file.read_text(encoding="utf-8")
        target = re.search(r"^_target_: (\S+)", text, re.MULTILINE)
        builds = f" Builds `{target[1]}`." if target else ""
        heading = file.relative_to(CONF / group).with_suffix("").as_posix()
        page += f"\n## {heading}\n\n{_sentence(header_of(text))}{builds}\n\n{_table(rows_of(file))}"
    return page


def rows_of(file: Path) -> list[Row]:
    """The groups and keys of a file and of those it builds on; the last one to name a key has the last word."""
    text = file.read_text(encoding="utf-8")
    group = file.relative_to(CONF).parts[:-1]
    prefix = "" if not group or "# @package _global_" in text else ".".join(group) + "."
    rows: dict[str, Row] = {}
    root = yaml.compose(text)
    if not isinstance(root, yaml.MappingNode):
        return []
    comments = Comments(text)
    for key, value in root.value:
        if key.value == "defaults":
            for entry in value.value:
                _include(entry, file, comments, rows)
    for row in _leaves(root, prefix, text, comments):
        rows[row.key] = row if row.comment or row.key not in rows else row._replace(comment=rows[row.key].comment)
    return [row for row in rows.values() if row.key.rpartition(".")[2] not in NOT_FOR_READERS]


def _include(entry: yaml.Node, file: Path, comments: "Comments", rows: dict[str, Row]) -> None:
    """An entry of the defaults list: a file to build on, or the choice of a group."""
    if isinstance(entry, yaml.MappingNode):
        [(group, choice)] = entry.value
        key = group.value.removeprefix("override ").removeprefix("/")
        if not key.startswith("hydra") and key != "paths":
            rows[key] = Row(key, choice.value, comments.of(entry))
    elif entry.value != "_self_":
        other = CONF / f"{entry.value}.yaml" if "/" in entry.value else file.parent / f"{entry.value}.yaml"
        if other.is_file():  # those of a launcher are Hydra's
            rows |= {row.key: row for row in rows_of(other)}


def _leaves(node: yaml.Node, prefix: str, text: str, comments: "Comments") -> Iterator[Row]:
    """The keys below a mapping; one that is a mapping itself has a row of its own where it has a comment."""
    for key, value in node.value:
        path, comment = prefix + key.value, comments.of(key)
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            if comment:
                yield Row(path, "", comment)
            yield from _leaves(value, f"{path}.", text, comments)
        elif path != "defaults":
            yield Row(path, text[value.start_mark.index : value.end_mark.index].strip(), comment)


class Comments:
    """The comment of each line: what stands above, and behind it, and goes on below in the same column."""

    def __init__(self, text: str) -> None:
        self._of: dict[int, str] = {}
        above: list[str] = []
        last, column = -1, -1  # where the last comment behind a key was
        for number, line in enumerate(text.splitlines()):
            code, mark, comment = line.partition("# ")
            if mark and not code.strip():
                if len(code) == column:
                    self._of[last] += f" {comment.strip()}"
                elif above or len(self._of):  # the first lines are the file's own
                    above.append(comment.strip())
            elif code.strip():
                self._of[number] = " ".join([*above, comment.strip()]).strip()
                last, column, above = number, len(code) if mark else -1, []

    def of(self, node: yaml.Node) -> str:
        """The comment of the line that a key begins in."""
        return self._of.get(node.start_mark.line, "")


def header_of(text: str) -> str:
    """The comment that a file begins with."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines += [line[2:]] if not line.startswith("# @package") else []
    return " ".join(lines)


def _table(rows: list[Row]) -> str:
    if not rows:
        return "It has no keys.\n"
    lines = [f"| `{key}` | {_code(default)} | {_cell(comment)} |" for key, default, comment in rows]
    return "\n".join(["| key | default | |", "| --- | --- | --- |", *lines, ""])


def _code(default: str) -> str:
    return f"`{_pipes(default)}`" if default else ""


def _cell(comment: str) -> str:
    """Comments are plain text, but for what they set in backquotes."""
    return _pipes(re.sub(r"([*_<\[])", r"\\\1", comment) if "`" not in comment else comment)


def _pipes(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _sentence(comment: str) -> str:
    return _cell(comment) + ("" if comment.endswith((".", "…")) else ".")


def _page(group: str) -> str:
    return group.rpartition("/")[2]
