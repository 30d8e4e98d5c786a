"""The package indexes that the user has set for pip or uv."""

import os
import re
import sys
import tomllib
from collections.abc import Iterator
from configparser import Error, RawConfigParser
from pathlib import Path
from typing import Any

import platformdirs

PUBLIC_INDEX = "https://pypi.org/simple"
SYSTEM = Path("/etc")


def indexes() -> list[str]:
    """Addresses of the simple API, in the order to ask; with credentials where the user has put them there.

    The environment comes before files. Where nothing replaces the public index, it is the last. None of them counts
    with `no-index`.
    """
    environment = os.environ.get
    main = [environment("UV_DEFAULT_INDEX"), environment("UV_INDEX_URL"), environment("PIP_INDEX_URL")]
    extra = [environment("UV_INDEX"), environment("UV_EXTRA_INDEX_URL"), environment("PIP_EXTRA_INDEX_URL")]
    pip, uv = _pip_settings(), _uv_settings()
    if _is_set(environment("PIP_NO_INDEX"), environment("UV_NO_INDEX"), pip.get("no-index"), uv.get("no-index")):
        return []
    named = [index for index in uv.get("index", []) if isinstance(index, dict)]
    main += [index.get("url") for index in named if index.get("default")]
    extra += [index.get("url") for index in named if not index.get("default")]
    main += [uv.get("index-url"), pip.get("index-url")]
    extra += [*uv.get("extra-index-url", []), pip.get("extra-index-url")]
    given = list(_addresses(main))
    listed = dict.fromkeys([*given, *_addresses(extra), *([] if given else [PUBLIC_INDEX])])
    return [index.rstrip("/") for index in listed]


def _is_set(*values: Any) -> bool:
    """Whether one of several settings says yes."""
    return any(str(value).lower() in ("1", "true", "yes", "on") for value in values)


def _addresses(values: list[str | None]) -> Iterator[str]:
    """Of a list that may hold lists of words; a word of uv may be `NAME=ADDRESS`."""
    for word in " ".join(filter(None, values)).split():
        yield re.sub(r"^[\w.-]+=(?=\w+:)", "", word)


def _pip_settings() -> dict[str, str]:
    """Of pip's files, the later win."""
    values: dict[str, str] = {}
    for file in _pip_files():
        parser = RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (Error, UnicodeDecodeError):  # pip says what is wrong with it
            continue
        for section in ("global", "download", "install"):
            items = parser.items(section) if parser.has_section(section) else []
            values |= {key.replace("_", "-"): value for key, value in items}
    return values


def _pip_files() -> list[Path]:
    """Where pip reads: system, user, environment of Python, and what PIP_CONFIG_FILE names."""
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    system = [platformdirs.site_config_path("pip", appauthor=False) / name, SYSTEM / name]
    user = [Path.home() / ("pip" if sys.platform == "win32" else ".pip") / name]
    user += [Path.home() / ".config" / "pip" / name]
    user += [platformdirs.user_config_path("pip", appauthor=False, roaming=True) / name]
    given = os.environ.get("PIP_CONFIG_FILE")
    if given == os.devnull:  # pip reads no file then
        return []
    return [*system, *user, Path(sys.prefix) / name, *([Path(given)] if given else [])]


def _uv_settings() -> dict[str, Any]:
    """Of the first of uv's files that is there."""
    given = os.environ.get("UV_CONFIG_FILE")
    places = [Path.home() / ".config" / "uv", platformdirs.user_config_path("uv", appauthor=False, roaming=True)]
    places += [platformdirs.site_config_path("uv", appauthor=False), SYSTEM / "uv"]
    for file in [Path(given)] if given else [place / "uv.toml" for place in places]:
        try:
            return tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # uv says what is wrong with it
            continue
    return {}
