"""A child process of the tests: `python without.py NAME,… JOB KEY=VALUE …`, facerec on a machine without these.

A name is that of a module, or `MODULE:NAME` of something in it.
"""

import sys
from importlib import import_module

import platformdirs  # has another half for each system, and takes this one's  # noqa: F401

from facerec.cli import main

if __name__ == "__main__":
    for taken in sys.argv.pop(1).split(","):
        module, _, name = taken.partition(":")
        if name:
            vars(import_module(module)).pop(name)
        else:
            sys.modules[module] = None  # type: ignore[assignment]
    main()
