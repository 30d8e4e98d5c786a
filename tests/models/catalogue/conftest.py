from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.catalogue.file_server import FileServer, serving


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving({}) as opened:
        yield opened


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, without settings of pip and uv, whose cache is returned."""
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "CONFIG_FILE", "NO_INDEX"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
        monkeypatch.delenv(f"UV_{name}", raising=False)
    for name in ("UV_INDEX", "UV_DEFAULT_INDEX", "FACEREC_OFFLINE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(home / "system"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("FACEREC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("sys.prefix", str(home / "venv"))
    monkeypatch.setattr("facerec.models.catalogue.index_settings.SYSTEM", home / "etc")
    return tmp_path / "cache"
