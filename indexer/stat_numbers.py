"""Numbers of a file's `stat` as the library keeps them: SQLite's integers have 64 bits with a sign."""

from __future__ import annotations

import os
from typing import Final

LARGEST: Final = 2**63 - 1
SMALLEST: Final = -(2**63)

HAS_INODES: Final = os.name != "nt"  # Windows tells them of open files only


def time_of(nanoseconds: int) -> int:
    """A time as it is kept: the years 1677 to 2262 fit, and what is beyond counts as their ends.

    File systems hold later ones: a camera with a wrong clock, or a damaged card, writes them.
    """
    return min(max(nanoseconds, SMALLEST), LARGEST)


def inode_of(number: int) -> int | None:
    """An inode, or a device, as it is kept: with a sign; None where listings of folders give none."""
    if not HAS_INODES:
        return None
    return (number if number <= LARGEST else number - 2**64) or None
