"""Shows a folder in the file manager of this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from store.addresses import is_address
from store.descriptors import check_folder_below
from store.errors import SightlineError
from store.paths import display, to_bytes, to_path
from store.tables.catalog import Catalog, PhotoRow
from store.tables.link_choices import follows_links

# On a Mac the file is shown in its folder: to open a folder that is named like a program would start it.
_REVEAL: Final = {"darwin": ("open", "-R"), "win32": ("explorer",)}
# A file manager that runs on was found; one that can't be started says so sooner.
_PATIENCE: Final = 2.0


class FileManagerError(SightlineError):
    """The folder can't be shown; the message says why."""


def show_folder_of_photo(catalog: Catalog, photo: PhotoRow) -> None:
    """Open the folder of a photo in the file manager, unless it lies behind a link that is not followed.

    A file manager takes a path and opens it itself: what is put there after the look, it shows.

    Raises:
        FileManagerError: as `show_folder_of`.
    """
    file = to_path(photo.root, photo.path)
    if is_address(file):
        raise FileManagerError(f"{display(to_bytes(file.parent))} is in a store of objects, which has no folder here.")
    follow = follows_links(catalog, photo.root)
    try:
        check_folder_below(to_path(photo.root), photo.path.rpartition(b"/")[0], follow_links=follow)
    except OSError as error:
        shown = display(to_bytes(file.parent))
        if isinstance(error, FileNotFoundError):
            raise FileManagerError(f"The folder {shown} is not there now.") from error
        raise FileManagerError(f"The folder {shown} is not opened: {error.strerror}.") from error
    show_folder_of(file)


def show_folder_of(file: Path) -> None:
    """Open the folder of a file in the file manager.

    Args:
        file: an absolute path.

    Raises:
        FileManagerError: the folder is not there, or there is no file manager that opens it.
    """
    folder = file.parent
    shown = display(to_bytes(folder))
    if not file.is_absolute() or not folder.is_dir():
        raise FileManagerError(f"The folder {shown} is not there now.")
    command = _REVEAL.get(sys.platform, ("xdg-open",))
    try:
        process = subprocess.Popen(
            [*command, file if sys.platform == "darwin" else folder], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        code = process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        return
    except OSError as error:
        raise FileManagerError(
            f"The file manager can't be started ({command[0]}: {error.strerror}). The folder is {shown}"
        ) from error
    # Explorer ends with 1 whatever happens.
    if code != 0 and sys.platform != "win32":
        raise FileManagerError(f"No file manager opened the folder ({command[0]} ended with {code}). It is {shown}")
