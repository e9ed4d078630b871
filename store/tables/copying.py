"""A copy of a library's database while others write, and checks of one that comes from elsewhere."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from store.errors import LibraryError, LibraryLockedError
from store.files import open_private
from store.tables.changes import sqlite_triggers
from store.tables.database import BUSY_TIMEOUT_MS, connect_readonly
from store.tables.migration_steps import STEPS
from store.tables.migrations import check_version

# Copied at once, 4 MiB in pages of 16 KiB, and seconds between: others use the disk meanwhile.
_PAGES: Final = 256
_PAUSE: Final = 0.002
# Without WAL a copy begins anew whenever somebody commits.
_MOST_RESTARTS: Final = 10

_COUNTED: Final = {
    "pictures": "SELECT count(*) FROM contents WHERE photo_count > 0",
    "photos": "SELECT count(*) FROM photos",
    "failures": "SELECT count(*) FROM failures",
    "spaces": "SELECT count(*) FROM spaces",
    "vectors": "SELECT count(*) FROM vectors",
    "tiles": "SELECT coalesce(sum(tiles), 0) FROM tiles",
    "tags": "SELECT count(*) FROM tags",
    "favourites": "SELECT count(*) FROM favourites",
    "saved_searches": "SELECT count(*) FROM saved_searches",
    "set_aside": "SELECT count(*) FROM set_asides",
    "concepts": "SELECT count(*) FROM concepts",
}


def database_size(path: Path) -> int:
    """Bytes of a database and its journal."""
    journal = path.with_name(path.name + "-wal")
    return path.stat().st_size + (journal.stat().st_size if journal.exists() else 0)


def copy_database(source: Path, target: Path, progress: Callable[[int, int], object]) -> None:
    """Copy a database as it is at one moment, while others read and write it; nobody waits for the copy.

    One read transaction is held for the whole of it: commits that come meanwhile are not in the copy, and do not make
    it begin anew. Where the disk has no WAL, that would keep writers waiting; there the copy begins anew with each
    commit, and gives up in the end.

    Args:
        source: the database.
        target: a new file for its owner alone; the copy has no journal beside it.
        progress: called with bytes that were copied, and their total.

    Raises:
        LibraryLockedError: without WAL, a writer commits all the time.
        LibraryError: this user may not read it as it is now.
        sqlite3.Error: the source is damaged, or the disk is full.
    """
    os.close(open_private(target, new=True))
    with closing(connect_readonly(source)) as old, closing(sqlite3.connect(target, isolation_level=None)) as new:
        old.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        new.execute("PRAGMA synchronous = OFF")  # nothing has its name yet; it is synced when it has
        size = int(old.execute("PRAGMA page_size").fetchone()[0])
        is_steady = old.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        least, restarts = 0, 0

        def step(_status: int, remaining: int, total: int) -> None:
            nonlocal least, restarts
            done = total - remaining
            restarts += done < least
            least = done
            if restarts > _MOST_RESTARTS:
                raise LibraryLockedError(
                    f"The database {source} is written all the time, and its disk can't keep a steady view of it "
                    f"(no WAL): the copy began anew {_MOST_RESTARTS} times. Back up when the run is done."
                )
            progress(done * size, total * size)
            time.sleep(_PAUSE)  # `sleep` of the method is for a busy source alone

        if is_steady:
            old.execute("BEGIN")
            old.execute("SELECT count(*) FROM sqlite_master").fetchone()
        old.backup(new, pages=_PAGES, progress=step, sleep=0.05)
    with closing(sqlite3.connect(target, isolation_level=None)) as new:
        _as_one_file(new)


def _as_one_file(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = DELETE").fetchone()


def close_journal(path: Path) -> None:
    """Make one file of a database and its journal.

    Raises:
        sqlite3.OperationalError: another program has it open (SQLITE_BUSY).
        sqlite3.DatabaseError: it is damaged.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA busy_timeout = 1000")
        _as_one_file(connection)


def look_at(path: Path, where: str) -> tuple[int, dict[str, int], list[str]]:
    """Check a copy of a library's database, and count what is in it.

    Args:
        path: the copy; nobody else uses it.
        where: what it is, for messages.

    Returns:
        Its layout, rows by kind, and its roots as displayed.

    Raises:
        LibraryError: it is damaged, no library, or of a newer layout.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        try:
            layout = int(connection.execute("PRAGMA user_version").fetchone()[0])
            check_version(layout, where)
            if layout == 0:
                raise LibraryError(f"{where} is empty: nothing was indexed into it yet.")
            wrong = _foreign_schema(connection, layout)
            wrong += [row[0] for row in connection.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
            broken = connection.execute("PRAGMA foreign_key_check").fetchmany(5)
            wrong += [f"{row[0]} row {row[1]} refers to nothing" for row in broken]
            if wrong:
                raise LibraryError(f"{where} is damaged: {'; '.join(str(line) for line in wrong[:5])}.")
            there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
            counts = {
                name: int(connection.execute(query).fetchone()[0])
                for name, query in _COUNTED.items()
                if query.split()[3] in there
            }
            roots = [str(row[0]) for row in connection.execute("SELECT display FROM roots ORDER BY id")]
        except sqlite3.DatabaseError as error:
            raise LibraryError(f"{where} is damaged ({error}).") from error
    return layout, counts, roots


def _foreign_schema(connection: sqlite3.Connection, layout: int) -> list[str]:
    """Name triggers and views that no library of this layout has: they would act when the library is used."""
    ours = {" ".join(statement.split()) for step in STEPS[:layout] for statement in step} | set(sqlite_triggers())
    query = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')"
    return [
        f"the {kind} {name} is no part of a library"
        for kind, name, sql in connection.execute(query)
        if " ".join(str(sql).split()) not in ours
    ]


def close_runs(path: Path) -> None:
    """Note that no run is at work on a database that was just put in its place."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET state = 'killed' WHERE state = 'running'")
