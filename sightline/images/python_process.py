"""Another process of this Python: it imports what this one would."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Final

_START: Final = (
    "import importlib, json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "importlib.import_module(sys.argv[2]).main(*sys.argv[3:])"
)


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that calls `main` of a module with arguments.

    It is not `-m`, which imports from the folder that someone works in, or from that of the packages, before Python's
    own: what lies there may have the same names.
    """
    how = "-I" if sys.flags.isolated else "-P"
    return [sys.executable or "python3", how, "-c", _START, json.dumps(import_path()), module, *arguments]


def import_path() -> list[str]:
    """Where this process imports from, but for the folder that it happens to be in."""
    said = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
    # What was added to the environment since comes first, as it would in any process that is started now.
    found = [*(each for each in said.split(os.pathsep) if each not in sys.path), *sys.path]
    there = [str(Path(each).absolute()) for each in found if isinstance(each, str) and each]
    root = str(Path(__file__).parents[2])
    return there if root in there else [root, *there]


def is_open(descriptor: int) -> bool:
    """Whether this process has a file of this number: who started it may have closed any."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
