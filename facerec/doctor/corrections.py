"""Write the proposed corrections as a list that a person reads, edits, and gives to `dataset.fixes`."""

import json
import re
from collections.abc import Sequence

from facerec.data.fixes import Fixes
from facerec.doctor.findings import Finding

_HEADER = """\
# Corrections that `facerec doctor` proposes for the data set {name}. Look at doctor.html, delete the lines
# that are wrong, and take the # from those that begin with one and are right; then give this file as
# dataset.fixes=FILE. The data set itself is not changed. All names are those of the uncorrected data set.
"""


def corrections_list(name: str, findings: Sequence[Finding], images: Sequence[str]) -> str:
    """The text of `fixes.yaml`. An image gets one correction: rather dropped than moved, or moved than split off.

    Args:
        name: of the data set.
        findings: each proposes one correction.
        images: name of each row, from `image_names`.
    """
    taken: set[int] = set()
    lines: dict[str, list[str]] = {}
    for key in ("drop", "move", "split", "same", "exclude"):
        sure = [entry for entry in findings if entry.correction.key == key and entry.sure]
        lines[key] = [line for entry in sure for line in _lines(entry, images, taken)]
    text = _HEADER.format(name=name)
    unsure = [entry for entry in findings if not entry.sure]
    lines["drop"] += [f"# {line}" for entry in unsure for line in _lines(entry, images, taken)]
    for key in Fixes._fields:
        if lines[key]:
            text += f"\n{key}:\n" + "".join(f"  {line}\n" for line in lines[key])
    return text


def _lines(finding: Finding, images: Sequence[str], taken: set[int]) -> list[str]:
    correction = finding.correction
    rows = [row for row in correction.rows if row not in taken]
    taken.update(rows)
    names, files = [_scalar(name) for name in correction.names], [_scalar(images[row]) for row in rows]
    reason = re.sub(r"\s+", " ", finding.sentence)
    match correction.key:
        case "same":
            return [f"- [{', '.join(names)}]  # {reason}"]
        case "exclude":
            return [f"- {names[0]}  # {reason}"]
        case "drop":
            return [f"- {file}  # {reason}" for file in files]
        case "move":
            return [f"{file}: {names[0]}  # {reason}" for file in files]
        case _:
            return [f"{names[0]}: [{', '.join(files)}]  # {reason}"] if files else []


def _scalar(name: str) -> str:
    """A name as YAML writes it: in quotes unless it is of letters, digits, and what can't be mistaken."""
    return name if re.fullmatch(r"\w[\w./-]*", name) else json.dumps(name, ensure_ascii=False)
