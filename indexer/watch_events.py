"""Which reports of the system about a folder may be news for the library."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from indexer.exclusions import Exclusions
from indexer.sidecars import ENDING
from indexer.walk import is_passed_over, may_be_picture
from store.paths import to_bytes
from store.walk_options import WalkOptions

ADDED = 1
"""What watchfiles calls a new path."""


def filter_of(
    root: Path, options: WalkOptions, library: Path, folders: Collection[Path], *, is_recursive: bool
) -> Callable[[Iterable[tuple[int, str]]], bool]:
    """Make what tells of a batch of reports whether anything in it may be news.

    Args:
        root: that the folders lie in.
        options: how it is walked.
        library: the library's folder, which may lie in it.
        folders: that a walk lists.
        is_recursive: whether reports also come from folders that a walk passes over.
    """
    own, above = to_bytes(library) + b"/", to_bytes(root).rstrip(b"/") + b"/"
    known = {to_bytes(folder) for folder in folders}
    passed: dict[bytes, bool] = {}
    exclusions = Exclusions(options.patterns_at(b"")) if options.exclude and not options.parts else None

    def is_passed(folder: bytes) -> bool:
        if folder not in passed:
            passed[folder] = bool(folder) and is_passed_over(root, folder, options)
        return passed[folder]

    def may_be_news(change: int, text: str) -> bool:
        path = to_bytes(text)
        if path.startswith(own):
            return False
        if path in known or not path.startswith(above):
            return True
        below, _, name = path[len(above) :].rpartition(b"/")
        folder = below + b"/" if below else b""
        if name.startswith(b".") and not options.parts and not options.hidden:
            return False
        if is_recursive and is_passed(folder):
            return False
        if exclusions is not None and exclusions.leave_out(folder + name, name, is_folder=False):
            return False
        if name[-len(ENDING) :].lower() == ENDING or b"." not in name or may_be_picture(Path(text)):
            return True
        # A folder may be called like anything; one that is gone was known.
        return change == ADDED and os.path.isdir(text)  # noqa: PTH112 - a Path of each would take most of the time

    return lambda changes: any(may_be_news(change, path) for change, path in changes)
