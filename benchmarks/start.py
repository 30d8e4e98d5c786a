"""Time to import and to show help beside importing torch: python benchmarks/start.py rounds=5"""

import subprocess
import sys

from side_by_side import options, record, seconds


def main() -> None:
    """Print seconds and ratios."""
    commands = {
        "import torch": ["-c", "import torch"],
        "train --help": ["-m", "facerec.train", "--help"],
        "import facerec": ["-c", "import facerec"],
    }
    run = {
        name: lambda given=given: subprocess.run([sys.executable, *given], check=True, stdout=subprocess.DEVNULL)
        for name, given in commands.items()
    }
    timings = seconds(run, options(rounds=5)["rounds"])
    figures = {f"{name}, s": value for name, value in timings.items()}
    figures |= {f"{name} x": timings[name] / timings["import torch"] for name in ("train --help", "import facerec")}
    record("start", figures, "1.3 x and 1.05 x import torch at most")


if __name__ == "__main__":
    main()
