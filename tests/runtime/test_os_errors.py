import errno
import os
from pathlib import Path

import pytest

from facerec.runtime.os_errors import describe, naming


@pytest.mark.parametrize(
    ("number", "file", "said"),
    [
        (errno.ENOSPC, "/data/out/a.png", "/data/out/a.png: the disk is full; free space there (out)"),
        (errno.EROFS, "/data/out", "/data/out: the disk is read-only; choose another place (out)"),
        (errno.EACCES, "/data/photos/a.jpg", "/data/photos/a.jpg: this user may not do that there"),
        (errno.EACCES, "/data/cache/a", "(data.cache_dir)"),
        (errno.ENOENT, "/elsewhere/a.jpg", "/elsewhere/a.jpg: there is no such file or folder"),
        (errno.EXDEV, "/data/out/a", os.strerror(errno.EXDEV)),
        (errno.ENOSPC, None, "the disk is full; free space there"),
    ],
)
def test_an_error_is_one_line_with_its_place_and_key(number: int, file: str | None, said: str) -> None:
    places = {"root": "/data", "out": "/data/out", "data.cache_dir": "/data/cache", "name": "resnet18"}
    line = describe(OSError(number, os.strerror(number), file), places)
    assert said in line
    assert "\n" not in line
    assert ("(" in line) == bool(file and file.startswith("/data"))


def test_a_write_names_its_file() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"), naming(Path("/dev/full")):
        Path("/dev/full").write_bytes(b"more than it takes")
