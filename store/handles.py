"""How many files a process may have open: raised where the system gives a program few to begin with."""

from __future__ import annotations

import sys
from typing import Final

ENOUGH: Final = 4_096


def raise_limit() -> int:
    """Raise the limit of open files to `ENOUGH`, or as far as the system lets us; returns what it is then.

    macOS begins with 256, which a server with some open pages reaches.
    """
    if sys.platform == "win32":  # its limit is in the thousands
        return ENOUGH
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):  # macOS refuses more than its kern.maxfilesperproc, whatever the hard limit says
            return soft
        return wanted
    return ENOUGH if soft == resource.RLIM_INFINITY else soft
