"""What a check of a library found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

MENDABLE: Final = "Add --repair to have it mended."
"""What a finding says that `verify --repair` mends."""

_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked: `ok`, `repaired`, or `wrong`, with the way out."""

    state: Literal["ok", "repaired", "wrong"]
    part: str
    text: str


def pictures(ids: Iterable[int]) -> str:
    """Pictures by their content ids, the first few of them."""
    known = sorted(ids)
    shown = ", ".join(map(str, known[:_NAMED])) + (", ..." if len(known) > _NAMED else "")
    return f"picture{'s' if len(known) != 1 else ''} {shown}"
