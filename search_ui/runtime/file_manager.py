"""Shows a folder in the file manager of this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from store.errors import SightlineError
from store.paths import display, to_bytes

# On a Mac the file is shown in its folder: to open a folder that is named like a program would start it.
_REVEAL: Final = {"darwin": ("open", "-R"), "win32": ("explorer",)}
# A file manager that runs on was found; one that can't be started says so sooner.
_PATIENCE: Final = 2.0


class FileManagerError(SightlineError):
    """The folder can't be shown; the message says why."""


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
