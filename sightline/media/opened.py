"""Files of photos, opened to be given out: what was checked is what is read, by one descriptor.

A file is opened below its root, without following links unless the root is walked so. It must be a regular file of the
size that was indexed, and its bytes must have the hash that was indexed, before any of them is given out. All that
follows reads the same descriptor: what is put at the path meanwhile is never opened.

A hash that was found is remembered for the file's device, inode, size and times, so that a scan of 500 MB is not hashed
for each range that a browser asks for. No program can set the time of the last change (`ctime`) of a file, except by
the machine's clock. What remains: a program that has a file mapped into memory can change it without changing its times
at once, and some network drives tell times that are not true. Such a change is seen where the whole file is read, since
that is hashed on the way. On Windows there is no time that can't be set, so each time is hashed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self, TypeVar

from sightline.lru import Lru
from store.addresses import is_address
from store.descriptors import open_below
from store.library import Library
from store.paths import to_path
from store.tables.link_choices import follows_links
from store.tables.records import PlacedPhoto

CHUNK: Final = 1 << 18
_HASHED: Final = 1 << 20
# A file that changed within one tick of a drive's clock keeps its times: those of FAT are 2 seconds long.
_SETTLED_SECONDS: Final = 3.0
# A file whose times change while it is sent (it is renamed, its mode is set) is hashed again, so often at most.
_MOST_LOOKS: Final = 3
_HAS_CHANGE_TIME: Final = os.name != "nt"

_Identity = tuple[int, int, int, int, int]
_T = TypeVar("_T")

_hashes: Final = Lru[_Identity, bytes](4_096)


class SourceError(OSError):
    """A photo's file can't be given out; `strerror` says why."""


class OpenedPhoto:
    """The open file of a photo. Close it, or use it as a context manager.

    Attributes:
        place: the photo.
        hash: of its content.
        facts: the file's `fstat`.
    """

    def __init__(self, place: PlacedPhoto, content_hash: bytes, descriptor: int) -> None:
        """Take over an open descriptor.

        Raises:
            SourceError: the file has another size than the photo.
        """
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self.place = place
        self.hash = content_hash
        self.facts = os.fstat(descriptor)
        if self.facts.st_size != place.size:
            self.close()
            raise _changed()

    @property
    def name(self) -> bytes:
        """The file's name."""
        return self.place.path.rsplit(b"/", 1)[-1]

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode."""
        return self.facts.st_dev, self.facts.st_ino

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def check(self) -> None:
        """Check that the file's bytes have the hash that was indexed.

        Raises:
            SourceError: they have another, they change meanwhile, or they can't be read.
        """
        self.facts = self._stat()
        identity = _identity(self.facts)
        found = _hashes.get(identity) if _HAS_CHANGE_TIME else None
        if found is None:
            started = time.time()
            found = self._hash()
            if _identity(self._stat()) != identity:
                raise _changed("it changes while it is read")
            if started - self.facts.st_ctime > _SETTLED_SECONDS:
                _hashes.put(identity, found)
        if found != self.hash:
            raise _changed()

    def chunks(self, start: int = 0, stop: int | None = None, size: int = CHUNK) -> Iterator[bytes]:
        """Yield the bytes from `start` to before `stop`, or to the end, none of a file that changed meanwhile.

        Call `check` before a byte may go out. Who reads the whole file, and needs none of it before the end, need not:
        it is hashed on the way, and its last bytes come only where the hash is right.

        Raises:
            SourceError: the file changed, or can't be read.
        """
        stop = self.facts.st_size if stop is None else stop
        digest = hashlib.sha256() if (start, stop) == (0, self.facts.st_size) else None
        looks = 0
        if digest is not None and start == stop and digest.digest() != self.hash:
            raise _changed()
        while start < stop:
            chunk = self._read(start, min(size, stop - start))
            if _identity(os.fstat(self._file.fileno())) != _identity(self.facts) or not chunk:
                looks += 1
                if looks > _MOST_LOOKS:
                    raise _changed("it changes while it is read")
                self.check()
                continue  # read before the check, so perhaps while it was another
            start += len(chunk)
            if digest is not None:
                digest.update(chunk)
                if start == stop and digest.digest() != self.hash:
                    raise _changed()
            yield chunk

    def _stat(self) -> os.stat_result:
        facts = os.fstat(self._file.fileno())
        if facts.st_size < self.place.size:
            raise _changed("it became shorter while it was read")
        if facts.st_size > self.place.size:
            raise _changed("it became longer while it was read")
        return facts

    def _hash(self) -> bytes:
        digest, start = hashlib.sha256(), 0
        while start < self.place.size:
            chunk = self._read(start, min(_HASHED, self.place.size - start))
            if not chunk:
                raise _changed("it became shorter while it was read")
            digest.update(chunk)
            start += len(chunk)
        return digest.digest()

    def _read(self, start: int, size: int) -> bytes:
        try:
            self._file.seek(start)
            return self._file.read(size) or b""
        except OSError as error:
            raise SourceError(error.errno, error.strerror or str(error)) from error


def open_photo(library: Library, place: PlacedPhoto, content_hash: bytes) -> OpenedPhoto:
    """Open the file of a photo; `check` or read it whole before a byte goes out.

    Raises:
        SourceError: it is gone, a link or behind one where links are not followed, no regular file, of another size, or
            can't be read.
    """
    try:
        if is_address(os.fsdecode(place.root)):
            descriptor = _copy_of(place)
        else:
            descriptor = open_below(
                to_path(place.root), place.path, follow_links=follows_links(library.catalog, place.root)
            )
    except FileNotFoundError as error:
        raise SourceError(errno.ENOENT, "the file is not there any more") from error
    except OSError as error:
        raise SourceError(error.errno, error.strerror or str(error)) from error
    return OpenedPhoto(place, content_hash, descriptor)


def _copy_of(place: PlacedPhoto) -> int:
    """Open a copy of an object, with its times: its bytes are checked as any others."""
    from sightline.media.at_hand import copied  # who has folders alone needs none of it

    with copied(place.root, place.path) as file:
        return os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))


def first_usable(
    library: Library, content_id: int, content_hash: bytes, use: Callable[[OpenedPhoto], _T], first: int | None = None
) -> _T:
    """Open the photos of a content in turn; return what `use` makes of the first that it can use.

    Args:
        library: the library.
        content_id: of the content.
        content_hash: its hash.
        use: what is done with an open photo, which it closes. It raises SourceError where the photo can't be used.
        first: the id of the photo to begin with.

    Raises:
        SourceError: none can be used; it says why for the one that was tried first.
    """
    places = sorted(library.catalog.photos_of([content_id]), key=lambda place: place.photo_id != first)
    reason: SourceError | None = None
    for place in places:
        try:
            return use(open_photo(library, place, content_hash))
        except SourceError as error:
            reason = reason or error
    raise reason or SourceError(errno.ENOENT, "the file is not there any more")


def _identity(facts: os.stat_result) -> _Identity:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _changed(reason: str = "it changed since it was indexed") -> SourceError:
    return SourceError(errno.ESTALE, reason)
