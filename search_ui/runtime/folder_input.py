"""Folders as a person types or chooses them, and whether those of the library are there now."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from sightline.images.formats import EXTENSIONS
from store.addresses import checked_address, is_address
from store.errors import SightlineError
from store.objects import objects
from store.paths import display, to_bytes, to_path
from store.tables.records import RootState

# A network drive that went away may answer after minutes; the page does not wait for it.
PATIENCE: Final = 1.0

# A first look at a folder, so long: enough for some ten thousand files on a disk.
COUNT_SECONDS: Final = 0.4
# So many folders of a folder are offered.
MOST: Final = 200
# Where pictures usually are, below the home folder, in the languages that systems name them in.
_USUAL: Final = "Pictures Photos Bilder Images Imágenes Immagini Obrazy Фотографии DCIM".split()

Presence = Literal["there", "gone", "empty", "silent"]


class FolderError(SightlineError):
    """What was typed is no folder that can be indexed; the message says why."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that can be indexed, and how it relates to the folders of the library."""

    path: Path
    note: str


def folder(text: str, roots: Sequence[RootState], library: Path) -> Folder:
    """Return the folder that a text names: an absolute path, one with `~`, or an address.

    Raises:
        FolderError: it names none, or one that can't be read or indexed.
    """
    if is_address(text.strip()) and not text.strip().startswith("file:"):
        return _at_address(text.strip(), roots)
    path = _path(text)
    shown = display(to_bytes(path))
    try:
        if not path.exists():
            raise FolderError(f"There is no folder {shown} on the machine that Sightline runs on.")
        if not path.is_dir():
            raise FolderError(f"{shown} is a file. Give the folder it lies in: {display(to_bytes(path.parent))}")
        path = path.resolve()
        with os.scandir(path):
            pass
    except OSError as error:
        raise FolderError(f"The folder {shown} can't be read ({error.strerror}). Change its permissions.") from error
    if path.is_relative_to(library.resolve()):
        raise FolderError(f"{shown} is a part of the library itself. Give a folder of pictures.")
    return Folder(path, _note(path, roots))


def _at_address(text: str, roots: Sequence[RootState]) -> Folder:
    try:
        path = Path(checked_address(text))
        objects(path).listed()
    except SightlineError as error:
        raise FolderError(str(error)) from error
    except OSError as error:
        raise FolderError(f"{display(to_bytes(text))} can't be listed: {error.strerror}.") from error
    return Folder(path, _note(path, roots))


def _path(text: str) -> Path:
    text = text.strip().strip("\"'")
    if text.startswith("file:"):
        text = unquote(urlsplit(text).path)
    if not text:
        raise FolderError("Type the path of a folder, such as /home/you/Pictures.")
    if "\0" in text:
        raise FolderError("A path has no NUL character in it.")
    try:
        path = Path(text).expanduser()
        # Stops lone surrogates, which no file name can be typed with.
        os.fsencode(path)
    except (RuntimeError, UnicodeEncodeError) as error:
        raise FolderError(f"{display(text.encode('utf-8', 'replace'))} names no folder here ({error}).") from error
    if not path.is_absolute():
        raise FolderError(
            f"Give the whole path, from / on: {display(to_bytes(path))} would depend on where the server was started."
        )
    return path


def _note(path: Path, roots: Sequence[RootState]) -> str:
    for root in roots:
        outer = to_path(root.path)
        if path == outer:
            return "The library has this folder already: it will be indexed again."
        if path.is_relative_to(outer):
            return f"It lies in {root.display}, which the library has: only this part will be indexed again."
    inner = [root.display for root in roots if to_path(root.path).is_relative_to(path)]
    if inner:
        return f"It holds {', '.join(inner[:3])}, which the library has: it will take the place of that."
    return "This folder is new to the library."


def presences(roots: Iterable[RootState]) -> dict[int, Presence]:
    """Look whether each root is there now, by its id; `silent` after `PATIENCE` seconds."""
    found: dict[int, Presence] = {}
    looks = [threading.Thread(target=_look, args=(root, found), daemon=True) for root in roots]
    for look in looks:
        look.start()
    waiting = threading.Event()
    threading.Thread(target=_join, args=(looks, waiting), daemon=True).start()
    waiting.wait(PATIENCE)
    return {root.id: found.get(root.id, "silent") for root in roots}


def _join(looks: Sequence[threading.Thread], waiting: threading.Event) -> None:
    for look in looks:
        look.join()
    waiting.set()


def _look(root: RootState, found: dict[int, Presence]) -> None:
    if is_address(path := to_path(root.path)):
        found[root.id] = _look_at(path, holds=bool(root.photos))
        return
    try:
        with os.scandir(to_path(root.path)) as entries:
            is_empty = next(entries, None) is None
    except OSError:
        found[root.id] = "gone"
    else:
        found[root.id] = "empty" if is_empty and root.photos else "there"


def _look_at(address: Path, *, holds: bool) -> Presence:
    """Whether an address answers: a store without folders says of an empty one that it is gone."""
    try:
        return "there" if objects(address).listed() or not holds else "empty"
    except (OSError, SightlineError):
        return "gone"


# -- choosing a folder ------------------------------------------------------------------------------------------------


def suggestions() -> list[Path]:
    """Return folders in which pictures usually are, those that are there."""
    home = Path.home()
    named = [home / name for name in _USUAL]
    try:
        lines = (home / ".config" / "user-dirs.dirs").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() == "XDG_PICTURES_DIR":
            named.insert(0, Path(value.strip().strip('"').replace("$HOME", str(home))))
    return [each for each in dict.fromkeys(named) if each != home and _is_folder(each)]


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder by name, no hidden ones, `MOST` at most; none if unreadable."""
    try:
        with os.scandir(folder) as entries:
            found = [Path(entry.path) for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except OSError:
        return []
    # What no text can name can't be typed either.
    found = [each for each in found if each.name.isprintable()]
    return sorted(found, key=lambda each: each.name.casefold())[:MOST]


def count_pictures(folder: Path, seconds: float = COUNT_SECONDS) -> tuple[int, bool]:
    """Count the files below a folder that have the suffix of a picture.

    Returns:
        How many were counted, and whether these are all: counting ends after so many seconds.
    """
    until, found = time.monotonic() + seconds, 0
    if is_address(folder):  # the first folder of it alone
        names = [entry.name for entry in objects(folder).listed() if entry.kind == "file"]
        return sum(f".{os.fsdecode(name).rpartition('.')[2].lower()}" in EXTENSIONS for name in names), False
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += sum(f".{name.rpartition('.')[2].lower()}" in EXTENSIONS for name in files)
        if time.monotonic() > until:
            return found, False
    return found, True


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
