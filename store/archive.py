"""The file of a backup: a tar archive with fixed names in a fixed order, and a SHA-256 of each member.

`manifest.json`, `library.sqlite`, thumbnails by their hashes, and last `SHA256SUMS`, as `sha256sum -c` reads it: an
archive that was cut short has none. Nothing in it is compressed, so it unpacks to no more than its own size. Any tar
unpacks it; this reader takes nothing else than what this writer makes: no folders, links, or names of other kinds.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from store.errors import LibraryError
from store.paths import display

Progress = Callable[[str, int, int], object]
"""Called with what is done, and how many bytes of how many. What it raises ends the work."""

MANIFEST, DATABASE_MEMBER, SUMS = "manifest.json", "library.sqlite", "SHA256SUMS"
FORMAT: Final = "sightline-backup"
FORMAT_VERSION: Final = 1
# Far above what is written: a thumbnail has at most 512 x 512 pixels.
LARGEST_THUMBNAIL: Final = 16 * 2**20
_LARGEST_MANIFEST: Final = 2**20
_THUMBNAIL: Final = re.compile(r"thumbnails/([0-9a-f]{2})/(\1[0-9a-f]{62})\.jpg")
_BLOCK: Final = tarfile.BLOCKSIZE
_CHUNK: Final = 2**20
# Sums are kept in memory up to this size, else in a temporary file: a million thumbnails have 150 MB of them.
_SPOOLED: Final = 2**24


class BackupError(LibraryError):
    """A file is no backup, or is damaged, or of a newer version."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        layout: of the tables, see `store.tables.migrations`.
        made_at: ISO 8601, UTC.
        program: the version of Sightline that made it.
        library: the folder of the library, as displayed.
        thumbnails: whether it has thumbnails.
        counts: rows by kind: `pictures`, `photos`, `tags` and others.
        roots: the folders that were indexed, as displayed.
    """

    layout: int
    made_at: str
    program: str
    library: str
    thumbnails: bool
    counts: dict[str, int]
    roots: list[str] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """As JSON."""
        text = json.dumps({"format": FORMAT, "version": FORMAT_VERSION, **asdict(self)}, indent=1)
        return text.encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes, where: Path) -> Manifest:
        """Read JSON.

        Raises:
            BackupError: it is no manifest of a backup, or of a newer version.
        """
        try:
            read: Any = json.loads(data)
            if read.pop("format") != FORMAT:
                raise KeyError("format")
            version = int(read.pop("version"))
            if version > FORMAT_VERSION:
                raise BackupError(
                    f"The backup {where} has format version {version}; this program reads up to {FORMAT_VERSION}. "
                    "Update Sightline, and restore it then."
                )
            made = cls(
                int(read["layout"]), _text(read["made_at"]), _text(read["program"]), _text(read["library"]),
                bool(read["thumbnails"]), {_text(name): int(value) for name, value in read["counts"].items()},
                [_text(root) for root in read["roots"]],
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UnicodeDecodeError) as error:
            raise not_a_backup(where, "what it says of itself can't be read") from error
        return made


def _text(value: object) -> str:
    """Text that is safe to print, whoever wrote it."""
    return display(str(value).encode("utf-8", "surrogateescape"))


def not_a_backup(where: Path, why: str) -> BackupError:
    """Make the error for a file that this program did not write as it is."""
    return BackupError(
        f"{where} is no backup of a library, or is damaged: {why}. Nothing was restored. Choose a file that "
        "`python -m indexer backup` made, or copy it again from where it was kept."
    )


def thumbnail_member(content_hash: bytes) -> str:
    """The name of a thumbnail in the archive."""
    name = content_hash.hex()
    return f"thumbnails/{name[:2]}/{name}.jpg"


def hash_of_member(name: str) -> bytes | None:
    """The hash of the content whose thumbnail a member is; None where it is none."""
    found = _THUMBNAIL.fullmatch(name)
    return None if found is None else bytes.fromhex(found[2])


class ArchiveWriter:
    """Writes members one after another; `close` ends the archive, and without it there is no whole one."""

    def __init__(self, stream: BinaryIO, made: float) -> None:
        """`made`: seconds since 1970, the time of every member."""
        self._stream = stream
        self._made = int(made)
        self._sums = cast("BinaryIO", tempfile.SpooledTemporaryFile(_SPOOLED))  # noqa: SIM115 - closed by `close`

    def add(self, name: str, source: BinaryIO, size: int, done: Callable[[int], object] = lambda size: None) -> None:
        """Add `size` bytes of a stream; `done` is called with the size of each part that was written.

        Raises:
            LibraryError: the stream ends before.
            OSError: the disk is full.
        """
        digest = self._write(name, source, size, done)
        self._sums.write(_line(digest, name))

    def close(self) -> None:
        """Write the sums and the end of the archive.

        Raises:
            OSError: the disk is full.
        """
        with self._sums:
            size = self._sums.tell()
            self._sums.seek(0)
            self._write(SUMS, self._sums, size, lambda size: None)
        self._stream.write(bytes(2 * _BLOCK))

    def discard(self) -> None:
        """Let go of what is kept for `close`."""
        self._sums.close()

    def _write(self, name: str, source: BinaryIO, size: int, done: Callable[[int], object]) -> str:
        header = tarfile.TarInfo(name)
        header.size, header.mtime, header.mode = size, self._made, 0o600
        # Sizes above 8 GiB in base 256, as GNU tar writes them and every tar reads them.
        self._stream.write(header.tobuf(tarfile.GNU_FORMAT))
        digest, left = hashlib.sha256(), size
        while left:
            data = source.read(min(_CHUNK, left))
            if not data:
                raise LibraryError(f"{name} became shorter while it was written. Try again.")
            digest.update(data)
            self._stream.write(data)
            left -= len(data)
            done(len(data))
        self._stream.write(bytes(-size % _BLOCK))
        return digest.hexdigest()


def read_manifest(path: Path) -> Manifest:
    """Read what a backup says of itself, without a look at the rest.

    Raises:
        BackupError: it is no backup, or of a newer version.
        OSError: it can't be read.
    """
    with _open(path) as stream:
        name, size = _header(stream, path, "")
        data = stream.read(size) if name == MANIFEST else b""
    return Manifest.from_bytes(data, path)


def unpack(path: Path, open_member: Callable[[str], BinaryIO], progress: Progress) -> Manifest:
    """Read a whole backup, and write its members where they are to go.

    Only when this returns is it known to be sound.

    Args:
        path: of the backup.
        open_member: gives a stream for the database or a thumbnail, by the name in the archive; it is closed here.
        progress: called with bytes of the file.

    Raises:
        BackupError: it is no backup, is cut short or damaged, or of a newer version.
        OSError: it can't be read, or the disk is full.
    """
    sums = hashlib.sha256()
    total, last = path.stat().st_size, ""
    manifest: Manifest | None = None
    with _open(path) as stream:
        while True:
            name, size = _header(stream, path, last)
            if name == SUMS:
                break
            sink: BinaryIO = io.BytesIO() if name == MANIFEST else open_member(name)
            with sink:
                digest = _copy(stream, sink, size, path, lambda: progress("reading", stream.tell(), total))
                if isinstance(sink, io.BytesIO) and name == MANIFEST:
                    manifest = Manifest.from_bytes(sink.getvalue(), path)
            sums.update(_line(digest, name))
            last = name
        if _copy(stream, io.BytesIO(), size, path, lambda: None, keep=False) != sums.hexdigest():
            raise not_a_backup(path, "its parts are not those that its checksums were made of")
    if manifest is None or last == MANIFEST:
        raise not_a_backup(path, "it has no database")
    return manifest


def _copy(
    stream: BinaryIO, sink: BinaryIO, size: int, path: Path, done: Callable[[], object], *, keep: bool = True
) -> str:  # fmt: skip
    """Copy a member; returns its SHA-256."""
    digest, left = hashlib.sha256(), size
    while left:
        data = stream.read(min(_CHUNK, left))
        if not data:
            raise not_a_backup(path, "it ends early")
        digest.update(data)
        if keep:
            sink.write(data)
        left -= len(data)
        done()
    if stream.read(-size % _BLOCK).strip(b"\0"):
        raise not_a_backup(path, "there is something between its parts")
    return digest.hexdigest()


def _open(path: Path) -> BinaryIO:
    if not path.is_file():  # a FIFO would be waited for
        raise BackupError(f"There is no backup {path}." if not path.exists() else f"{path} is no file.")
    return path.open("rb")


def _header(stream: BinaryIO, path: Path, last: str) -> tuple[str, int]:
    """The name and size of the next member, which may follow `last`."""
    data = stream.read(_BLOCK)
    if not data.strip(b"\0"):
        raise not_a_backup(path, "it ends early")
    try:
        header = tarfile.TarInfo.frombuf(data, "ascii", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise not_a_backup(path, "a part of it can't be read") from error
    if header.type != tarfile.REGTYPE or not _may_follow(header.name, last):
        raise not_a_backup(path, "it holds what a backup does not hold")
    limit = {MANIFEST: _LARGEST_MANIFEST, DATABASE_MEMBER: None, SUMS: None}.get(header.name, LARGEST_THUMBNAIL)
    if header.size < 0 or (limit is not None and header.size > limit):
        raise not_a_backup(path, f"{header.name} in it has a size of {header.size:,} bytes")
    return header.name, header.size


def _may_follow(name: str, last: str) -> bool:
    """Whether members come in the order in which they are written, each once."""
    if not last:
        return name == MANIFEST
    if last == MANIFEST:
        return name == DATABASE_MEMBER
    if name == SUMS:
        return True
    return _THUMBNAIL.fullmatch(name) is not None and (last == DATABASE_MEMBER or last < name)


def _line(digest: str, name: str) -> bytes:
    return f"{digest}  {name}\n".encode()
