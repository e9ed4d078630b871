"""What the catalog hands out: plain rows, apart from the tables they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from store.walk_options import WalkOptions


class KnownPhoto(NamedTuple):
    """What the library holds of one path. A tuple: a walk makes one for every file."""

    path: bytes
    id: int
    content_id: int
    size: int
    mtime_ns: int
    missing: int  # 0 or 1
    encoded: int  # likewise, whether its content has a vector in each of the spaces asked for, and its tiles
    older: int  # likewise, whether its content's facts were read by an older version; 0 where that is not asked for
    inode: int | None  # None where it was not kept yet, as ctime_ns
    ctime_ns: int | None
    sidecars: bytes | None


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """The size and times of a file when it failed, and the stage."""

    id: int
    stage: str
    size: int
    mtime_ns: int
    ctime_ns: int | None


@dataclass(frozen=True, slots=True)
class SpaceState:
    """A space and how many rows it has. `last_id` and `count` are of the table `vectors`.

    `fingerprint` is None where its model's files were not read since there are fingerprints.
    """

    id: int
    key: str
    name: str
    model: str
    weights: str
    preprocess: str
    dim: int
    has_text: bool
    epoch: int
    last_id: int
    count: int
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class RootState:
    """A root and how many of its photos are there, missing, or failed."""

    id: int
    path: bytes
    display: str
    last_walked_at: str | None
    photos: int
    missing: int
    failed: int
    options: WalkOptions = field(default_factory=WalkOptions)  # how it is walked
    drives: tuple[bytes, ...] = ()  # folders in it, by path, that lay on other devices than what is around them
    identity: str | None = None  # what tells it from another in its place, as `indexer.identity` keeps it
    watched: bool = False  # whether a server of the page keeps a watcher on it


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A file that could not be indexed."""

    root: bytes
    path: bytes
    display: str
    stage: str
    reason: str
    size: int
    mtime_ns: int
    failed_at: str


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """A content and one of the photos that hold it."""

    content_id: int
    photo_id: int
    hash: bytes
    root: bytes
    path: bytes
    display: str
    copies: int
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlacedPhoto:
    """A photo that is there: where it lies, and what its file looked like when it was read.

    `device` and `inode` are None where it was read before these were kept.
    """

    photo_id: int
    content_id: int
    root: bytes
    path: bytes
    display: str
    size: int
    mtime_ns: int
    device: int | None
    inode: int | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals of a library. `pictures` counts contents, `photos` paths."""

    pictures: int
    photos: int
    missing: int
    failed: int
    generation: int


def now() -> str:
    """The time as the library writes it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
