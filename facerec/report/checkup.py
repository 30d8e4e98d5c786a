"""The page of a gallery's check-up: the findings, with the crops that the gallery keeps."""

import base64
import re
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup, escape

from facerec.gallery import Gallery
from facerec.gallery.checkup import Checkup
from facerec.gallery.contents import Contents
from facerec.gallery.findings import KINDS, CheckupFinding, say_rates
from facerec.gallery.names import printable
from facerec.report.templates import templates
from facerec.runtime.files import replace_file

_SHOWN = 100  # findings of a kind, for the page's size


def write_checkup(
    file: Path, gallery: Gallery, contents: Contents, checkup: Checkup, findings: Sequence[CheckupFinding]
) -> None:
    """Write the page, one HTML file without any other. It shows names and faces: it is as private as the gallery.

    Args:
        file: where to.
        gallery: whose crops are shown.
        contents: what was checked.
        checkup: what was found.
        findings: that in words.
    """
    sections = []
    for kind, heading in KINDS.items():
        of_kind = [finding for finding in findings if finding.kind == kind]
        blocks = [_block(finding, gallery, contents) for finding in of_kind[:_SHOWN]]
        if of_kind:
            sections.append({"kind": kind, "heading": heading, "count": len(of_kind), "blocks": blocks})
    page = (
        templates()
        .get_template("checkup.html.j2")
        .render(
            place=gallery.place,
            model=gallery.model.fingerprint,
            persons=len(contents.ids),
            samples=len(contents.crops),
            rates=say_rates(checkup),
            sections=sections,
        )
    )
    replace_file(file, page.encode(errors="replace"))


def _block(finding: CheckupFinding, gallery: Gallery, contents: Contents) -> dict[str, object]:
    groups = [
        {"title": title, "images": [_image(row, gallery, contents) for row in rows]}
        for title, rows in finding.groups
    ]
    return {"sentence": finding.sentence, "todo": _commands(finding.todo), "groups": groups}


def _image(row: int, gallery: Gallery, contents: Contents) -> dict[str, str | None]:
    kept = gallery.kept_crop(contents.crops[row])
    name = printable(contents.sources[row]) or contents.crops[row][:12]
    return {"name": name, "uri": "data:image/png;base64," + base64.b64encode(kept).decode() if kept else None}


def _commands(todo: str) -> Markup:
    """Text whose commands, in back quotes, can be told from it."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(todo))))
