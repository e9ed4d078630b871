"""Opening files so that what was checked is what is read: no links below a root, and never a FIFO."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

# Without O_NONBLOCK, opening a FIFO that took the place of a file would wait for ever; on files it changes nothing.
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_FOLDER: Final = getattr(os, "O_DIRECTORY", 0)
# Windows opens no files relative to a folder; there the parts of the path are looked at before and after.
_IS_RELATIVE: Final = os.open in os.supports_dir_fd and bool(_NO_LINK) and bool(_FOLDER)


def open_below(root: Path, relative: bytes, *, follow_links: bool | Callable[[bytes], bool] = False) -> int:
    """Open a regular file below a root for reading; the caller closes the descriptor.

    Every folder on the way and the file itself are opened without following links, each relative to the one before:
    nothing that another program puts in their places meanwhile leads out of the root. The root itself may be a link.

    Args:
        root: the folder that was indexed.
        relative: the path below it, with `/`.
        follow_links: for roots that are walked with `follow_symlinks`: links are followed, wherever they lead. A
            function is asked for each folder on the way, by its path below the root with a slash at the end, `b""` for
            the root itself: whether links that lie in it are followed.

    Raises:
        OSError: there is no such file, it is or lies behind a link, it is no regular file, or it can't be read.
    """
    parts = relative.split(b"/")
    if not relative or any(part in (b"", b".", b"..") for part in parts) or b"\0" in relative:
        raise OSError(errno.EINVAL, "this is no path below the root")
    if follow_links is True:
        return _checked(os.open(os.fsencode(root) + b"/" + relative, _FLAGS))
    follows = follow_links if callable(follow_links) else _never
    if not _IS_RELATIVE:
        return _open_looking(root, parts, follows)
    folder = _open_folders(root, parts[:-1], follows)
    try:
        around = b"".join(part + b"/" for part in parts[:-1])
        return _checked(_open_in(folder, parts[-1], _FLAGS, follow=follows(around)))
    finally:
        os.close(folder)


def check_folder_below(root: Path, relative: bytes, *, follow_links: Callable[[bytes], bool]) -> None:
    """Check that a folder below a root is there, and behind no link that is not followed.

    Args:
        root: the folder that was indexed.
        relative: the path below it, with `/`; empty for the root itself.
        follow_links: as for `open_below`.

    Raises:
        OSError: it is not, and why.
    """
    parts = relative.split(b"/") if relative else []
    if any(part in (b"", b".", b"..") for part in parts) or b"\0" in relative:
        raise OSError(errno.EINVAL, "this is no path below the root")
    if _IS_RELATIVE:
        os.close(_open_folders(root, parts, follow_links))
    elif not stat.S_ISDIR(_looked(root, parts, follow_links)[1].st_mode):
        raise OSError(errno.ENOTDIR, "it is no folder")


def _open_folders(root: Path, parts: Sequence[bytes], follows: Callable[[bytes], bool]) -> int:
    """Open the folder of a path below a root, one folder after the other."""
    folder, passed = os.open(root, os.O_RDONLY | _FOLDER | os.O_CLOEXEC), b""
    for part in parts:
        try:
            inner = _open_in(folder, part, os.O_RDONLY | _FOLDER | os.O_CLOEXEC, follow=follows(passed))
        finally:
            os.close(folder)
        folder, passed = inner, passed + part + b"/"
    return folder


def _never(folder: bytes) -> bool:
    return False


def _open_in(folder: int, name: bytes, flags: int, *, follow: bool) -> int:
    if follow:
        return os.open(name, flags, dir_fd=folder)
    try:
        return os.open(name, flags | _NO_LINK, dir_fd=folder)
    except OSError as error:
        # Of a link: ELOOP, on some systems EMLINK or EFTYPE, and ENOTDIR where a folder is wanted.
        if error.errno != errno.ENOENT and _is_link(folder, name):
            raise OSError(errno.ELOOP, "it is a link, or lies behind one, and links are not followed here") from error
        raise


def _is_link(folder: int, name: bytes) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _checked(descriptor: int) -> int:
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_redirected(facts: os.stat_result) -> bool:
    """Whether Windows leads this path elsewhere: a junction is no link to `stat`."""
    tag: int | None = getattr(facts, "st_reparse_tag", None)
    return bool(tag)


def _open_looking(root: Path, parts: Sequence[bytes], follows: Callable[[bytes], bool]) -> int:
    """Open a file where none opens relative to a folder: look for links on the way, open, compare."""
    path, looked = _looked(root, parts, follows)
    descriptor = _checked(os.open(path, _FLAGS))
    opened = os.fstat(descriptor)
    if (opened.st_dev, opened.st_ino) != (looked.st_dev, looked.st_ino):
        os.close(descriptor)
        raise OSError(errno.ELOOP, "another file was put in its place")
    return descriptor


def _looked(
    root: Path, parts: Sequence[bytes], follows: Callable[[bytes], bool]
) -> tuple[Path, os.stat_result]:  # fmt: skip
    """Look for links on a path below a root; the path, and what lies there."""
    path, passed, looked = root, b"", root.stat()
    for part in parts:
        path = path / os.fsdecode(part)
        looked = path.stat(follow_symlinks=follows(passed))
        passed += part + b"/"
        if stat.S_ISLNK(looked.st_mode) or _is_redirected(looked):
            raise OSError(errno.ELOOP, "it is a link, or lies behind one, and links are not followed here")
    return path, looked
