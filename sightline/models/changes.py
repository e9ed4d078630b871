"""What a user changes of a model: the size that it looks at, and how it pools.

A name carries them at its end: `fast;size=448`, `timm/vit_small_patch14_dinov2.lvd142m;size=224;pool=avg`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from store.errors import SpaceError

# No value holds a separator: what is before one belongs to a path.
_CHANGE: Final = re.compile(r"(size|pool)=([^/\\]*)", re.DOTALL)
_POOL: Final = re.compile(r"[a-z][a-z0-9_]*")
SMALLEST: Final = 8
"""Pixels: fewer are no picture."""
LARGEST: Final = 4096
"""Pixels: a vision transformer's work grows with the fourth power of the side."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a model; none of them is the model as it was published.

    Attributes:
        size: the side of the square pictures that the network looks at, px.
        pool: how the vectors of the places of a picture become one, as timm's `global_pool` names it.
    """

    size: int | None = None
    pool: str | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not SMALLEST <= self.size <= LARGEST:
            raise SpaceError(f"A size of {self.size} px is out of range; say {SMALLEST} to {LARGEST}, as in size=448.")
        if self.pool is not None and not _POOL.fullmatch(self.pool):
            raise SpaceError(f"{self.pool!r} names no pooling; timm's are token, avg, max, avgmax and map.")

    def __bool__(self) -> bool:
        return self.size is not None or self.pool is not None

    def __str__(self) -> str:
        """What a name has at its end; nothing where nothing is changed."""
        size = "" if self.size is None else f";size={self.size}"
        return size if self.pool is None else f"{size};pool={self.pool}"

    def over(self, others: Changes) -> Changes:
        """These changes, and others where these say nothing."""
        size, pool = (others.size if self.size is None else self.size), self.pool or others.pool
        return Changes(size, pool)

    def without(self, own: Changes) -> Changes:
        """The changes that change something of a model with the size and pooling `own`."""
        return Changes(None if self.size == own.size else self.size, None if self.pool == own.pool else self.pool)


UNCHANGED: Final = Changes()
"""A model as it was published."""


def split(spec: str) -> tuple[str, Changes]:
    """Split a name into that of a model, and the changes at its end.

    Raises:
        SpaceError: a change is said twice, or its value is none.
    """
    name, *parts = spec.split(";")
    said: dict[str, str] = {}
    while parts and (change := _CHANGE.fullmatch(parts[-1].strip())):
        what, value = change[1], change[2].strip()
        if what in said:
            raise SpaceError(f"{spec!r} says {what}= twice. Say it once.")
        said[what] = value
        parts.pop()
    size = said.get("size")
    if size is not None and not (size.isascii() and size.isdecimal()):
        raise SpaceError(f"{spec!r} asks for a size of {size!r}; say it as a number of pixels, as in size=448.")
    changes = Changes(None if size is None else int(size[:9]), said.get("pool"))
    return ";".join([name, *parts]).strip(), changes


def looks_changed(name: str) -> bool:
    """Whether the end of a name reads as a change, whatever its value."""
    _, semicolon, last = name.rpartition(";")
    return bool(semicolon) and _CHANGE.fullmatch(last.strip()) is not None


def sized(spec: str, size: int) -> str:
    """The name of a model at a size, px.

    Raises:
        SpaceError: the name says another one.
    """
    name, said = split(spec)
    if said.size not in (None, size):
        raise SpaceError(f"{spec!r} says size={said.size}, and {size} px were asked for. Say one of them.")
    return f"{name}{Changes(size).over(said)}"
