"""Folders that files are exported to: nothing is replaced there, and nothing is made outside.

Files are made relative to an open folder, so that what another program puts on the way meanwhile leads nowhere else. On
Windows, which has no such calls, folders are looked at before each use.

A file is written under a passing name, and gets its own by the first of these that the file system can: a hard link, a
rename that replaces nothing, or a second copy into a file that this program made. Files have mode 0600 and folders
0700, whatever the umask: who may see exported photos is the user's to say.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from store.files import TEMPORARY

# What file systems without hard links say when asked for one: FAT, exFAT, some network drives.
_NO_LINKS: Final = {
    errno.EPERM,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EINVAL,
    errno.EACCES,
}
# What is said where a rename that replaces nothing is not known.
_NO_RENAME: Final = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_READ: Final = (
    os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
)
# O_PATH: a folder that may be written but not listed can be used too.
_FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_IS_RELATIVE: Final = os.open in os.supports_dir_fd and bool(_NO_LINK) and hasattr(os, "O_DIRECTORY")
# Of `os.link`: a link is linked itself, and not what it leads to.
_NOT_FOLLOWED: Final = {"follow_symlinks": False} if os.link in os.supports_follow_symlinks else {}
_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
_COPIED: Final = 1 << 20


class TargetFolder:
    """An open folder, with plain names in it. Its `path` is for people, and for Windows."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self._descriptor = descriptor

    def look(self, name: str) -> os.stat_result | None:
        """What has this name, itself and not what a link leads to; None where nothing has it."""
        try:
            return os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def leads_to(self, name: str) -> os.stat_result | None:
        """What a link of this name leads to; None where that is nothing."""
        try:
            return os.stat(self._at(name), dir_fd=self._descriptor)
        except OSError:
            return None

    def open(self, name: str) -> int:
        """Open a file for reading, and no link; the caller closes the descriptor."""
        return os.open(self._at(name), _READ, dir_fd=self._descriptor)

    def write(self, name: str, parts: Iterable[bytes], times: tuple[int, int]) -> None:
        """Write a new file.

        Args:
            name: that nothing has.
            parts: its content, in order.
            times: of the last access and the last change, in nanoseconds.

        Raises:
            FileExistsError: something has the name by now.
            OSError: it can't be written, or `parts` raised it. No part of it stays.
        """
        with self._passing_name() as passing:
            descriptor = self._new(passing)
            try:
                for part in parts:
                    _write(descriptor, part)
                self._set_times(passing, descriptor, times)
                self._publish(passing, name, descriptor)
            finally:
                os.close(descriptor)

    def link(self, source: Path, name: str, identity: tuple[int, int]) -> None:
        """Give a file a second name here: a hard link.

        Args:
            source: the file's path, without links.
            name: the new name, that nothing has.
            identity: device and inode of the file that is meant.

        Raises:
            FileExistsError: something has the name by now.
            OSError: another file is at `source` by now, or it can't be linked from here.
        """
        with self._passing_name() as passing:
            os.link(source, self._at(passing), dst_dir_fd=self._descriptor, **_NOT_FOLLOWED)
            made = self.look(passing)
            if made is None or (made.st_dev, made.st_ino) != identity:
                raise OSError(errno.ESTALE, "another file was put in its place")
            self._publish(passing, name, None)

    def link_to(self, source: Path, name: str) -> None:
        """Make a symbolic link.

        Raises:
            FileExistsError: something has the name by now.
            OSError: it can't be made.
        """
        os.symlink(source, self._at(name), dir_fd=self._descriptor)

    def _at(self, name: str) -> str | Path:
        return name if self._descriptor is not None else self.path / name

    def _new(self, name: str) -> int:
        descriptor = os.open(self._at(name), _NEW, _FILE_MODE, dir_fd=self._descriptor)
        if hasattr(os, "fchmod") and stat.S_IMODE(os.fstat(descriptor).st_mode) != _FILE_MODE:
            with suppress(OSError):  # a file system without modes
                os.fchmod(descriptor, _FILE_MODE)
        return descriptor

    @contextmanager
    def _passing_name(self) -> Iterator[str]:
        name = f"{TEMPORARY}{secrets.token_hex(8)}"
        try:
            yield name
        finally:
            with suppress(FileNotFoundError):
                os.unlink(self._at(name), dir_fd=self._descriptor)

    def _set_times(self, name: str, descriptor: int, times: tuple[int, int]) -> None:
        if os.utime in os.supports_fd:
            os.utime(descriptor, ns=times)
        else:
            os.utime(self._at(name), ns=times)

    def _publish(self, passing: str, name: str, descriptor: int | None) -> None:
        """Give a finished file its name, unless something has it: a plain rename would replace that.

        `descriptor`: of the file, where a second copy of it will do.
        """
        try:
            os.link(
                self._at(passing), self._at(name), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor,
                **_NOT_FOLLOWED,
            )  # fmt: skip
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if not self._rename(passing, name):
                if descriptor is None:
                    raise
                self._copy(descriptor, name)

    def _rename(self, passing: str, name: str) -> bool:
        """Rename without replacing; False where the system has no such call."""
        if sys.platform == "win32":
            os.rename(self._at(passing), self._at(name))  # noqa: PTH104 - replaces nothing there
            return True
        call = _renaming()
        if call is None or self._descriptor is None:
            return False
        function, flag = call
        given = os.fsencode(passing), os.fsencode(name)
        if function(self._descriptor, given[0], self._descriptor, given[1], flag) == 0:
            return True
        number = ctypes.get_errno()
        if number not in _NO_RENAME:
            raise OSError(number, os.strerror(number))
        return False

    def _copy(self, descriptor: int, name: str) -> None:
        """Copy a finished file into a new one under its name, which takes it away again if that fails."""
        target = self._new(name)
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            while part := os.read(descriptor, _COPIED):
                _write(target, part)
            facts = os.fstat(descriptor)
            self._set_times(name, target, (facts.st_atime_ns, facts.st_mtime_ns))
        except BaseException:
            mine, now = os.fstat(target), self.look(name)
            if now is not None and (now.st_dev, now.st_ino) == (mine.st_dev, mine.st_ino):
                os.unlink(self._at(name), dir_fd=self._descriptor)
            raise
        finally:
            os.close(target)


def make_folder(path: Path) -> None:
    """Make a folder and those around it, where they are not there yet, for this user alone.

    Raises:
        OSError: it can't be made, or something else has its name.
    """
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent)
    try:
        path.mkdir(_FOLDER_MODE)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        _set_folder_mode(path, None)


@contextmanager
def folder_in(base: Path, parts: Sequence[str]) -> Iterator[TargetFolder]:
    """Open a folder below `base`, which is there; those on the way are made.

    Raises:
        OSError: it can't be made, or a link on the way leads out of `base`.
    """
    if not _IS_RELATIVE:
        _make_looking(base, parts)
        yield TargetFolder(base.joinpath(*parts), None)
        return
    descriptor = os.open(base, _FOLDER)
    try:
        made = base
        for part in parts:
            made /= part
            with suppress(FileExistsError):
                os.mkdir(part, _FOLDER_MODE, dir_fd=descriptor)
                _set_folder_mode(part, descriptor)
            try:
                inner = os.open(part, _FOLDER | _NO_LINK, dir_fd=descriptor)
            except OSError:
                if not made.is_symlink():
                    raise
                inner = _open_inside(base, made)
            os.close(descriptor)
            descriptor = inner
        yield TargetFolder(made, descriptor)
    finally:
        os.close(descriptor)


def _open_inside(base: Path, link: Path) -> int:
    """Open what a link leads to, by its own path below `base`."""
    descriptor = os.open(base, _FOLDER)
    try:
        for part in _inside(base, link):
            inner = os.open(part, _FOLDER | _NO_LINK, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _make_looking(base: Path, parts: Sequence[str]) -> None:
    made = base
    for part in parts:
        made /= part
        made.mkdir(exist_ok=True)
        _inside(base, made)


def _inside(base: Path, made: Path) -> tuple[str, ...]:
    real, inside = made.resolve(), base.resolve()
    if not real.is_relative_to(inside):
        raise OSError(errno.EPERM, f"{made.name} is a link that leads out of the folder")
    return real.relative_to(inside).parts


def _set_folder_mode(folder: Path | str, around: int | None) -> None:
    """Give a folder that was just made its mode, where the umask took some of it away."""
    if os.stat(folder, dir_fd=around, follow_symlinks=False).st_mode & _FOLDER_MODE != _FOLDER_MODE:
        with suppress(OSError, NotImplementedError):  # a file system without modes
            os.chmod(folder, _FOLDER_MODE, dir_fd=around)


def _write(descriptor: int, part: bytes) -> None:
    view = memoryview(part)
    while view:
        view = view[os.write(descriptor, view) :]


def _renaming() -> tuple[ctypes._NamedFuncPointer, int] | None:
    """The call of the C library that renames without replacing, and its flag; None where it has none."""
    # renameat2(2) with RENAME_NOREPLACE, renameatx_np(2) with RENAME_EXCL.
    name, flag = ("renameatx_np", 4) if sys.platform == "darwin" else ("renameat2", 1)
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return function, flag
