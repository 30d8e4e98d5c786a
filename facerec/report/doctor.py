"""Show what was found in a data set: a table on the terminal, a contact sheet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from facerec.crops.contract import IndexedCrops
from facerec.data import FaceImages
from facerec.data.fixes import image_names
from facerec.doctor import KINDS, Examination, Finding, Group
from facerec.report.page import as_jpeg_uri
from facerec.report.table import figures_table
from facerec.report.templates import templates
from facerec.runtime.files import replace_file

_SHOWN = 100  # findings of a kind, for the page's size
_TODO = {
    "same": "Call both {names[0]}.",
    "split": "Split off the second group as {names[0]}.",
    "move": "Move the image to {names[0]}.",
    "drop": "Leave out {files}.",
    "exclude": "Leave out {names[0]}.",
}


def show_examination(examination: Examination, name: str, folder: Path) -> None:
    """Print how much of each kind was found, and where the contact sheet and the list of corrections lie.

    Args:
        examination: what was found.
        name: of the data set.
        folder: of the run.
    """
    figures = examination.figures
    title = f"{name}: {figures['images']} images of {figures['identities']} identities"
    table = figures_table("", "found", "by chance", title=title)
    for kind, heading in KINDS.items():
        if kind != "shared" or figures["against"] is not None:
            table.add_row(heading, str(len(examination.of(kind))), by_chance(kind, figures["expected"]))
    console = Console(width=110, markup=False, emoji=False)
    console.print(table)
    for file, what in (("doctor.html", "look here"), ("fixes.yaml", "then edit, and dataset.fixes=THIS")):
        console.print(f"{folder / file}: {what}", highlight=False, soft_wrap=True)


def by_chance(kind: str, expected: float) -> str:
    """How many of the findings of a kind may be chance, in words."""
    return {"lone": "bad photos", "double": "none"}.get(kind, f"about {expected:g}")


class Sheet(NamedTuple):
    """Of a data set: its name, the name of each image, and their crops, `uint8 [N, 3, 112, 112]`."""

    name: str
    images: Sequence[str]
    crops: IndexedCrops

    @classmethod
    def of(cls, table: FaceImages, crops: IndexedCrops) -> "Sheet":
        """With the names of images that a list of corrections has."""
        return cls(table.name, image_names(table.files), crops)


def write_sheet(
    file: Path, examination: Examination, model: str, sheet: Sheet, against: Sheet | None = None
) -> None:
    """Write the contact sheet, one HTML file without any other.

    Args:
        file: where to.
        examination: what was found.
        model: whose vectors were compared.
        sheet: the data set.
        against: the other data set, if there is one.
    """
    sections = []
    for kind, heading in KINDS.items():
        findings = examination.of(kind)
        blocks = [_block(finding, sheet, against) for finding in findings[:_SHOWN]]
        if findings:
            sections.append({"kind": kind, "heading": heading, "count": len(findings), "blocks": blocks})
    page = (
        templates()
        .get_template("doctor.html.j2")
        .render(
            name=sheet.name,
            model=model,
            against=against.name if against else None,
            figures=examination.figures,
            sections=sections,
            chance={kind: by_chance(kind, examination.figures["expected"]) for kind in KINDS},
        )
    )
    replace_file(file, page.encode(errors="replace"))


def _block(finding: Finding, sheet: Sheet, against: Sheet | None) -> dict[str, Any]:
    across = " Their images outside the test, or else outside validation, are left out then."
    files = ", ".join(sheet.images[row] for row in finding.correction.rows)
    todo = _TODO[finding.correction.key].format(names=finding.correction.names, files=files)
    return {
        "sentence": finding.sentence,
        "todo": todo + across if finding.kind == "across" else todo,
        "similarity": finding.similarity,
        "level": finding.level,
        "groups": [
            {"title": group.title, "images": _images(group, against if group.against and against else sheet)}
            for group in finding.groups
        ],
    }


def _images(group: Group, sheet: Sheet) -> list[dict[str, str]]:
    crops = zip(group.rows.tolist(), sheet.crops[group.rows], strict=True)
    return [{"name": sheet.images[row], "uri": as_jpeg_uri(crop)} for row, crop in crops]
