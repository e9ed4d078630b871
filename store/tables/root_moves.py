"""A root that lies at another path now: all that is known of its files goes along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sqlalchemy import Engine, text

from store.paths import display
from store.tables.batch_writer import folder, signed
from store.tables.catalog import CHUNK, raise_generation


@dataclass(frozen=True, slots=True)
class SampleFile:
    """A photo that is looked for at the new place: its path below the root, and what it was."""

    path: bytes
    size: int
    hash: bytes


class KnownFile(NamedTuple):
    """A photo, or a file that failed: its id, path below the root, and what it was when it was read."""

    id: int
    path: bytes
    size: int
    mtime_ns: int
    sidecars: bytes | None


class Look(NamedTuple):
    """What a file is at the new place: st_dev, inode, ctime, sidecars; and the id of its row."""

    device: int
    inode: int | None
    ctime_ns: int
    sidecars: bytes | None
    id: int


def sample(engine: Engine, root_id: int, limit: int) -> list[SampleFile]:
    """At most `limit` present photos of a root, spread over all of them."""
    query = """SELECT path, size, hash FROM (
        SELECT photos.path, photos.size, hash, row_number() OVER (ORDER BY photos.path) - 1 AS number,
            count(*) OVER () AS total
        FROM photos JOIN contents ON contents.id = content_id WHERE root_id = ? AND missing_since IS NULL) AS present
        WHERE number % max(1, (total + ? - 1) / ?) = 0 ORDER BY number"""
    with engine.connect() as connection:
        return [SampleFile(*row) for row in connection.exec_driver_sql(query, (root_id, limit, limit))]


def files_of(engine: Engine, root_id: int, table: Literal["photos", "failures"]) -> Iterator[KnownFile]:
    """Yield every file of a root that is not missing; no transaction stays open meanwhile."""
    columns = "id, path, size, mtime_ns, sidecars" if table == "photos" else "id, path, size, mtime_ns, NULL"
    where = " AND missing_since IS NULL" if table == "photos" else ""
    query = f"SELECT {columns} FROM {table} WHERE root_id = ? AND id > ?{where} ORDER BY id LIMIT {CHUNK}"
    last = 0
    while True:
        with engine.connect() as connection:
            rows = connection.exec_driver_sql(query, (root_id, last)).all()
        if not rows:
            return
        yield from (KnownFile(*row) for row in rows)
        last = rows[-1][0]


def move_root(engine: Engine, root_id: int, path: bytes, photos: Sequence[Look], failures: Sequence[Look]) -> None:
    """Let a root be at another path, in one transaction.

    What only another disk can tell is let go of: devices, inodes, ctimes and the identity of the root. Of files that
    were looked at, those of the new place are kept; the next run fills in the others, and reads no file for that.

    Args:
        engine: of the library.
        root_id: the root.
        path: absolute; no other root is there.
        photos: what its files are now that are as they were when they were read.
        failures: likewise, of files that failed: they are not tried again.
    """
    with engine.execution_options(write=True).begin() as connection:
        old = connection.execute(text("SELECT display FROM roots WHERE id = :id"), {"id": root_id}).scalar_one()
        places = {"id": root_id, "old": folder(old, ""), "new": folder(display(path), "")}
        connection.execute(
            text("UPDATE photos SET folder = :new || substr(folder, length(:old) + 1), device = NULL, inode = NULL, "
                 "ctime_ns = NULL WHERE root_id = :id"),
            places,
        )  # fmt: skip
        connection.execute(
            text("UPDATE failures SET inode = NULL, ctime_ns = NULL WHERE root_id = :id"), {"id": root_id}
        )
        connection.execute(
            text("UPDATE roots SET path = :path, display = :display, identity = NULL WHERE id = :id"),
            {"id": root_id, "path": path, "display": display(path)},
        )
        if photos:
            query = "UPDATE photos SET device = ?, inode = ?, ctime_ns = ?, sidecars = ? WHERE id = ?"
            rows = [(signed(look.device), signed(look.inode), *look[2:]) for look in photos]
            connection.exec_driver_sql(query, rows)
        if failures:
            query = "UPDATE failures SET inode = ?, ctime_ns = ? WHERE id = ?"
            kept = [(signed(look.inode), look.ctime_ns, look.id) for look in failures]
            connection.exec_driver_sql(query, kept)
        raise_generation(connection)
