"""The user's folders follow the system, and the environment where it says otherwise."""

import sys
from pathlib import Path

import pytest

from facerec.runtime.folders import cache_folder, data_folder


def test_facerec_cache_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FACEREC_CACHE", "~/elsewhere")
    assert cache_folder() == tmp_path / "elsewhere"


@pytest.mark.skipif(sys.platform != "linux", reason="the XDG folders are Linux's")
def test_the_system_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FACEREC_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert cache_folder() == tmp_path / "cache" / "facerec"
    assert data_folder() == tmp_path / "data" / "facerec"
