"""The files around the package agree with each other."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_the_forge_runs_what_the_makefile_has() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yaml").read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    made = {word for step in steps for word in re.findall(r"^make ([\w-]+)", step.get("run", ""))}
    assert made
    assert made <= TARGETS
    versions = workflow["jobs"]["test"]["strategy"]["matrix"]["include"]
    assert all((ROOT / entry["pins"]).is_file() for entry in versions)
    [oldest] = re.findall(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert oldest in {entry["python"] for entry in versions}


def test_a_commit_is_checked_with_the_tools_of_the_tests() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    for hook in hooks:
        tool = hook["entry"].split()[0].removeprefix(".venv/bin/")
        assert re.search(rf"^{tool}==", pins, re.MULTILINE)
