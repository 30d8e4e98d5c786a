"""Steps of a study that are done again only when what goes into them has changed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facerec.atomic import replace_file

INPUTS = "inputs.json"


def up_to_date(folder: Path, inputs: Mapping[str, Any]) -> bool:
    """Whether the step that writes `folder` was finished with the same inputs (plain JSON values)."""
    try:
        return bool(json.loads((folder / INPUTS).read_text()) == json.loads(json.dumps(inputs)))
    except (OSError, ValueError):
        return False


def begin(folder: Path) -> None:
    """Make the folder; from now on the step counts as unfinished."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INPUTS).unlink(missing_ok=True)


def finish(folder: Path, inputs: Mapping[str, Any]) -> None:
    """Write down what went into the finished step."""
    replace_file(folder / INPUTS, (json.dumps(inputs, indent=1) + "\n").encode())
