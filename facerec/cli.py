"""The `facerec` command: `facerec JOB KEY=VALUE …` is `python -m facerec.JOB KEY=VALUE …`."""

import ast
import re
import runpy
import sys
from pathlib import Path

_JOBS = (
    *("enroll", "identify", "gallery", "serve", "prepare"),
    *("train", "search", "study", "assemble", "evaluate"),
)


def main() -> None:
    """Run the job that the first argument names, or list the jobs."""
    job = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if job in _JOBS:
        del sys.argv[1]
        runpy.run_module(f"facerec.{job}", run_name="__main__", alter_sys=True)
        return
    lines = "".join(f"\n  {name:<10}{_summary(name)}" for name in _JOBS)
    text = f"facerec JOB KEY=VALUE …, where JOB is one of{lines}\n\nfacerec JOB --help says which keys there are"
    if job not in ("-h", "--help"):
        sys.exit(f"facerec: there is no job {job}\n\n{text}")
    print(text)


def _summary(job: str) -> str:
    """The first sentence of a job's docstring, without importing it."""
    package = Path(__file__).parent
    file = package / f"{job}.py"
    tree = ast.parse((file if file.exists() else package / job / "__main__.py").read_text(encoding="utf-8"))
    return re.split(":? `", ast.get_docstring(tree) or "")[0]


if __name__ == "__main__":
    main()
