"""The folders of a run, matched with the roots of the library. Refuses those that seem emptied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.exclusions import as_meant
from indexer.identity import refuse_another
from indexer.walk import Unreadable, WalkCounts, is_passed_over
from indexer.walking import walk
from store.addresses import address_of, checked_address, is_address, local_folder
from store.errors import RootUnavailableError, SightlineError
from store.objects import objects
from store.paths import display, relative_bytes, to_bytes, to_path
from store.remote import has_library
from store.tables.catalog import Catalog, RootState
from store.walk_options import WalkChoice, WalkOptions


class FolderError(SightlineError):
    """A folder that was given can't be indexed."""


@dataclass(frozen=True, slots=True)
class Target:
    """A folder to walk: a root, or a folder inside one (`prefix` ends with `/`; empty for the whole root).

    `options` are of the whole root: how it is walked in this run, and kept.
    """

    root: Path
    prefix: bytes
    known: RootState | None
    options: WalkOptions

    @property
    def start(self) -> Path:
        """Where the walk starts."""
        return to_path(to_bytes(self.root), self.prefix) if self.prefix else self.root


def find_targets(
    folders: Sequence[Path], catalog: Catalog | None, choice: WalkChoice, skip: Sequence[Path], *, yes: bool = False
) -> list[Target]:
    """Match folders with known roots, and refuse those that seem emptied, before anything is changed.

    A folder inside a known root, or inside another given one, is walked as part of it. Folders given twice count once.
    What is chosen of a walk is for the folders given; for all else, a root is walked as it was. A root that becomes
    part of another one stays as it was, too. With `yes`, another disk may lie in the place of a root.

    Raises:
        FolderError: a folder is missing, is a file, or can't be read.
        RootUnavailableError: the library holds photos of a folder that is now missing, holds no picture at all, or is
            another one, see `indexer.identity`.
    """
    roots = catalog.roots() if catalog else []
    places: dict[tuple[Path, bytes], RootState | None] = {}
    options: dict[Path, WalkOptions] = {}
    resolved = sorted({_checked(folder, roots) for folder in folders}, key=lambda path: len(path.parts))
    for path in resolved:
        outer = [to_path(root.path) for root in roots] + [root for root, _ in places]
        around = [candidate for candidate in outer if path.is_relative_to(candidate)]
        root = min(around, key=lambda candidate: len(candidate.parts), default=path)
        prefix = b"" if path == root else relative_bytes(path.relative_to(root)) + b"/"
        if any(known_root == root and prefix.startswith(known) for known_root, known in places):
            continue
        known = next((state for state in roots if state.path == to_bytes(root)), None)
        inside = [state for state in roots if state.path != to_bytes(root) and to_path(state.path).is_relative_to(path)]
        if root not in options:
            options[root] = known.options if known else WalkOptions(parts=_parts(root, inside))
        options[root] = options[root].chosen(_for_folder(choice, path, resolved), prefix)
        if prefix and is_passed_over(root, prefix, options[root]):
            # It is asked for: the next run of the root is to come by it, too.
            options[root] = options[root].chosen(WalkChoice(exclude=()), prefix)
        _refuse_if_emptied(Target(root, prefix, known, options[root]), catalog, skip)
        if known is not None and not yes:
            refuse_another(root, known)
        for inner in inside:
            # It is about to become a part of this target: an unplugged drive must not pass for an emptied folder.
            _checked(to_path(inner.path), roots)
            _refuse_if_emptied(Target(to_path(inner.path), b"", inner, inner.options), catalog, skip)
            if not yes:
                refuse_another(to_path(inner.path), inner)
        places[root, prefix] = known
    return [Target(root, prefix, known, options[root]) for (root, prefix), known in places.items()]


def check_before_creating(folders: Sequence[Path], library: Path, choice: WalkChoice) -> None:
    """Check the folders first: a mistyped one must not leave an empty library behind."""
    if not has_library(library):
        find_targets(folders, None, choice, [library])


def _parts(root: Path, inside: Sequence[RootState]) -> dict[bytes, WalkChoice]:
    parts: dict[bytes, WalkChoice] = {}
    for inner in inside:
        parts |= inner.options.as_part(relative_bytes(to_path(inner.path).relative_to(root)) + b"/")
    return parts


def _for_folder(choice: WalkChoice, folder: Path, folders: Sequence[Path]) -> WalkChoice:
    """The choice for one of the given folders: without patterns that are paths in another one."""
    if choice.exclude is None:
        return choice
    elsewhere = {
        pattern for pattern in choice.exclude for other in folders if as_meant(pattern, other) != pattern
    }  # fmt: skip
    meant = [(pattern, as_meant(pattern, folder)) for pattern in choice.exclude]
    return replace(
        choice, exclude=tuple(kept for given, kept in meant if kept != given or given not in elsewhere)
    )  # fmt: skip


def resolved(folder: Path) -> Path:
    """A folder as roots are kept: without links; or an address.

    Raises:
        OSError, RuntimeError: there is no such user's home; a link leads to itself.
    """
    folder = local_folder(folder)
    return Path(address_of(folder)) if is_address(folder) else folder.expanduser().resolve()


def _checked(folder: Path, roots: Sequence[RootState]) -> Path:
    try:
        path = resolved(folder)
    except (RuntimeError, OSError) as error:  # no such user's home; a link that leads to itself
        raise FolderError(f"The folder {display(to_bytes(folder))} can't be found ({error}).") from error
    if is_address(path):
        return _checked_address(path, roots)
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


def _checked_address(folder: Path, roots: Sequence[RootState]) -> Path:
    """The path that stands for an address, where something is."""
    path = Path(checked_address(folder))
    shown = display(to_bytes(path))
    known = next((root for root in roots if root.path == to_bytes(path)), None)
    try:
        objects(path).listed()
    except NotADirectoryError as error:
        raise FolderError(f"{shown} is a single object. Give the folder it lies in.") from error
    except FileNotFoundError as error:
        if known is not None and known.photos:
            raise RootUnavailableError(
                f"Nothing is found at {shown}; the library holds {known.photos} photos of it. Nothing was changed. "
                "Check its bucket, its endpoint and your keys, and run again. If it is meant to be empty, forget it: "
                f"python -m indexer forget {shown}"
            ) from error
        raise FolderError(f"Nothing is found at {shown}: there is no such bucket or folder, or it is empty.") from error
    except OSError as error:
        raise FolderError(
            f"{shown} can't be listed: {error.strerror}. Check its address, its endpoint and your keys; how they are "
            "given is in docs/cluster.md. Nothing was changed."
        ) from error
    return path


def _refuse_if_emptied(target: Target, catalog: Catalog | None, skip: Sequence[Path]) -> None:
    # Of an object without an ending nothing is read here: whether there is any picture the run itself will say.
    counts = WalkCounts(is_unchanged=lambda *_: True)
    first = next(walk(target.root, target.options, counts, skip, target.start), None)
    if isinstance(first, Unreadable) and first.path == target.prefix.rstrip(b"/"):
        shown = display(to_bytes(target.start))
        raise FolderError(f"The folder {shown} can't be read ({first.reason}). Change its permissions.")
    if first is not None or catalog is None or target.known is None:
        return
    if held := catalog.count_present(target.known.id, target.prefix):
        start, root = display(to_bytes(target.start)), display(to_bytes(target.root))
        everything = WalkOptions(hidden=True, follow_symlinks=True, caches=True)
        if next(walk(target.root, everything, WalkCounts(), skip, target.start), None) is not None:
            raise FolderError(
                f"All pictures in {start} would be left out ({left_out_by(target)}); the library holds {held} "
                f"photos of it. Nothing was changed. Choose less to leave out, or forget it: python -m indexer forget "
                f"{root}"
            )
        raise emptied_root_error(target.start, held)


def left_out_by(target: Target) -> str:
    """What makes a walk of a target pass over files, in words."""
    options = target.options.at(target.prefix)
    left = [f"what matches {pattern}" for _, pattern in target.options.patterns_at(target.prefix)]
    left += [] if options.hidden else ["hidden files"]
    left += [] if options.follow_symlinks else ["links"]
    left += [] if options.caches else ["bins and caches of other programs"]
    return ", ".join(left)


def emptied_root_error(folder: Path, photos: int) -> RootUnavailableError:
    """Make the error for a folder that held photos and holds none now."""
    shown = display(to_bytes(folder))
    why = "it may be another bucket" if is_address(folder) else "its drive may not be mounted"
    return RootUnavailableError(
        f"The folder {shown} holds no picture now; the library holds {photos} photos of it, and {why}. Nothing was "
        f"changed. If it is meant to be empty, forget it: python -m indexer forget {shown}"
    )
