"""The folders of a run, matched with the roots of the library. Refuses those that seem emptied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.walk import Unreadable, WalkCounts, WalkOptions, walk
from store.errors import RootUnavailableError, SightlineError
from store.paths import display, to_bytes, to_path
from store.tables.catalog import Catalog, RootState


class FolderError(SightlineError):
    """A folder that was given can't be indexed."""


@dataclass(frozen=True, slots=True)
class Target:
    """A folder to walk: a root, or a folder inside one (`prefix` ends with `/`; empty for the whole root)."""

    root: Path
    prefix: bytes
    known: RootState | None

    @property
    def start(self) -> Path:
        """Where the walk starts."""
        return to_path(to_bytes(self.root), self.prefix) if self.prefix else self.root


def find_targets(
    folders: Sequence[Path], catalog: Catalog | None, options: WalkOptions, skip: Sequence[Path]
) -> list[Target]:
    """Match folders with known roots, and refuse those that seem emptied, before anything is changed.

    A folder inside a known root, or inside another given one, is walked as part of it. Folders given twice count once.

    Raises:
        FolderError: a folder is missing, is a file, or can't be read.
        RootUnavailableError: the library holds photos of a folder that is now missing or holds no picture at all.
    """
    roots = catalog.roots() if catalog else []
    targets: dict[tuple[Path, bytes], Target] = {}
    resolved = sorted({_checked(folder, roots) for folder in folders}, key=lambda path: len(path.parts))
    for path in resolved:
        outer = [to_path(root.path) for root in roots] + [target.root for target in targets.values()]
        around = [candidate for candidate in outer if path.is_relative_to(candidate)]
        root = min(around, key=lambda candidate: len(candidate.parts), default=path)
        prefix = b"" if path == root else to_bytes(path.relative_to(root)) + b"/"
        if any(key[0] == root and prefix.startswith(key[1]) for key in targets):
            continue
        known = next((state for state in roots if state.path == to_bytes(root)), None)
        target = Target(root, prefix, known)
        _refuse_if_emptied(target, catalog, options, skip)
        for inner in roots:
            if to_path(inner.path) != root and to_path(inner.path).is_relative_to(target.start):
                # It is about to become a part of this target: an unplugged drive must not pass for an emptied folder.
                _checked(to_path(inner.path), roots)
                _refuse_if_emptied(Target(to_path(inner.path), b"", inner), catalog, options, skip)
        targets[root, prefix] = target
    return list(targets.values())


def _checked(folder: Path, roots: Sequence[RootState]) -> Path:
    try:
        path = folder.expanduser().resolve()
    except (RuntimeError, OSError) as error:  # no such user's home; a link that leads to itself
        raise FolderError(f"The folder {display(to_bytes(folder))} can't be found ({error}).") from error
    known = next((root for root in roots if root.path == to_bytes(path)), None)
    try:
        if path.is_dir():
            return path
        is_there = path.exists()
    except OSError as error:
        raise FolderError(f"The folder {path} can't be looked at ({error.strerror}).") from error
    if known is not None and known.photos:
        raise RootUnavailableError(
            f"The folder {path} is not there; the library holds {known.photos} photos of it. Nothing was changed. "
            f"Connect its drive and run again, or forget it: python -m indexer forget {path}"
        )
    if is_there:
        raise FolderError(f"{path} is a file. Give the folder it lies in: {path.parent}")
    raise FolderError(f"There is no folder {path}.")


def _refuse_if_emptied(target: Target, catalog: Catalog | None, options: WalkOptions, skip: Sequence[Path]) -> None:
    first = next(walk(target.root, options, WalkCounts(), skip, target.start), None)
    if isinstance(first, Unreadable) and first.path == target.prefix.rstrip(b"/"):
        raise FolderError(f"The folder {target.start} can't be read ({first.reason}). Change its permissions.")
    if first is not None or catalog is None or target.known is None:
        return
    if held := catalog.count_present(target.known.id, target.prefix):
        raise emptied_root_error(target.start, held)


def emptied_root_error(folder: Path, photos: int) -> RootUnavailableError:
    """Make the error for a folder that held photos and holds none now."""
    return RootUnavailableError(
        f"The folder {folder} holds no picture now; the library holds {photos} photos of it, and its drive may not be "
        f"mounted. Nothing was changed. If it is meant to be empty, forget it: python -m indexer forget {folder}"
    )
