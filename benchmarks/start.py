"""Time to import and to show help beside importing torch: python benchmarks/start.py rounds=5"""

import subprocess
import sys

from results import Figure, record
from timing import options, seconds


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
    torch = {"import torch": timings["import torch"]}
    goals = {"train --help": 1 / 1.3, "import facerec": 1 / 1.05}  # 1.3 and 1.05 times as long at most
    record(
        [
            Figure(name, "s", timings[name], torch, {"import torch": round(goal, 2)}, less=True)
            for name, goal in goals.items()
        ]
    )


if __name__ == "__main__":
    main()
