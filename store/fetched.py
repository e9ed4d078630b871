"""Objects of a store as files of this machine, for as long as they are read.

They lie in a folder of this process, below the system's folder for temporary files (TMPDIR). What a killed process
left is removed by the next one: who lives holds a lock in its folder.
"""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from store.objects import ObjectFacts, objects

MOST_BYTES: Final = 16 * 2**30
"""Bytes of an object that is read: as of any file, see `sightline.images.whole_files`."""
SILENT_SECONDS: Final = 60.0
TOTAL_SECONDS: Final = 3600.0

KEPT_BYTES: Final = 2**30
KEPT_FILES: Final = 64
"""What is kept of objects that pages asked for, in bytes and files."""
KEPT_SECONDS: Final = 600.0
"""And for so long after it was last asked for."""

_PREFIX: Final = "sightline-objects-"
_LOCK: Final = "lock"

_lock: Final = threading.Lock()
_folders: Final[dict[int, Path]] = {}  # by process: a fork has its own
_held: Final[list[int]] = []  # descriptors of locks, which end with the process


@contextmanager
def fetched(
    address: str | os.PathLike[str], path: bytes, *, silent_seconds: float = SILENT_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
) -> Iterator[Path]:  # fmt: skip
    """An object as a file of this machine, which goes afterwards.

    Args:
        address: that the path is relative to.
        path: of the object.
        silent_seconds, total_seconds: see `Objects.fetch`.

    Raises:
        OSError: it can't be read, or there is no room for it.
    """
    folder = new_folder()
    try:
        file = folder / f"object{ending_of(path)}"
        objects(address).fetch(
            path, file, most=MOST_BYTES, silent_seconds=silent_seconds, total_seconds=total_seconds
        )  # fmt: skip
        yield file
    finally:
        remove(folder)


class Kept:
    """Objects that were fetched lately, as files of this machine.

    Who looks at a picture asks for it again and again. What an object is by now is asked each time, so one that is gone
    or was replaced is not given from here. Safe for use from several threads.
    """

    def __init__(self, most_bytes: int = KEPT_BYTES, most_files: int = KEPT_FILES) -> None:
        self._most_bytes = most_bytes
        self._most_files = most_files
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._entries: OrderedDict[tuple[str, bytes, ObjectFacts], _Entry] = OrderedDict()

    @contextmanager
    def hold(self, address: str, path: bytes, *, silent_seconds: float, total_seconds: float) -> Iterator[Path]:
        """An object as a file that stays as long as it is held; arguments and errors as of `fetched`."""
        facts = objects(address).facts(path)
        if facts.size > MOST_BYTES:
            raise OSError(errno.EFBIG, f"it has more than {MOST_BYTES:,} bytes")
        key = address, path, facts
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            entry.users += 1
        try:
            with entry.lock:
                if entry.folder is None or not entry.folder.is_dir():
                    entry.folder = folder = new_folder()
                    file = folder / f"object{ending_of(path)}"
                    try:
                        objects(address).fetch(
                            path, file, most=MOST_BYTES, silent_seconds=silent_seconds, total_seconds=total_seconds
                        )
                        os.utime(file, ns=(facts.mtime_ns, facts.mtime_ns))
                    except BaseException:
                        entry.folder = None
                        remove(folder)
                        raise
            yield entry.folder / f"object{ending_of(path)}"
        finally:
            with self._lock:
                entry.users -= 1
                entry.used = time.monotonic()
                self._trim()
                if self._entries and self._timer is None:
                    self._start(KEPT_SECONDS)

    def _start(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def _expire(self) -> None:
        """Remove what nobody looked at for a while."""
        old = time.monotonic() - KEPT_SECONDS
        with self._lock:
            self._timer = None
            for key, entry in list(self._entries.items()):
                if entry.users == 0 and entry.used <= old:
                    del self._entries[key]
                    if entry.folder is not None:
                        remove(entry.folder)
            if self._entries:
                self._start(KEPT_SECONDS)

    def _trim(self) -> None:
        size = sum(facts.size for _, _, facts in self._entries)
        for key, entry in list(self._entries.items()):
            if size <= self._most_bytes and len(self._entries) <= self._most_files and entry.folder is not None:
                continue
            if entry.users == 0:
                del self._entries[key]
                size -= key[2].size
                if entry.folder is not None:
                    remove(entry.folder)


@dataclass(slots=True)
class _Entry:
    folder: Path | None = None
    users: int = 0
    used: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


def ending_of(path: bytes) -> str:
    """The ending of a name, as a file of this machine may have it; empty where that is a strange one."""
    ending = os.path.splitext(path.rpartition(b"/")[2])[1].decode("ascii", "replace")  # noqa: PTH122 - bytes
    return ending if len(ending) < 12 and ending[1:].isalnum() and ending.isascii() else ""


def new_folder() -> Path:
    """Make an empty folder for files of this process alone. Who makes it removes it.

    Raises:
        OSError: there is no room, or no folder for temporary files.
    """
    with _lock:
        own = _folders.get(os.getpid())
        if own is None or not own.is_dir():
            own = _folders[os.getpid()] = _made()
    return Path(tempfile.mkdtemp(dir=own))


def remove(folder: Path) -> None:
    """Remove a folder that `new_folder` made."""
    shutil.rmtree(folder, ignore_errors=True)


def _made() -> Path:
    around = Path(tempfile.gettempdir())
    with suppress(OSError):
        _sweep(around)
    own = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=around))
    if os.name != "nt":
        import fcntl

        descriptor = os.open(own / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _held.append(descriptor)
    atexit.register(_end, os.getpid(), own)
    return own


def _end(process: int, own: Path) -> None:
    if os.getpid() == process:
        remove(own)


def _sweep(around: Path) -> None:
    """Remove the folders of processes that ended without doing so; only those of this user."""
    if os.name == "nt":
        return
    import fcntl

    for folder in around.glob(f"{_PREFIX}*"):
        facts = folder.lstat()
        if facts.st_uid != os.geteuid() or folder.is_symlink():
            continue
        try:
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue  # it is being made
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(folder)
        except OSError:
            pass  # its process lives
        finally:
            os.close(descriptor)
