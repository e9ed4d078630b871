"""What the indexer writes. Each call is one transaction: a kill leaves all of it or none."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Engine, delete, func, insert, select, text, update
from sqlalchemy.engine import Connection

from store.paths import display, paths_from_json, paths_to_json
from store.tables import moves, space_rows
from store.tables.batch_writer import Failed, File, Indexed, folder, last_content, place, recount, write
from store.tables.catalog import CHUNK, raise_generation
from store.tables.dialect import is_postgres
from store.tables.edits import Outcome
from store.tables.losses import forget
from store.tables.records import now
from store.tables.schema import Failure, LibraryRow, Photo, Root, Run
from store.tables.space_identity import SpaceIdentity
from store.walk_options import WalkOptions

log = logging.getLogger(__name__)

LONGEST_PATH: Final = 2_300
"""Bytes of a path below its root on PostgreSQL, also as displayed: a row of its indexes takes 2,704 in all.

postgresql.org/docs/current/btree.html
"""

__all__ = ["Failed", "File", "Indexed", "SpaceIdentity", "Writer"]


class Writer:
    """Writes of the one indexer; hold `store.lock.locked` meanwhile."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(write=True)
        self._before = 0  # the content that was the newest when the run began

    # -- roots, spaces, runs ------------------------------------------------------------------------------------

    def add_root(self, path: bytes, options: WalkOptions | None = None) -> int:
        """The id of the root at this absolute path, added if it is new; it keeps the options, if given.

        Known roots inside it become part of it: their photos keep their contents under longer paths.
        """
        kept = {} if options is None else {"options": json.dumps(options.to_dict())}
        with self._engine.begin() as connection:
            found = connection.execute(select(Root.id).where(Root.path == path)).scalar_one_or_none()
            if found is not None:
                if kept:
                    connection.execute(update(Root.table).where(Root.id == found).values(**kept))
                return found
            root_id = connection.execute(
                insert(Root.table)
                .values(path=path, display=display(path), added_at=now(), settled_photo_id=0, **kept)
                .returning(Root.id)
            ).scalar_one()
            prefix = path.rstrip(b"/") + b"/"
            for inner_id, inner_path in connection.execute(select(Root.id, Root.path)).all():
                if inner_id != root_id and inner_path.startswith(prefix):  # "/" begins with itself
                    _absorb(connection, root_id, inner_id, path, inner_path)
            return int(root_id)

    def forget_root(self, root_id: int) -> list[bytes]:
        """Remove a root from the library, its photos, and the contents that only they held.

        Returns:
            The hashes of the contents that went; their thumbnails are the caller's to remove.
        """
        with self._engine.begin() as connection:
            ids = connection.execute(select(Photo.id).where(Photo.root_id == root_id)).scalars().all()
            hashes = forget(connection, list(ids))
            connection.execute(delete(Root.table).where(Root.id == root_id))
            raise_generation(connection)
        return hashes

    def add_space(self, identity: SpaceIdentity) -> int:
        """The id of a space, found by what its model holds, or added; see `store.tables.space_rows`.

        The library's first one is what searches use from the start.
        """
        with self._engine.begin() as connection:
            found, moved = space_rows.add(connection, identity)
            first = LibraryRow.default_space_id.is_(None)
            connection.execute(update(LibraryRow.table).where(first).values(default_space_id=found))
            if moved:
                raise_generation(connection)
            return found

    def make_default(self, space_id: int) -> None:
        """Let searches use this space from now on: when it is complete, not while it is being filled."""
        with self._engine.begin() as connection:
            connection.execute(update(LibraryRow.table).values(default_space_id=space_id))
            raise_generation(connection)

    def start_run(self, space_id: int | None) -> int:
        """Note that a run began, of one space or of all; runs that a kill left open are closed as `killed`."""
        with self._engine.begin() as connection:
            if not is_postgres(connection):
                connection.execute(update(Run.table).where(Run.state == "running").values(state="killed"))
            self._before = last_content(connection)
            new = insert(Run.table).values(started_at=now(), state="running", space_id=space_id).returning(Run.id)
            run_id = int(connection.execute(new).scalar_one())
            if is_postgres(connection):  # others may be at work
                from store.tables import postgres_locks

                postgres_locks.start_run(connection, run_id)
            return run_id

    def finish_run(self, run_id: int, state: str, summary: Mapping[str, Any]) -> None:
        """Note how a run ended, `done`, `interrupted` or `failed`, and which content ids it added."""
        with self._engine.begin() as connection:
            text = json.dumps({**summary, "contents": (self._before, last_content(connection))})
            connection.execute(
                update(Run.table).where(Run.id == run_id).values(finished_at=now(), state=state, summary=text)
            )

    # -- pictures -----------------------------------------------------------------------------------------------

    def commit(self, indexed: Sequence[Indexed], failed: Sequence[Failed]) -> Outcome:
        """Write one batch: contents, vectors, photos and failures together, and a new generation.

        Returns:
            What became of the marks of pictures whose file holds other bytes now.
        """
        if not indexed and not failed:
            return Outcome()
        with self._engine.begin() as connection:
            if is_postgres(connection):
                indexed, failed = _short(indexed), _short(failed)
            outcome = write(connection, indexed, failed)
            raise_generation(connection)
        return outcome

    def mark_missing(self, photo_ids: Sequence[int]) -> int:
        """Take photos out of the results; returns how many.

        Their contents and vectors stay for when they come back.
        """
        stamp = now()
        with self._engine.begin() as connection:
            touched: set[int] = set()
            for chunk in _chunks(photo_ids):
                where = Photo.id.in_(chunk)
                touched.update(connection.execute(select(Photo.content_id).where(where)).scalars())
                connection.execute(update(Photo.table).where(where).values(missing_since=stamp))
            recount(connection, touched)
            if photo_ids:
                raise_generation(connection)
        return len(photo_ids)

    def settle_moves(self, root_ids: Sequence[int]) -> dict[int, bool]:
        """Forget missing photos whose content was found under a path new since the last full walk.

        Asked of the tables, not of the run's memory: the run that saw the new path may have been killed.

        Returns:
            The ids of the missing photos whose place was taken, each by one new photo; whether that is the very file.
        """
        with self._engine.begin() as connection:
            return moves.settle(connection, root_ids)

    def drop_failures(self, failure_ids: Sequence[int]) -> None:
        """Forget failures of files that are gone or were since excluded."""
        with self._engine.begin() as connection:
            for chunk in _chunks(failure_ids):
                connection.execute(delete(Failure.table).where(Failure.id.in_(chunk)))

    def keep_looks(self, looks: Sequence[tuple[Any, ...]]) -> None:
        """Keep the inode and ctime of files that have not changed: each with the id of its photo."""
        if looks:
            with self._engine.begin() as connection:
                query = "UPDATE photos SET inode = ?, ctime_ns = ? WHERE id = ?"
                connection.exec_driver_sql(query, list(looks))

    def finish_root(self, root_id: int, drives: Sequence[bytes]) -> None:
        """Note that the whole of a root was walked to its end, and what moved in it was settled.

        `drives` are the folders in it that lie on other devices, by path.
        """
        newest = select(func.coalesce(func.max(Photo.id), 0)).scalar_subquery()
        with self._engine.begin() as connection:
            connection.execute(
                update(Root.table)
                .where(Root.id == root_id)
                .values(last_walked_at=now(), settled_photo_id=newest, drives=paths_to_json(drives))
            )

    def keep_identity(self, root_id: int, identity: str) -> None:
        """Keep what tells a root from another in its place, see `indexer.identity`."""
        with self._engine.begin() as connection:
            connection.execute(update(Root.table).where(Root.id == root_id).values(identity=identity))

    def prune(self, photo_ids: Sequence[int]) -> list[bytes]:
        """Forget these photos, and every content that no photo holds any more; see `store.tables.losses`.

        Returns:
            The hashes of the contents that went; their thumbnails are the caller's to remove.
        """
        with self._engine.begin() as connection:
            hashes = forget(connection, list(photo_ids))
            if photo_ids or hashes:
                raise_generation(connection)
        return hashes


_Item = TypeVar("_Item", Indexed, Failed)


def _short(items: Sequence[_Item]) -> list[_Item]:
    """Those whose path PostgreSQL can index; the others are named in the log."""
    kept = []
    for item in items:
        size = max(len(item.file.path), len(display(item.file.path).encode()))
        if size <= LONGEST_PATH:
            kept.append(item)
        else:
            log.warning(
                "%s... is left out: its path has %d bytes, and a library on PostgreSQL takes up to %d. Shorten it.",
                display(item.file.path[:100]), size, LONGEST_PATH,
            )  # fmt: skip
    return kept


def _chunks(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]


def _absorb(connection: Connection, outer_id: int, inner_id: int, outer: bytes, inner: bytes) -> None:
    prefix = inner[len(outer.rstrip(b"/")) + 1 :] + b"/"
    places = {"old": folder(display(inner), ""), "new": place(display(outer), display(prefix))[0]}
    connection.execute(
        text("UPDATE photos SET folder = :new || substr(folder, length(:old) + 1) WHERE root_id = :inner"),
        {"inner": inner_id, **places},
    )
    for table in ("photos", "failures"):
        # `||` makes text of two blobs; the cast makes bytes of it again.
        connection.execute(
            text(f"UPDATE {table} SET root_id = :outer, path = CAST(:prefix || path AS BLOB), "
                 "display = :shown || display WHERE root_id = :inner"),
            {"outer": outer_id, "inner": inner_id, "prefix": prefix, "shown": display(prefix)},
        )  # fmt: skip
    # The greatest: what any root had settled must not count as new and take the place of a missing copy. A move that
    # only a killed run of another root saw may leave its old place missing; nothing is lost by that.
    settled = select(Root.settled_photo_id).where(Root.id == inner_id).scalar_subquery()
    greatest = func.max(Root.settled_photo_id, settled)
    connection.execute(update(Root.table).where(Root.id == outer_id).values(settled_photo_id=greatest))
    held, taken = (
        paths_from_json(connection.execute(select(Root.drives).where(Root.id == id_)).scalar_one())
        for id_ in (outer_id, inner_id)
    )
    drives = paths_to_json([*held, *(prefix + drive for drive in taken)])
    connection.execute(update(Root.table).where(Root.id == outer_id).values(drives=drives))
    connection.execute(delete(Root.table).where(Root.id == inner_id))
    raise_generation(connection)
