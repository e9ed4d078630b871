"""Thumbnails and previews in a store of objects: every machine that has the library finds them there.

What is read is kept in the library's folder on this machine, within limits. The files are the same as there, with the
same checksums, below `thumbnails/` and `previews/` of the store's folder.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from store.addresses import checked_address
from store.errors import SightlineError
from store.images.previews import Previews
from store.images.thumbnails import State, Thumbnails, name_of, no_older_version
from store.objects import Objects, objects
from store.remote import remote_of

log = logging.getLogger(__name__)

KEPT_BYTES: Final = 2_000_000_000
"""Thumbnails that are kept on this machine: some 50,000."""


AWAY_SECONDS: Final = 5.0
"""For so long a store that did not answer is not asked for pictures again."""


class StoredThumbnails(Thumbnails):
    """Thumbnails in a store of objects; where none is named, in `folder` alone as `Thumbnails`.

    Safe for use from several threads.
    """

    def __init__(
        self, folder: Path, where: Callable[[], str | None],
        is_older: Callable[[], bool] = no_older_version, check: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        """Nothing is asked of a store yet.

        Args:
            folder: of this machine.
            where: the address of the store, asked with the first picture; None: there is no store.
            is_older, check: see `Thumbnails`.
        """
        super().__init__(folder, "thumbnail", is_older, check)
        self._store = _Store(where, "thumbnails")
        self._kept = Previews(folder, KEPT_BYTES, is_older, check, "thumbnail")

    @property
    def address(self) -> str | None:
        """The store of objects that has them; None where there is none."""
        return self._store.address

    def has(self, content_hash: bytes) -> bool:
        """Whether there is a thumbnail of this content; True where the store does not say."""
        store = self._store.open()
        return super().has(content_hash) if store is None else self._store.has(store, content_hash)

    def hashes(self) -> Iterator[bytes]:
        """Hashes of contents that have a thumbnail, in order; one folder is listed at a time."""
        store = self._store.open()
        yield from super().hashes() if store is None else self._store.hashes(store)

    def write(self, content_hash: bytes, data: bytes) -> int:
        """Store a thumbnail, here and in the store; OSError, too, where the store fails."""
        store = self._store.open()
        if store is None:
            return super().write(content_hash, data)
        file = self.sealed(content_hash, data)
        store.write(self._store.key(content_hash), file)
        self._keep(content_hash, data)
        return len(file)

    def read(self, content_hash: bytes) -> bytes | None:
        """The thumbnail, a JPEG; None where there is none, it is damaged, or the store does not answer."""
        if self._store.open() is None:
            return super().read(content_hash)
        data = self._kept.read(content_hash)
        if data is None:
            state, data = self.look_at(content_hash) or ("wrong", b"")
            if state == "wrong":
                return None
            self._keep(content_hash, data)
        return data

    def look_at(self, content_hash: bytes) -> tuple[State, bytes] | None:
        """What the file in the store is, and its JPEG; None where there is none, or no answer."""
        store = self._store.open()
        if store is None:
            return super().look_at(content_hash)
        data = self._store.read(store, content_hash)
        return None if data is None else self.state(content_hash, data)

    def remove(self, content_hash: bytes) -> None:
        """Forget a thumbnail, here and in the store; errors as of `write`."""
        store = self._store.open()
        if store is not None:
            store.remove(self._store.key(content_hash))
        super().remove(content_hash)

    def _keep(self, content_hash: bytes, data: bytes) -> None:
        # A cache: a library whose folder can't be written is read without it.
        with suppress(OSError, SightlineError):
            self._kept.write(content_hash, data)


class StoredPreviews(Previews):
    """Previews in a store of objects, beside those of this machine, which are limited as ever.

    Nothing limits what lies in the store: let its own rules remove what is old below `previews/`.
    """

    def __init__(
        self, folder: Path, where: Callable[[], str | None],
        is_older: Callable[[], bool] = no_older_version, check: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        """See `StoredThumbnails`."""
        super().__init__(folder, is_older=is_older, check=check)
        self._store = _Store(where, "previews")

    def read(self, content_hash: bytes) -> bytes | None:
        """The preview, a JPEG; None where there is none, it is damaged, or the store does not answer."""
        found = super().read(content_hash)
        store = self._store.open() if found is None else None
        data = None if store is None else self._store.read(store, content_hash)
        if data is None:
            return found
        state, picture = self._files.state(content_hash, data)
        if state == "wrong":
            return None
        with suppress(OSError, SightlineError):
            super().write(content_hash, picture)
        return picture

    def write(self, content_hash: bytes, data: bytes) -> None:
        """Store a preview, here and in the store; errors as of `Previews`, and OSError where the store fails."""
        super().write(content_hash, data)
        store = self._store.open()
        if store is not None:
            store.write(self._store.key(content_hash), self._files.sealed(content_hash, data))

    def remove(self, content_hash: bytes) -> None:
        """Forget a preview, here and in the store."""
        super().remove(content_hash)
        store = self._store.open()
        if store is not None:
            store.remove(self._store.key(content_hash))


class _Store:
    """The part of a store of objects that holds pictures of one kind."""

    def __init__(self, where: Callable[[], str | None], kind: str) -> None:
        self._where = where
        self._kind = kind
        self._address: str | None = None
        self._is_known = False
        self._away_until = 0.0

    @property
    def address(self) -> str | None:
        if not self._is_known:
            self._address = self._where()
            self._is_known = True
        return self._address

    def open(self) -> Objects | None:
        address = self.address
        return None if address is None else objects(address)

    def key(self, content_hash: bytes) -> bytes:
        name = content_hash.hex()
        return f"{self._kind}/{name[:2]}/{name}.jpg".encode()

    def has(self, store: Objects, content_hash: bytes) -> bool:
        try:
            store.facts(self.key(content_hash))
        except FileNotFoundError:
            return False
        except OSError:
            pass
        return True

    def hashes(self, store: Objects) -> Iterator[bytes]:
        for number in range(256):
            with suppress(OSError):
                listed = store.listed(f"{self._kind}/{number:02x}".encode())
                yield from (found for each in listed if (found := name_of(each.name.decode("latin-1"))) is not None)

    def read(self, store: Objects, content_hash: bytes) -> bytes | None:
        if time.monotonic() < self._away_until:
            return None
        try:
            return store.read(self.key(content_hash))
        except FileNotFoundError:
            return None
        except OSError as error:
            # A page asks for dozens at once: not each is to wait for a store that does not answer.
            self._away_until = time.monotonic() + AWAY_SECONDS
            log.warning("a picture in %s can't be read: %s", store.shown, error.strerror or error)
            return None


def pictures_of(
    path: Path, engine: Engine, is_older: Callable[[], bool], check: Callable[[], object]
) -> tuple[Thumbnails, Previews]:
    """The thumbnails and previews of the library in a folder, wherever it keeps them.

    Args:
        path: the library's folder.
        engine: of its database, which is asked where they are, with the first picture, unless the folder says.
        is_older, check: see `Thumbnails`.
    """
    remote, folder, other = remote_of(path), path / "thumbnails", path / "previews"
    if remote.thumbnails is None and remote.database is None:
        return Thumbnails(folder, is_older=is_older, check=check), Previews(other, is_older=is_older, check=check)

    def where() -> str | None:
        return remote.thumbnails or _noted(engine)

    return StoredThumbnails(folder, where, is_older, check), StoredPreviews(other, where, is_older, check)


def note_thumbnails(path: Path, engine: Engine) -> None:
    """Keep in the database of a library where its thumbnails are, for other machines.

    Call it with the lock held. Only where its folder names a place, and the database is not in this folder.
    """
    remote = remote_of(path)
    if remote.thumbnails is None or remote.database is None or _noted(engine) == remote.thumbnails:
        return
    with engine.execution_options(write=True).connect() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE library SET thumbnails = ?", (checked_address(remote.thumbnails),))


def _noted(engine: Engine) -> str | None:
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT thumbnails FROM library").first()
    return None if found is None or found[0] is None else str(found[0])
