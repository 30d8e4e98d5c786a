import subprocess
import sys

from facerec.job import CONFIG_DIR


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "facerec.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_job_is_listed_with_what_it_does_and_runs() -> None:
    listed = _run()
    assert listed.returncode == 0
    jobs = {line.split()[0]: line for line in listed.stdout.splitlines() if line.startswith("  ")}
    assert jobs.keys() == {file.stem for file in CONFIG_DIR.glob("*.yaml")}
    assert all(len(line.split()) > 3 for line in jobs.values())
    help = _run("gallery", "--help")
    assert help.returncode == 0, help.stderr
    assert "Look after a gallery" in help.stdout


def test_an_unknown_job_is_refused() -> None:
    refused = _run("enrol")
    assert refused.returncode == 1
    assert "there is no job enrol\n" in refused.stderr
    assert "enroll" in refused.stderr
