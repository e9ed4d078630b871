"""Files that are still being written: a watcher leaves them to its next run."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Seconds after which a file goes though a program holds it open for writing: some never let go.
HELD: Final = 60.0
# Clocks of files may be behind the one that is asked, seconds.
_BEHIND: Final = 0.1


@dataclass(frozen=True, slots=True)
class Growing:
    """What makes a file one that is still being written.

    Attributes:
        seconds: it was changed since so many.
        asks_system: or a program holds it open for writing, as the system tells of local disks on Linux.
    """

    seconds: float
    asks_system: bool

    def is_growing(self, path: Path, changed_ns: int) -> bool:
        """Whether the file at `path`, last changed at this time, is still being written."""
        age = time.time() - changed_ns / 1e9
        if -_BEHIND <= age < self.seconds:
            return True
        return self.asks_system and -_BEHIND <= age < HELD and _is_open_for_writing(path)

    def is_still(self, path: Path) -> bool:
        """Whether the file at `path` is still being written, as it is now; False where it is gone."""
        try:
            facts = path.lstat()
        except OSError:
            return False
        return self.is_growing(path, max(facts.st_mtime_ns, facts.st_ctime_ns))


def _is_open_for_writing(path: Path) -> bool:
    """Whether any process holds a file open for writing; False where the system does not say."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # A lease for reading is given only while nobody writes: fcntl(2). It is given back at once; a writer that comes
        # in between waits for that, and this process ignores the signal that it is sent then.
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:  # not its owner, or a file system without leases
        return False
    finally:
        os.close(descriptor)
    return False
