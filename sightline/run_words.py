"""Runs of the indexer in words, the same on pages and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sightline.humanize import count
from store.progress import Phase, Progress

PHASES: Final[Mapping[Phase, str]] = {
    "downloading": "Downloading the model",
    "looking": "Looking for what is new",
    "loading": "Loading the model",
    "preparing": "Preparing the model for quick starts",
    "indexing": "Indexing",
    "finishing": "Finishing",
    "thumbnails": "Reading thumbnails",
}
# What a summary counts, in the order people want to read it: singular and plural. Those that are 0 are left out.
_COUNTED: Final = (
    ("added", "new", "new"), ("changed", "changed", "changed"), ("moved", "moved", "moved"),
    ("duplicates", "duplicate", "duplicates"), ("restored", "back again", "back again"),
    ("missing", "missing", "missing"), ("forgotten", "forgotten", "forgotten"),
    ("failed", "unreadable", "unreadable"),
)  # fmt: skip


def counted(of: Mapping[str, Any]) -> str:
    """Return what a run did, from its summary: `1 new, 4 duplicates, 2 unreadable`."""
    told = [count(of[name], one, many) for name, one, many in _COUNTED if of.get(name)]
    if not told and of.get("encoded"):  # by a model that had not seen them
        told = [f"{count(of['encoded'], 'known picture')} encoded"]
    return ", ".join(told) or ("nothing new" if of.get("unchanged") else "no pictures found")


def of_bytes(progress: Progress) -> str:
    """Return how much of a download is here: `312 of 1,507 MB`; empty where it has just begun."""
    if progress.phase != "downloading" or (progress.total is None and not progress.done):
        return ""
    unit, name = (1e6, "MB") if (progress.total or progress.done) >= 1e6 else (1e3, "kB")
    done = f"{progress.done / unit:,.0f}"
    return f"{done} {name}" if progress.total is None else f"{done} of {progress.total / unit:,.0f} {name}"
