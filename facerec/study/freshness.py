"""Steps of a study that are done again only when what goes into them has changed."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facerec.runtime.files import replace_json

log = logging.getLogger(__name__)

INPUTS = "inputs.json"
_STARTED = "started.json"
_RENAMED = {"RetinaFaceFinder": "RetinaFaceDetector", "FaceAlignmentFinder": "FaceAlignmentDetector"}


def read_inputs(folder: Path) -> dict[str, Any] | None:
    """What went into the finished step that wrote `folder`; None if it is not finished or its record damaged."""
    return _read(folder / INPUTS)


def read_started(folder: Path) -> dict[str, Any] | None:
    """What goes into the step that was begun in `folder`; None if there is none."""
    return _read(folder / _STARTED)


def own_names(value: Any) -> Any:
    """A configuration whose classes are named without their modules, so that a class may move."""
    if isinstance(value, Mapping):
        return {key: _own_name(entry) if key == "_target_" else own_names(entry) for key, entry in value.items()}
    return [own_names(entry) for entry in value] if isinstance(value, list) else value


def is_fresh(folder: Path, inputs: Mapping[str, Any]) -> bool:
    """Whether the step that writes `folder` was finished with the same inputs (plain JSON values).

    If it was finished with others, a line says which of them changed.
    """
    recorded, wanted = own_names(read_inputs(folder)), own_names(json.loads(json.dumps(inputs)))
    if recorded is None:
        return False
    changed = [key for key, value in wanted.items() if key not in recorded or recorded[key] != value]
    if "version" in changed:
        before = recorded.get("version", "an earlier version")
        log.info("%s: made by facerec %s, this is %s: done again", folder, before, inputs["version"])
    elif changed:
        log.info("%s: made with other values of %s: done again", folder, ", ".join(changed))
    return not changed


def begin(folder: Path, inputs: Mapping[str, Any]) -> None:
    """Make the folder and write down what goes into the step, which counts as unfinished from now on."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INPUTS).unlink(missing_ok=True)
    replace_json(folder / _STARTED, inputs)


def finish(folder: Path, inputs: Mapping[str, Any]) -> None:
    """Write down what went into the finished step."""
    replace_json(folder / INPUTS, inputs)
    (folder / _STARTED).unlink(missing_ok=True)


def _own_name(target: Any) -> Any:
    name = str(target).rpartition(".")[2]
    return _RENAMED.get(name, name)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
