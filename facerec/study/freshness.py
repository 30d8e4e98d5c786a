"""Steps of a study that are done again only when what goes into them has changed."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facerec.runtime.files import replace_file

log = logging.getLogger(__name__)

INPUTS = "inputs.json"


def read_inputs(folder: Path) -> dict[str, Any] | None:
    """What went into the finished step that wrote `folder`; None if it is not finished or its record damaged."""
    try:
        found = json.loads((folder / INPUTS).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def up_to_date(folder: Path, inputs: Mapping[str, Any]) -> bool:
    """Whether the step that writes `folder` was finished with the same inputs (plain JSON values).

    If it was finished with others, a line says which of them changed.
    """
    found = read_inputs(folder)
    if found is None:
        return False
    changed = [
        key for key, value in json.loads(json.dumps(inputs)).items() if key not in found or found[key] != value
    ]
    if "version" in changed:
        before = found.get("version", "an earlier version")
        log.info("%s: made by facerec %s, this is %s: done again", folder, before, inputs["version"])
    elif changed:
        log.info("%s: made with other values of %s: done again", folder, ", ".join(changed))
    return not changed


def begin(folder: Path) -> None:
    """Make the folder; from now on the step counts as unfinished."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INPUTS).unlink(missing_ok=True)


def finish(folder: Path, inputs: Mapping[str, Any]) -> None:
    """Write down what went into the finished step."""
    replace_file(folder / INPUTS, (json.dumps(inputs, indent=1) + "\n").encode())
