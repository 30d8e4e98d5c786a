"""The site of docs/ is built without a fault, from the configuration and the imports as they are."""

import html
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest
import yaml

import facerec
from facerec.job import CONFIG_DIR

ROOT = Path(facerec.__file__).parents[1]
pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install 'facerec[docs]'")


def build(folder: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    """Build the site; links and anchors that lead nowhere, and pages that the nav lacks, are errors."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


def text(page: Path) -> str:
    """What a reader sees, in one line."""
    content = page.read_text()
    return " ".join(html.unescape(re.sub("<[^>]+>", "", content[content.index("<article") :])).split())


def test_every_page_is_there_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = {file.stem for file in (ROOT / "docs").glob("*.md")}
    assert pages <= {file.stem for file in site.glob("*.html")}
    for page in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|link|iframe)[^>]+(?:src|href)=\"?(https?://[^\">]+)", page.read_text())
        assert loaded == [], page


def test_every_key_and_choice_of_the_configuration_is_described(site: Path) -> None:
    for file in CONFIG_DIR.rglob("[!_]*.yaml"):
        group = file.relative_to(CONFIG_DIR).parent.parts
        if group == ("shared",):
            continue
        page = (
            site
            / "configuration"
            / f"{group[-1] if group[:1] == ('hydra',) else group[0] if group else 'jobs'}.html"
        )
        described, content = text(page), yaml.safe_load(file.read_text()) or {}
        keys = {key for key in content if key not in ("defaults", "hydra", "_target_", "_partial_")}
        missing = {key for key in keys if not re.search(rf"\b{re.escape(key)}\b", described)}
        assert not missing, f"{file}: {missing} not in {page.name}"
        assert re.search(rf"\b{file.stem}\b", described)
    loss = text(site / "configuration" / "loss.html")
    assert "loss.margin_warmup 3.0 epochs until the whole margin is in force" in loss  # of a file that it builds on
    jobs = text(site / "configuration" / "jobs.html")
    assert "far 0.01 false positive rate: how often somebody who is not enrolled is given a name" in jobs
    assert "gallery.undo_days 7 days for which" in jobs


def test_the_diagram_shows_the_rooms_and_their_imports(site: Path) -> None:
    content = (site / "architecture.html").read_text()
    [drawn] = re.findall(r"<svg class=\"rooms\".*?</svg>", content, re.DOTALL)
    rooms = {file.parent.name for file in (ROOT / "facerec").glob("*/__init__.py")}
    assert set(re.findall(r"<text[^>]*>(\w+)</text>", drawn)) == rooms | {"errors", "jobs"}
    rows = {
        row[0]: row[2]
        for row in re.findall(r"<td><code>(\w+)</code></td>\s*<td>(.*?)</td>\s*<td>(.*?)</td>", content)
    }
    graph = grimp.build_graph("facerec", cache_dir=None)
    for room, imports in rows.items():
        said = set(imports.split(", ")) - {""}
        for other in rooms | {"errors"}:
            modules = {f"facerec.{room}", *graph.find_descendants(f"facerec.{room}")} - {f"facerec.{room}.__main__"}
            below = {f"facerec.{other}", *graph.find_descendants(f"facerec.{other}")}
            direct = any(graph.find_modules_directly_imported_by(module) & below for module in modules)
            assert direct == (other in said) or other == room, (room, other)


def test_a_fault_fails_the_build(tmp_path: Path) -> None:
    """A site of two pages, with our settings: each fault is told by its name."""
    faults = {
        "gone.md": "[a page](gone.md)",
        "lost.md": "[a page outside](../benchmarks/lost.md)",
        "no-such-place": "[an anchor](glossary.md#no-such-place)",
    }
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Here\n\n" + "\n\n".join(faults.values()))
    (tmp_path / "docs" / "glossary.md").write_text("# Glossary\n")
    settings = re.sub(
        r"^nav:\n.*?^(?=exclude_docs)", "", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE | re.DOTALL
    )
    hooks = f"hooks: [{ROOT}/docs/hooks/links.py]\n"
    settings = re.sub(r"^hooks:\n.*?^(?=plugins)", hooks, settings, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "mkdocs.yml").write_text(settings.replace("paths: [.]", f"paths: [{ROOT}]"))
    done = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert done.returncode == 1
    assert [fault for fault in faults if fault not in done.stderr] == []


def test_the_citation_names_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (cited["title"], cited["version"], cited["license"]) == (
        project["name"],
        project["version"],
        project["license"],
    )
    assert cited["version"] in (ROOT / "CHANGELOG.md").read_text()
