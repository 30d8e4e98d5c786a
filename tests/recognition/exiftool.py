"""Debian's exiftool, an independent reader and writer of XMP."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

EXIFTOOL = shutil.which("exiftool")
needs_exiftool = pytest.mark.skipif(
    EXIFTOOL is None, reason="no exiftool on the PATH: apt-get install libimage-exiftool-perl"
)


def exiftool_writes(file: Path, tags: dict[str, Any]) -> None:
    """Write XMP tags, structures among them, into a photo or a file beside one."""
    given = file.with_name("given.json")
    given.write_text(json.dumps([{"SourceFile": "*", **tags}], ensure_ascii=False))
    command = [EXIFTOOL or "", "-overwrite_original", "-charset", "utf8", f"-json={given}", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    given.unlink()
    assert done.returncode == 0, done.stderr


def exiftool_reads(file: Path) -> dict[str, Any]:
    """All XMP tags; exiftool finds nothing wrong with them."""
    command = [EXIFTOOL or "", "-j", "-struct", "-XMP:all", "-warning", "-charset", "utf8", str(file)]
    command += ["-validate"] if file.suffix == ".xmp" else []  # it has much to say about Pillow's EXIF
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    [tags] = json.loads(done.stdout)
    assert "Warning" not in tags
    return dict(tags)
