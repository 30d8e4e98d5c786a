"""The `facerec` command: `facerec JOB KEY=VALUE …` is `python -m facerec.JOB KEY=VALUE …`."""

import ast
import os
import re
import runpy
import sys
from difflib import get_close_matches
from pathlib import Path

_JOBS = (
    *("enroll", "identify", "index", "photos", "unknown"),
    *("gallery", "serve", "keys", "models", "adopt", "export"),
    *("prepare", "doctor", "train", "study", "assemble", "evaluate", "compare", "search", "pairs"),
)
_MODULES = {"keys": "web.keys"}  # the others have their job's name
_COMPLETION = ("-sc", "--shell-completion")  # what Hydra calls it


def main() -> None:
    """Run the job that the first argument names, or list the jobs."""
    job = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if job in _JOBS:
        del sys.argv[1]
        runpy.run_module(f"facerec.{_MODULES.get(job, job)}", run_name="__main__", alter_sys=True)
    elif job in _COMPLETION:
        _complete()
    elif job == "--version":
        from facerec._version import __version__

        print(f"facerec {__version__}")
    elif job in ("-h", "--help"):
        print(_help())
    else:
        nearest = "".join(f"; do you mean {name}?" for name in get_close_matches(job, _JOBS, 1))
        sys.exit(f"facerec: there is no job {job}{nearest}\n\n{_help()}")


def _help() -> str:
    lines = "".join(f"\n  {name:<10}{_summary(name)}" for name in _JOBS)
    return f"facerec JOB KEY=VALUE …, where JOB is one of{lines}\n\nfacerec JOB --help says which keys there are"


def _summary(job: str) -> str:
    """The first sentence of a job's docstring, without importing it."""
    module = Path(__file__).parent / _MODULES.get(job, job).replace(".", "/")
    file = module.with_suffix(".py")
    tree = ast.parse((file if file.exists() else module / "__main__.py").read_text(encoding="utf-8"))
    return re.split(":? `", ast.get_docstring(tree) or "")[0]


def _complete() -> None:
    """Complete the job; Hydra completes what follows it, and prints the script that makes a shell ask."""
    line = os.environ.get("COMP_LINE", "facerec identify ")
    if " " not in line:
        return
    command, job, *rest = re.split(" +", line)
    if not rest:
        print("\n".join(name for name in _JOBS if name.startswith(job)))
        return
    from facerec.job import CONFIG_DIR, run_job

    os.environ["COMP_LINE"] = " ".join([command, *rest])
    if (CONFIG_DIR / f"{job}.yaml").is_file():
        run_job(job, print)


if __name__ == "__main__":
    main()
