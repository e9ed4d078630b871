"""A library: one folder on disk that holds the database, the vector index and the thumbnails."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from types import TracebackType

from sqlalchemy.exc import DatabaseError

from store.addresses import local_folder
from store.disk_errors import disk_sentence
from store.errors import EmptyLibraryError, LibraryError
from store.files import open_private, sweep_temporaries, writable
from store.images.disk_usage import fanned_bytes, flat_bytes
from store.images.stored import note_thumbnails, pictures_of
from store.lock import FORMER, between_runs, is_alone, make_folder, unwritable_message
from store.place import Place
from store.remote import DATABASE, has_library, remote_of, shown, truth_file
from store.tables import checks, integrity
from store.tables.catalog import Catalog
from store.tables.concepts import Concepts
from store.tables.connection_guard import guard, is_busy
from store.tables.database import BUSY_TIMEOUT_MS, make_engine
from store.tables.marks import Marks
from store.tables.migrations import VERSION, check_version, migrate, version_of
from store.vectors.engine import VectorEngines
from store.vectors.local_engines import LocalEngines
from store.vectors.policy import DEFAULT, Policy
from store.vectors.tiles import TileEngines

# Caches that earlier versions wrote without a checksum.
_FORMER_CACHES = ("vectors/*.text.npy", "vectors/nulls-*.npy")


class Library:
    """An open library. Use as a context manager, or call `close`.

    Attributes:
        path: the folder.
        remote: the services beyond it that it uses.
        readonly: nothing in the library may be written.
        place: tells whether the folder is still where it was.
        catalog: facts in and out.
        marks: what a person decided: tags, favourites, saved searches.
        concepts: words that a person taught by pictures.
        vectors: a vector engine for each space, kept up to date with the catalog.
        tiles: the vectors of parts of pictures, of spaces that have them.
        thumbnails: small pictures by content hash.
        previews: pictures of the size of a screen, by content hash; those looked at lately.
        closing: what is to be closed with the library.
    """

    def __init__(self, path: Path, *, readonly: bool, policy: Policy = DEFAULT) -> None:
        self.path = path
        self.closing = ExitStack()
        self.remote = remote_of(path)
        where = shown(path)
        if self.remote.database is None:
            self.place = Place(truth_file(path))
            self._engine = make_engine(path / DATABASE, self.place, readonly=readonly)
        else:
            from store.tables import postgres, postgres_locks

            self.place = postgres_locks.HeldPlace(path, truth_file(path))
            self._engine = postgres.make_engine(self.remote.database, where, self.place)
            self._engine.update_execution_options(library=path)
            readonly = readonly or not postgres.may_write(self._engine, where)
        self.readonly = readonly
        self.catalog = Catalog(self._engine)
        self.marks = Marks(self._engine, where, readonly=readonly)
        self.concepts = Concepts(self._engine, where, readonly=readonly)
        is_older = partial(checks.has_unchecked_pictures, self._engine)
        check = self.place.check
        self.thumbnails, self.previews = pictures_of(path, self._engine, is_older, check)
        self.vectors = self._vector_engines(policy)
        self.tiles = TileEngines(path / "vectors", self.catalog, readonly=readonly, policy=policy)

    def _vector_engines(self, policy: Policy) -> VectorEngines:
        """The engines for the library's vectors: the one place that chooses."""
        if self.remote.vectors is None:
            return LocalEngines(self.path / "vectors", self.catalog, readonly=self.readonly, policy=policy)
        from store.qdrant.opening import open_engines

        engines = open_engines(self.path, self.remote, self.catalog, readonly=self.readonly)
        self.closing.callback(engines.close)
        return engines

    @classmethod
    def open(cls, path: Path, *, policy: Policy = DEFAULT) -> Library:
        """Open an existing library for reading, and for what a person decides; read-only where it must be.

        Args:
            path: the folder.
            policy: how vectors are searched; for tests.

        Raises:
            LibraryLockedError: it is older than this program, and an indexer is at work on it.
            LibraryError: there is none at `path`, it is not a library, is damaged, is newer than this program, is
                older and may not be written, or another program holds its database for too long.
        """
        if not has_library(path):
            raise LibraryError(
                f"There is no library in {path}. Index a folder first: python -m indexer ./photos --library {path}"
            )
        readonly = not (writable(path) and writable(truth_file(path)))
        return cls(path, readonly=readonly, policy=policy)._checked(migrating=False)

    @classmethod
    def create(cls, path: Path) -> Library:
        """Open the library at `path` for writing, made with its folder where missing. Call under `locked`.

        Raises:
            LibraryError: the folder can't be made or written, is not a library, is damaged, is newer, or another
                program holds its database for too long.
        """
        make_folder(path)
        if remote_of(path).database is not None:
            library = cls(path, readonly=False)._checked(migrating=True)
            if library.readonly:
                library.close()
                raise LibraryError(
                    f"The library {shown(path)} may only be read by this user, so nothing can be indexed into it. Name "
                    "a user who may write in the address, or the server that may be written."
                )
            note_thumbnails(path, library._engine)
            return library
        if (path / DATABASE).exists() and not writable(path / DATABASE):
            raise LibraryError(unwritable_message(path / DATABASE))
        try:
            # SQLite would make it by the umask. One that is there is not touched: closing it would end SQLite's locks.
            if not (path / DATABASE).exists():
                os.close(open_private(path / DATABASE, new=True))
        except OSError as error:
            raise LibraryError(disk_sentence(error) or unwritable_message(path / DATABASE)) from error
        return cls(path, readonly=False)._checked(migrating=True)

    def _checked(self, *, migrating: bool) -> Library:
        where = shown(self.path)
        try:
            with self._engine.connect() as connection:
                found = version_of(connection)
            check_version(found, where, readonly=self.readonly)
            if found == 0 and not migrating:
                raise EmptyLibraryError(
                    f"The library {where} is empty: it has no tables yet, or its first run was stopped at once. "
                    f"Index a folder: python -m indexer ./photos --library {where}"
                )
            if found < VERSION:
                with (
                    nullcontext() if migrating else between_runs(self.path),
                    self._engine.execution_options(write=True).connect() as connection,
                ):
                    migrate(connection, where)
        except DatabaseError as error:
            self.close()
            if self.remote.database is not None:
                raise LibraryError(
                    f"The database of the library {where} can't be read ({error.orig}). See that it is one that "
                    "Sightline made, or name another, empty one."
                ) from error
            if is_busy(error.orig):
                raise LibraryError(
                    f"An indexer or another program is at work on the library {where} and did not let go of it in "
                    f"{BUSY_TIMEOUT_MS / 1000:g} seconds ({error.orig}). Try again when it is done."
                ) from error
            raise LibraryError(
                f"The database {self.path / DATABASE} can't be read ({error.orig}). "
                "If it was damaged, restore a backup, or move it away and index again; your pictures are not affected."
            ) from error
        except LibraryError:
            self.close()
            raise
        guard(self._engine, where)
        return self

    def close(self) -> None:
        """Close every connection."""
        self.closing.close()
        self._engine.dispose()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def own_places(self) -> list[Path]:
        """Its folder, and where else its thumbnails are: no walk takes what lies there for pictures."""
        address = self.thumbnails.address
        return [self.path] if address is None else [self.path, local_folder(Path(address))]

    def sweep(self) -> int:
        """Remove what killed writers left behind; returns how many temporary files. Call under `locked`.

        Not while another indexer is at work on this machine, on other roots.
        """
        if not is_alone(self.path):
            return 0
        for name in (*FORMER, *_FORMER_CACHES):
            for path in self.path.glob(name):
                path.unlink(missing_ok=True)
        return sweep_temporaries(self.path)

    def forget_pictures(self, hashes: Iterable[bytes]) -> None:
        """Remove the thumbnails and previews of contents that the library does not hold any more."""
        for content_hash in hashes:
            self.thumbnails.remove(content_hash)
            self.previews.remove(content_hash)

    def disk_use(self) -> dict[str, int]:
        """Bytes of `database`, `vectors`, `thumbnails` and `previews` on the disk.

        The last two are added up where there are up to some 12,500 files of each, and estimated from as many where
        there are more: so it takes 0.1 seconds at most, with a million pictures too.
        """
        return {
            "database": self._database_bytes(),
            "vectors": flat_bytes(self.path / "vectors"),
            "thumbnails": fanned_bytes(self.thumbnails.folder),
            "previews": fanned_bytes(self.previews.folder),
        }

    def _database_bytes(self) -> int:
        if self.remote.database is None:
            return flat_bytes(self.path, DATABASE)  # with its journal
        with self._engine.connect() as connection:
            query = "SELECT pg_database_size(current_database())"
            return int(connection.exec_driver_sql(query).scalar_one())

    def integrity(self) -> list[str]:
        """What the database's own integrity check and foreign keys find wrong; empty when all is well."""
        with self._engine.connect() as connection:
            found = integrity.damages(connection)
            broken = integrity.orphans(connection)
        return found + [f"{orphan.table} row {orphan.value} refers to nothing" for orphan in broken]
