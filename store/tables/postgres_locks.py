"""Who works on a library on PostgreSQL: indexers of different roots at once, or one of all.

Each indexer has a row in `indexers`, with its roots and how far it is, and holds an advisory lock of the number of that
row for as long as its connection lives: so a row whose lock is free is that of one that was killed, on whatever
machine. Two conflict where a root of one is, or lies in, a root of the other, and whenever one needs the whole library.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from store.errors import LibraryError, LibraryLockedError
from store.indexer_words import WAIT, began
from store.place import Place
from store.remote import remote_of, shown
from store.tables.postgres import connect, is_quiet, wants

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.engine import Connection

GATE: Final = (0x51674C, 2)
"""The advisory lock of who looks at, and changes, who is at work."""
HELD: Final = 0x51674D
"""The class of advisory locks that indexers hold, each with the number of its row."""

_TABLE: Final = """CREATE TABLE IF NOT EXISTS indexers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, roots bytea[], host text NOT NULL, pid bigint NOT NULL,
    since text NOT NULL, progress text, run_id bigint)"""
_COLUMNS: Final = "roots, host, pid, since, progress"
_ENTER: Final = f"INSERT INTO indexers ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s) RETURNING id"
_ENTER_AGAIN: Final = (
    f"INSERT INTO indexers ({_COLUMNS}, id) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s) "
    "ON CONFLICT (id) DO NOTHING"
)
# Two numbers as a key: objsubid is 2. postgresql.org/docs/current/view-pg-locks.html
_ALIVE: Final = f"""EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = {HELD} AND objsubid = 2
    AND objid = indexers.id::oid AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"""
# So that a server notices in a minute and a half that a machine is gone; of no effect on sockets of its own machine.
_SETTINGS: Final = (
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6; "
    "SET lock_timeout = 10000"
)


@contextmanager
def _gate(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Be the only one that looks at, and changes, who is at work."""
    import psycopg

    connection.execute("SELECT pg_advisory_lock(%s, %s)", GATE)
    try:
        yield
    finally:
        with suppress(psycopg.Error):
            connection.execute("SELECT pg_advisory_unlock(%s, %s)", GATE)


@dataclass(frozen=True, slots=True)
class AtWork:
    """An indexer at work.

    Attributes:
        id: of its row.
        roots: absolute paths, or addresses, of what it indexes; None where it needs the whole library.
        host, pid: its machine and process.
        since: when it began: ISO 8601, UTC.
        progress: see `store.progress`; None until it has said how far it is.
    """

    id: int
    roots: tuple[bytes, ...] | None
    host: str
    pid: int
    since: str
    progress: dict[str, Any] | None

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine."""
        return self.host == socket.gethostname()

    def conflicts(self, roots: Collection[bytes] | None) -> bool:
        """Whether one that asks for these roots, None for the whole library, has to wait for it."""
        if self.roots is None or roots is None:
            return True
        return any(_inside(one, other) or _inside(other, one) for one in self.roots for other in roots)


def _inside(inner: bytes, outer: bytes) -> bool:
    return inner == outer or inner.startswith(outer.rstrip(b"/") + b"/")


class Holder:
    """What a process holds of a library. Its methods may be called from any thread."""

    def __init__(self, path: Path, roots: Collection[bytes] | None, since: str) -> None:
        """Hold it.

        Raises:
            LibraryLockedError: another one is at work on these roots.
            LibraryError: the server can't be reached, or this user may not write.
        """
        self._path, self._since, self._pid = path, since, os.getpid()
        self._turn = threading.RLock()
        self._progress: str | None = None
        self._roots = None if roots is None else sorted(set(roots))
        self._connection = self._connected()
        try:
            self.id = self._enter(None)
        except BaseException:
            self._connection.close()
            raise

    def _connected(self) -> psycopg.Connection[Any]:
        address = remote_of(self._path).database
        assert address is not None
        connection = connect(address, shown(self._path))
        connection.execute(_SETTINGS)
        return connection

    def _enter(self, known: int | None) -> int:
        """Be one of those at work, under the number that this one had before."""
        connection, where = self._connection, shown(self._path)
        with wants(where), _gate(connection):
            connection.execute(_TABLE)
            others = [each for each in _at_work(connection) if each.id != known]
            roots = self._roots
            if roots is not None:
                roots = sorted({_whole(root, _known_roots(connection)) for root in roots})
            for other in others:
                if other.conflicts(roots):
                    raise LibraryLockedError(_busy(where, other))
            if known is not None:  # the server may not have noticed yet that the former connection is gone
                connection.execute("SELECT pg_advisory_lock(%s, %s)", (HELD, known))
            connection.execute(f"DELETE FROM indexers WHERE NOT {_ALIVE}")
            values = (roots, socket.gethostname(), os.getpid(), self._since, self._progress)
            if known is None:
                row = connection.execute(_ENTER, values).fetchone()
                assert row is not None
                known = int(row[0])
                connection.execute("SELECT pg_advisory_lock(%s, %s)", (HELD, known))
            else:
                connection.execute(_ENTER_AGAIN, (*values, known))
        return known

    def check(self) -> None:
        """Make sure that it is held still; it is taken again where the server was restarted meanwhile.

        Raises:
            LibraryLockedError: another one took it.
            LibraryError: the server can't be reached.
        """
        with self._turn:
            if not is_quiet(self._connection):
                self._connection.close()
                self._connection = self._connected()
                try:
                    self._enter(self.id)
                except BaseException:
                    self._connection.close()
                    raise

    def say(self, progress: dict[str, Any] | None) -> None:
        """Keep how far it is, where others see it; not where the server can't be reached right now."""
        import psycopg

        with self._turn, suppress(psycopg.Error):
            self._progress = None if progress is None else json.dumps(progress)
            query = "UPDATE indexers SET progress = %s WHERE id = %s"
            self._connection.execute(query, (self._progress, self.id))

    def release(self) -> None:
        """Let go of it."""
        import psycopg

        if os.getpid() != self._pid:
            return  # a forked process must not let go of what its parent holds
        with self._turn:
            with suppress(psycopg.Error):
                self._connection.execute("DELETE FROM indexers WHERE id = %s", (self.id,))
            self._connection.close()


class HeldPlace(Place):
    """Where the folder of a library on PostgreSQL lies, and whether this process holds it still."""

    def __init__(self, path: Path, file: Path) -> None:
        """`file`: the file of the folder that says which database it is."""
        super().__init__(file)
        self._path = path
        self._address = remote_of(path).database

    def is_kept(self) -> bool:
        """Whether the folder is there and is of the same database."""
        if super().is_kept():
            return True
        with suppress(LibraryError):  # another address of vectors may have been written to it
            return remote_of(self._path).database == self._address
        return False

    def check(self) -> None:
        """Make sure of both.

        Raises:
            LibraryError: it is not so.
        """
        super().check()
        if (holder := held(self._path)) is not None:
            holder.check()


_held: dict[Path, list[Holder]] = {}


def held(path: Path) -> Holder | None:
    """What this process holds of the library in a folder; None where it holds nothing."""
    holders = _held.get(path.absolute())
    return holders[-1] if holders else None


@contextmanager
def holding(path: Path, roots: Collection[bytes] | None, since: str) -> Iterator[Holder]:
    """Hold roots of the library in a folder, or with None all of it.

    It goes with the process, however that ends.

    Raises:
        LibraryLockedError: another one is at work on these roots.
        LibraryError: the server can't be reached, or this user may not write.
    """
    holder = Holder(path, roots, since)
    holders = _held.setdefault(path.absolute(), [])
    holders.append(holder)
    try:
        yield holder
    finally:
        holders.remove(holder)
        holder.release()


def at_work(path: Path) -> list[AtWork]:
    """The indexers at work on the library in a folder, on whatever machine.

    Those that began last come last.

    Raises:
        LibraryError: the server can't be reached.
    """
    with _asking(path) as connection, wants(shown(path)):
        return _at_work(connection)


def start_run(connection: Connection, run_id: int) -> None:
    """Note which run an indexer is at, and close those that a kill left open.

    In the transaction that added the run.
    """
    holder = held(connection.get_execution_options()["library"])
    if connection.exec_driver_sql("SELECT to_regclass('indexers')").scalar() is None:
        alive = "SELECT 0::bigint"
    else:
        alive = f"SELECT run_id FROM indexers WHERE run_id IS NOT NULL AND {_ALIVE}"
        if holder is not None:
            connection.exec_driver_sql("UPDATE indexers SET run_id = ? WHERE id = ?", (run_id, holder.id))
    query = f"UPDATE runs SET state = 'killed' WHERE state = 'running' AND id <> ? AND id NOT IN ({alive})"
    connection.exec_driver_sql(query, (run_id,))


def _at_work(connection: psycopg.Connection[Any]) -> list[AtWork]:
    there = connection.execute("SELECT to_regclass('indexers')").fetchone()
    if there is None or there[0] is None:
        return []
    query = f"SELECT id, roots, host, pid, since, progress FROM indexers WHERE {_ALIVE} ORDER BY since, id"
    return [
        AtWork(id_, roots and tuple(roots), host, pid, since, json.loads(progress) if progress else None)
        for id_, roots, host, pid, since, progress in connection.execute(query)
    ]


def _known_roots(connection: psycopg.Connection[Any]) -> list[bytes]:
    there = connection.execute("SELECT to_regclass('roots')").fetchone()
    return [] if there is None or there[0] is None else [row[0] for row in connection.execute("SELECT path FROM roots")]


def _whole(folder: bytes, roots: Collection[bytes]) -> bytes:
    """The root that a folder is a part of, or itself."""
    return min((root for root in roots if _inside(folder, root)), key=len, default=folder)


def _busy(where: str, other: AtWork) -> str:

    on = "" if other.roots is None else " on " + ", ".join(os.fsdecode(root) for root in other.roots[:3])
    machine = "" if other.is_here else f" on {other.host}"
    return (
        f"Another indexer is at work{on} in the library {where} (process {other.pid}{machine}{began(other.since)}). "
        f"{WAIT}"
    )


_asked: dict[str, psycopg.Connection[Any]] = {}
_asking_turn: Final = threading.Lock()


@contextmanager
def _asking(path: Path) -> Iterator[psycopg.Connection[Any]]:
    """A connection of this process to ask by; pages ask every second."""
    address = remote_of(path).database
    assert address is not None
    with _asking_turn:
        known = _asked.get(address)
        if known is None or not is_quiet(known) or known.info.transaction_status != 0:
            if known is not None:
                known.close()
            known = _asked[address] = connect(address, shown(path))
        try:
            yield known
        except BaseException:
            known.close()
            raise


def _forget_connections() -> None:
    """A forked process must not use those of its parent, nor close them."""
    _asked.clear()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_connections)
