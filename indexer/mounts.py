"""What is mounted where, on Linux; see proc_pid_mountinfo(5)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, NamedTuple

MOUNTS: Final = Path("/proc/self/mountinfo")


class Mount(NamedTuple):
    """A file system: where it is mounted, its kind, its source, and the number of the mount."""

    at: bytes
    kind: str
    source: str
    number: str


def mounts() -> list[Mount]:
    """All of them, those that lie above others at their place after them; none on other systems."""
    found: list[Mount] = []
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return found
    for line in lines:
        before, _, after = line.partition(b" - ")
        fields, kinds = before.split(b" "), after.split(b" ")
        if len(fields) >= 5 and len(kinds) >= 2:
            kind, source = os.fsdecode(kinds[0]), os.fsdecode(_unescaped(kinds[1]))
            found.append(Mount(_unescaped(fields[4]), kind, source, os.fsdecode(fields[0])))
    return found


def mount_of(folder: Path) -> Mount | None:
    """The file system that a folder lies on."""
    path = os.fsencode(folder.resolve())
    around = [mount for mount in mounts() if is_below(path, mount.at)]
    return max(reversed(around), key=lambda mount: len(mount.at), default=None)


def is_below(path: bytes, folder: bytes) -> bool:
    """Whether a path lies in a folder, or is it."""
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _unescaped(field: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes((int(found[1], 8),)), field)
