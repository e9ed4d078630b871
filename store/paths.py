"""Paths as the library keeps them: bytes with `/`, and a printable string beside them."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from store.addresses import address_of, is_address
from store.printing import printable


def to_bytes(path: str | Path) -> bytes:
    """The path as bytes with `/` as separator, as the file system names it; of an address, its text.

    Not for paths below a folder: a folder may be named like the beginning of an address. See `relative_bytes`.
    """
    made = relative_bytes(path)
    return made if made[:1] == b"/" or b":/" not in made else os.fsencode(address_of(os.fsdecode(made)))


def relative_bytes(path: str | Path) -> bytes:
    """A path below a folder as bytes with `/` as separator."""
    return os.fsencode(path).replace(os.fsencode(os.sep), b"/")


def to_path(root: bytes, relative: bytes = b"") -> Path:
    """The file-system path of `relative` under `root`; of an address, the path that stands for it."""
    return Path(os.fsdecode(root)) / os.fsdecode(relative)


def absolute(folder: Path) -> Path:
    """A folder from the root of the file system on; an address is as it was."""
    return folder if is_address(folder) else folder.absolute()


def display(path: bytes) -> str:
    """A string that is safe to print and to store as text.

    Undecodable bytes become `\\xNN`; control characters, which could drive a terminal, become `\\uNNNN`.
    """
    return printable(path.decode("utf-8", "backslashreplace"))


def as_json(path: bytes) -> dict[str, str]:
    """`{"path": ...}` when the path is valid text, else `{"path_b64": ...}`; never a lossy string."""
    try:
        return {"path": path.decode("utf-8")}
    except UnicodeDecodeError:
        return {"path_b64": base64.b64encode(path).decode("ascii")}


def paths_to_json(paths: Iterable[bytes]) -> str:
    """A JSON array of paths; what is no valid text in them becomes surrogates."""
    return json.dumps([path.decode("utf-8", "surrogateescape") for path in paths])


def paths_from_json(text: str | None) -> tuple[bytes, ...]:
    """The paths of `paths_to_json`; none where there is no text."""
    return tuple(path.encode("utf-8", "surrogateescape") for path in json.loads(text or "[]"))


def default_library() -> Path:
    """The folder of the library when nobody said: `SIGHTLINE_LIBRARY`, else in the user's data folder.

    SIGHTLINE_VECTORS and SIGHTLINE_THUMBNAILS go with it: see `store.remote.folder_of`, which says what it raises.
    """
    from platformdirs import user_data_path

    from store.remote import folder_of

    named = os.environ.get("SIGHTLINE_LIBRARY")
    vectors, thumbnails = os.environ.get("SIGHTLINE_VECTORS"), os.environ.get("SIGHTLINE_THUMBNAILS")
    folder = named or user_data_path("sightline", appauthor=False) / "library"
    if vectors or thumbnails or is_address(folder):
        return folder_of(folder, vectors or None, thumbnails or None)
    return Path(folder).expanduser()


def is_file(word: str | Path) -> bool:
    """Whether what someone typed is the path of a file; words too long for one, or with a NUL, are not."""
    with suppress(OSError, ValueError):
        return Path(word).is_file()
    return False


def is_folder(word: str | Path) -> bool:
    """Whether what someone typed is the path of a folder, see `is_file`."""
    with suppress(OSError, ValueError):
        return Path(word).is_dir()
    return False
