"""Files that can be made again, each with a checksum: what is damaged, or another's, is never used.

A file ends in a line with a checksum of what it holds and of what it is for. So a file that took the place of another
is found too. Nothing else of a file is looked at before: no size in it is believed, and nothing in it is unpickled.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from store.files import make_private, replace_file

log = logging.getLogger(__name__)

_DIGITS: Final = 32
SEAL_BYTES: Final = 1 + _DIGITS
"""What a checksum adds to a file."""

# A FIFO in the place of a file must not stop who reads it. Windows reads text unless it is told otherwise.
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def sealed(data: bytes, about: bytes) -> bytes:
    """Data with its checksum; `about` says what it is for.

    The first 128 bits of SHA-256, in hexadecimal: 20 microseconds for 35 kB.
    """
    return data + b"\n" + _digest(data, about)


def unsealed(data: bytes, about: bytes) -> bytes | None:
    """What `sealed` was given; None where this is something else, or it was for something else."""
    body = data[:-SEAL_BYTES]
    return body if len(data) >= SEAL_BYTES and data[-SEAL_BYTES:] == b"\n" + _digest(body, about) else None


def _digest(data: bytes, about: bytes) -> bytes:
    digest = hashlib.sha256(len(about).to_bytes(8, "little") + about)
    digest.update(data)
    return digest.hexdigest()[:_DIGITS].encode()


def read_file(path: Path, most: int) -> bytes | None:
    """All of a regular file of at most `most` bytes; None for anything else, or where it can't be read."""
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > most:
                return None
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(most)
        finally:
            os.close(descriptor)
    except OSError:
        return None


def read_checked(path: Path, about: bytes, most: int) -> bytes | None:
    """What `write_checked` wrote; None where there is no such file, or it is not what was written.

    Args:
        path: of the file.
        about: as it was given then.
        most: bytes that it can have; a larger file is not read.
    """
    data = read_file(path, most + SEAL_BYTES)
    found = None if data is None else unsealed(data, about)
    if found is None and is_there(path):
        say_damaged(path)
    return found


def write_checked(path: Path, data: bytes, about: bytes, *, parents: bool = False) -> None:
    """Write data with its checksum; does nothing where that fails, as whoever made it can make it again.

    With `parents` all folders around it are made where they are missing: not those around a library, which was moved
    then.
    """
    with suppress(OSError):
        make_private(path.parent, parents=parents)
        replace_file(path, lambda temporary: temporary.write_bytes(sealed(data, about)), durable=False)


def is_there(path: Path) -> bool:
    """Whether there is anything at a path, as far as can be seen."""
    try:
        return path.exists()
    except OSError:
        return False


def say_damaged(path: Path) -> None:
    """Log that a file is not used."""
    log.warning("%s is damaged, another's, or of another version; it is not used, and made again", path)
