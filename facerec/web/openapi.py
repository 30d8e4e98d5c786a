"""The API in OpenAPI: `python -m facerec.web.openapi FILE` writes it, unless that would break clients."""

import json
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from facerec.runtime.files import replace_file
from facerec.web.compatibility import breaking_changes
from facerec.web.problems import ProblemDetail

VERSION = "1"  # raise it with a change that breaks clients


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application; it is made once."""
    if not app.openapi_schema:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        components = document.setdefault("components", {})
        components.setdefault("schemas", {})["ProblemDetail"] = ProblemDetail.model_json_schema()
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}, {}]
        app.openapi_schema = document
    return app.openapi_schema


def to_text(document: dict[str, Any]) -> str:
    """The document as it is committed: indented, and sorted by key."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def broken(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What breaks clients of the old document, in words; nothing if the version was raised."""
    return breaking_changes(old, new) if old["info"]["version"] == new["info"]["version"] else []


def main(file: Path) -> None:
    """Write the document, or end with status 1 and what breaks clients."""
    from facerec.web.app import routes

    new = routes().openapi()
    if file.exists() and (changes := broken(json.loads(file.read_text(encoding="utf-8")), new)):
        sys.exit("\n".join([f"{file} was not written; these changes break clients:", *changes]))
    replace_file(file, to_text(new).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
