"""Stores of objects, such as S3, through fsspec: listed, read and written.

fsspec, and the package of a protocol, are imported with the first object. Keys and endpoints are taken from fsspec's
own settings and from the environment that the protocol's package reads. Nothing of a listing is kept: fsspec would
show for minutes what was there before.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from store.addresses import address_of, shown_address
from store.errors import LibraryError
from store.object_answers import Asked, answered, as_os_errors

INSTALL: Final = 'pip install "sightline[cluster]"'
# The packages of protocols that fsspec has a part for, where that extra does not bring them.
_PACKAGES: Final = {
    "sftp": "paramiko", "ssh": "paramiko", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs",
    "smb": "smbprotocol",
}  # fmt: skip
# Of others a setting that they don't know ends the connection: these don't keep listings.
_KEEP_LISTINGS: Final = ("s3", "s3a", "gs", "gcs", "az", "abfs", "memory", "oss")
_VERSIONS: Final = ("ETag", "etag", "generation", "md5Hash", "content_md5", "md5", "crc32c")
_TIMES: Final = ("LastModified", "last_modified", "mtime", "modified", "updated", "created")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ANSWER_SECONDS: Final = 20.0
"""For an answer that a person waits for."""
FACTS_SECONDS: Final = 60.0
"""For any answer: as long as a disk may take."""
# Seconds between looks at whether a download goes on.
_TICK: Final = 0.5


class ObjectFacts(NamedTuple):
    """What a store tells of an object.

    Attributes:
        size: in bytes.
        mtime_ns: when it was written, in nanoseconds since 1970; 0 where that is not told.
        version: a number of 63 bits made of its ETag, which is another for other bytes; 0 where there is none.
    """

    size: int
    mtime_ns: int
    version: int


class Listed(NamedTuple):
    """An entry of a folder: its name, without slashes, and what it is."""

    name: bytes
    kind: Literal["file", "folder", "link", "other"]
    facts: ObjectFacts


class ObjectsError(LibraryError):
    """A store of objects can't be used: its package is missing, or its address names no store."""


class Objects:
    """The objects below an address. Safe for use from several threads.

    Errors of a store are OSErrors whose `strerror` is a sentence without an address: FileNotFoundError,
    PermissionError, or others.

    Attributes:
        address: what paths are relative to.
    """

    def __init__(self, address: str) -> None:
        """Nothing is asked of the store yet.

        Raises:
            ObjectsError: the protocol's package is missing, or there is no such protocol.
        """
        self.address = address_of(address)
        self._fs, self._root = _opened(self.address)

    @property
    def shown(self) -> str:
        """How messages name it."""
        return shown_address(self.address)

    @property
    def place(self) -> str:
        """What tells this store from another one with the same address: protocol, endpoint and bucket."""
        scheme, _, rest = self.address.partition("://")
        endpoint = next((str(found) for name in ("endpoint_url", "host") if (found := _of(self._fs, name))), "")
        return f"{scheme} {rest.partition('/')[0]}" + (f" at {shown_address(endpoint)}" if endpoint else "")

    def listed(self, folder: bytes = b"") -> list[Listed]:
        """The entries of a folder, in byte order of their names.

        An object may have the name of a folder beside it. What has an empty name, as below `a/` in `a//b.jpg`, has the
        kind `other` and an empty name.

        Raises:
            FileNotFoundError: there is none; stores without folders say so of an empty one.
            NotADirectoryError: an object has the name, and nothing lies below it.
            OSError: it can't be listed, or not to its end.
        """
        path = self._path(folder)
        with as_os_errors():
            self._fs.invalidate_cache()
            entries = self._fs.ls(path, detail=True)
        found = []
        begin = path.rstrip("/") + "/"
        for entry in entries:
            name, is_folder = str(entry["name"]), entry["type"] == "directory"
            if name.rstrip("/") == path.rstrip("/"):
                if name == path and not is_folder:
                    raise NotADirectoryError(errno.ENOTDIR, "it is no folder")
                if not (is_folder and name == begin):
                    continue  # the marker of the folder, or itself
            below = name[len(begin) :] if name.startswith(begin) else name.rpartition("/")[2]
            below = below.rstrip("/") if is_folder else below
            kind = _kind(entry) if below and "/" not in below else "other"
            plain = below if "/" not in below else ""
            found.append(Listed(plain.encode("utf-8", "surrogateescape"), kind, _facts(entry)))
        return sorted(set(found))

    def facts(self, path: bytes) -> ObjectFacts:
        """What an object is now.

        Raises:
            FileNotFoundError: it is gone, or a folder.
            TimeoutError: that took more than FACTS_SECONDS.
            OSError: the store does not tell.
        """

        def ask() -> Any:
            self._fs.invalidate_cache()
            return self._fs.info(self._path(path))

        found = answered(ask, FACTS_SECONDS)
        if found["type"] != "file":
            # A folder marker, or a folder that has the name of an object that was there.
            raise FileNotFoundError(errno.ENOENT, "there is no such object")
        return _facts(found)

    def fetch(
        self, path: bytes, target: Path, *, most: int, silent_seconds: float, total_seconds: float,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        """Write an object to a file of this machine.

        A download that stands still can't be ended from here: it is left to its client's own limits, and its file
        must not be used again.

        Args:
            path: of the object.
            target: the file; what it holds is lost.
            most: bytes that it may have.
            silent_seconds: after which a download that does not go on has failed.
            total_seconds: for all of it.
            is_wanted: asked again and again; where it is not, the download is given up.

        Raises:
            TimeoutError: it took too long.
            OSError: it can't be read, has more than `most` bytes, or is not wanted any more.
        """
        asked = Asked(lambda: self._fs.get_file(self._path(path), str(target)))
        began = moved = time.monotonic()
        size = 0
        while not asked.done.wait(min(_TICK, silent_seconds)):
            if not is_wanted():
                raise OSError(None, "nobody waits for it any more")
            now, there = time.monotonic(), _size(target)
            if there > most:
                raise OSError(errno.EFBIG, f"it has more than {most:,} bytes")
            if there != size:
                size, moved = there, now
            if now - moved > silent_seconds:
                raise TimeoutError(errno.ETIMEDOUT, f"its store did not answer for {silent_seconds:g} seconds")
            if now - began > total_seconds:
                raise TimeoutError(errno.ETIMEDOUT, f"reading it took more than {total_seconds:g} seconds")
        asked.result()

    def read(self, path: bytes, seconds: float = ANSWER_SECONDS) -> bytes:
        """The bytes of a small object.

        Raises:
            FileNotFoundError: it is gone.
            TimeoutError: that took more than `seconds`.
            OSError: it can't be read.
        """
        return bytes(answered(lambda: self._fs.cat_file(self._path(path)), seconds))

    def begins(self, path: bytes, size: int) -> bytes:
        """The first bytes of an object, at most `size`; errors as of `read`."""
        return bytes(answered(lambda: self._fs.cat_file(self._path(path), start=0, end=size), FACTS_SECONDS))

    def write(self, path: bytes, data: bytes) -> None:
        """Put an object in place, whole; one of this name is replaced.

        Raises:
            OSError: it can't be written.
        """
        where = self._path(path)
        with as_os_errors():
            try:
                self._fs.pipe_file(where, data)
            except FileNotFoundError:  # a store with real folders
                self._fs.makedirs(where.rpartition("/")[0], exist_ok=True)
                self._fs.pipe_file(where, data)

    def remove(self, path: bytes) -> None:
        """Remove an object; nothing happens where there is none.

        Raises:
            OSError: it can't be removed.
        """
        with as_os_errors(), suppress(FileNotFoundError):
            self._fs.rm_file(self._path(path))

    def _path(self, path: bytes) -> str:
        name = path.decode("utf-8", "surrogateescape")
        return f"{self._root.rstrip('/')}/{name}" if name else self._root


_open: Final[dict[tuple[int, str], Objects]] = {}
_lock: Final = threading.Lock()


def objects(address: str | os.PathLike[str]) -> Objects:
    """The objects below an address, by one connection of this process; errors as of `Objects`."""
    key = os.getpid(), address_of(address)  # no connection outlives a fork
    with _lock:
        found = _open.get(key)
        if found is None:
            found = _open[key] = Objects(key[1])
        return found


def forget() -> None:
    """Forget the connections of this process, such as when settings of a service changed."""
    with _lock:
        _open.clear()


def _opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and its path in it."""
    scheme = address.partition("://")[0]
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ObjectsError(f"For {shown_address(address)} fsspec is needed, which is missing: {INSTALL}") from error
    settings: dict[str, Any] = {"use_listings_cache": False} if scheme in _KEEP_LISTINGS else {}
    try:
        with as_os_errors():
            fs, path = url_to_fs(address, skip_instance_cache=True, **settings)
    except OSError as error:
        cause = error.__cause__
        if isinstance(cause, ImportError):
            package = f"pip install {_PACKAGES[scheme]}" if scheme in _PACKAGES else INSTALL
            raise ObjectsError(f"For {shown_address(address)} a package is missing: {package}") from error
        if isinstance(cause, ValueError):
            raise ObjectsError(
                f"{shown_address(address)} names no store that is known here ({error.strerror}). Give a folder, or an "
                "address as s3://BUCKET/FOLDER."
            ) from error
        raise ObjectsError(
            f"{shown_address(address)} can't be reached: {error.strerror}. Check the address, and the settings of its "
            "service in the environment."
        ) from error
    return fs, str(path)


def _kind(entry: Mapping[str, Any]) -> Literal["file", "folder", "link", "other"]:
    if entry.get("islink") or entry["type"] == "link":
        return "link"
    kinds: dict[str, Literal["file", "folder"]] = {"file": "file", "directory": "folder"}
    return kinds.get(entry["type"], "other")


def _facts(entry: Mapping[str, Any]) -> ObjectFacts:
    mtime = next((entry[name] for name in _TIMES if entry.get(name) is not None), 0)
    version = next((str(entry[name]) for name in _VERSIONS if entry.get(name)), "")
    return ObjectFacts(int(entry.get("size") or 0), _nanoseconds(mtime), _number(version))


def _nanoseconds(time_: Any) -> int:
    """A time as stores tell it: with or without a zone, which then is UTC, as a text, or in seconds."""
    if isinstance(time_, str):
        try:
            time_ = datetime.fromisoformat(time_)
        except ValueError:
            return 0
    if isinstance(time_, datetime):
        zoned = time_ if time_.tzinfo is not None else time_.replace(tzinfo=UTC)
        return (zoned - _EPOCH) // timedelta(microseconds=1) * 1_000
    # A float has microseconds at best: listings and answers of one store differ in its last digits.
    return round(time_ * 1_000_000) * 1_000 if isinstance(time_, int | float) else 0


def _number(version: str) -> int:
    """63 bits of a version, never 0; listings and answers differ in quotes."""
    plain = version.removeprefix("W/").strip('"')
    return int.from_bytes(hashlib.sha256(plain.encode()).digest()[:8], "big") >> 1 or 1 if plain else 0


def _of(fs: Any, name: str) -> Any:
    return getattr(fs, name, None)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
