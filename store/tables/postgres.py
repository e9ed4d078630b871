"""PostgreSQL through SQLAlchemy and psycopg: one engine per library, with the transactions it needs.

Statements are written for SQLite, with `?` or `:name` for values; here they get the marks of the driver.

A transaction that writes waits for its turn first: one at a time in a database, as with SQLite. So ids are committed in
the order in which they are given, and who follows a table by its highest id misses no row. It reads at READ COMMITTED:
each statement sees what was committed before it began, all of its predecessors' work. Any other transaction sees one
state of the database from its first statement to its last, as with SQLite, and may not write.
"""

from __future__ import annotations

import math
import re
import select
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

from store.errors import LibraryError, LibraryLockedError
from store.place import Place
from store.tables.postgres_errors import explained, missing_driver, no_address, refused
from store.time_limit import TimeLimitError, check, is_limited, remaining

if TYPE_CHECKING:
    import psycopg

PATIENCE_MS: Final = 60_000
"""How long a transaction waits for its turn to write, milliseconds."""
OLDEST: Final = 14
"""The oldest PostgreSQL that is used: earlier ones get no fixes any more."""

WRITERS: Final = (0x51674C, 1)
"""The advisory lock of the transaction that writes: class and number; each database has its own."""

# What the address does not say. A server that is gone without a word is noticed in a minute and a half.
_DEFAULTS: Final = {
    "application_name": "sightline", "connect_timeout": "10", "keepalives_idle": "30", "keepalives_interval": "10",
    "keepalives_count": "6", "client_encoding": "utf8",
}  # fmt: skip
_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_TURN: Final = (
    f"; SET LOCAL lock_timeout = {PATIENCE_MS}; SELECT pg_advisory_xact_lock({WRITERS[0]}, {WRITERS[1]}); "
    "SET LOCAL lock_timeout = 0"
)
_BARE: Final = {"no_parameters": True, "stream_results": False}  # so that several statements go as one message
# Strings and names in quotes, comments, marks for values, and percent signs.
_TOKENS: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|\?|(?<!:):[a-z_]\w*|%", re.IGNORECASE)


@lru_cache(maxsize=4096)
def translated(statement: str, named: bool) -> str:
    """A statement with the marks of psycopg, `%s` or `%(name)s`, in place of SQLite's, `?` or `:name`."""

    def mark(found: re.Match[str]) -> str:
        token = found[0]
        if token == "?":
            return "%s"
        if token[0] == ":":
            return f"%({token[1:]})s" if named else token
        return token.replace("%", "%%")

    return _TOKENS.sub(mark, statement)


def connect(address: str, where: str, **options: Any) -> psycopg.Connection[Any]:
    """Connect to the database at an address.

    Each statement is a transaction of its own unless one is begun.

    Args:
        address: postgresql://user@host/name.
        where: how messages name the library.
        **options: of psycopg, in place of those of the address.

    Raises:
        LibraryError: psycopg is missing, the address is wrong, or the server refuses or can't be reached.
    """
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        raise missing_driver(where) from error
    try:
        given: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(address), **options}
    except psycopg.Error:
        raise no_address(where) from None
    try:
        connection = psycopg.connect(**given, autocommit=True)
    except psycopg.Error as error:
        raise refused(error, where, given.get("password")) from None  # its own text may have the password
    from store.tables.postgres_values import adapt

    adapt(connection)
    return connection


def is_quiet(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server has said nothing while a connection was not used: it says good-bye, or hangs up."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


@contextmanager
def wants(where: str) -> Iterator[None]:
    """Turn errors of the driver into those that a user sees; `where` names the library.

    Raises:
        LibraryError: there was one.
    """
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        lost = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
        raise explained(error, where, lost=lost) or LibraryError(
            f"The database of the library {where} does not do what is asked ({error}). See that it is one that "
            "Sightline made, or name another, empty one."
        ) from error


def make_engine(address: str, where: str, place: Place | None = None) -> Engine:
    """An engine on the database at an address.

    With a `place`, it connects and writes only while that is kept. Connections may be used from any thread. A
    transaction writes where the connection has the execution option `write`. A server that was restarted is met again
    by the next transaction.

    Raises:
        LibraryError: psycopg is missing.
    """

    def new() -> psycopg.Connection[Any]:
        if place is not None:
            place.check()
        return connect(address, where)

    try:
        engine = create_engine(
            "postgresql+psycopg://", creator=new, poolclass=QueuePool, pool_size=8, max_overflow=24,
            use_native_hstore=False,
        )  # fmt: skip
    except ImportError as error:
        raise missing_driver(where) from error

    @event.listens_for(engine, "checkout")
    def _is_there(dbapi: Any, _record: Any, _proxy: Any) -> None:
        if not is_quiet(dbapi):
            raise DisconnectionError  # another connection takes its place

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        if write and place is not None:
            place.check()
        check()
        limit = f"; SET LOCAL statement_timeout = {max(1, math.ceil(remaining() * 1000))}" if is_limited() else ""
        connection.exec_driver_sql(f"{_WRITE}{limit}{_TURN}" if write else f"{_READ}{limit}", execution_options=_BARE)

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def _translate(
        _connection: Connection, _cursor: Any, statement: str, parameters: Any, context: Any, _many: bool
    ) -> tuple[str, Any]:
        if context is None or context.compiled is not None:
            return statement, parameters
        return translated(statement, isinstance(parameters, dict)), parameters

    @event.listens_for(engine, "handle_error")
    def _explain(context: ExceptionContext) -> None:
        error = context.original_exception
        state = getattr(error, "sqlstate", None)
        if state == "57014" and is_limited():  # query_canceled
            check()
            raise TimeLimitError(remaining()) from error
        if state == "55P03":  # lock_not_available
            raise LibraryLockedError(
                f"Another program writes to the library {where} and did not let go of it in {PATIENCE_MS / 1000:g} "
                "seconds. Nothing was changed. Try again; if it stays so, look for an indexer that was stopped."
            ) from error
        if (said := explained(error, where, lost=context.is_disconnect)) is not None:
            raise said from error

    return engine


def may_write(engine: Engine, where: str) -> bool:
    """Whether the user of an engine may write to its database.

    Raises:
        LibraryError: the server is too old, or the database has another encoding than UTF-8.
    """
    query = """SELECT current_setting('server_version_num')::int, current_setting('server_version'),
        current_setting('server_encoding'), NOT pg_is_in_recovery() AND CASE WHEN to_regclass('library') IS NULL
        THEN has_schema_privilege(current_schema(), 'CREATE') ELSE has_table_privilege('library', 'UPDATE') END"""
    with engine.connect() as connection:
        number, version, encoding, may = connection.exec_driver_sql(query).one()
    if number < OLDEST * 10_000:
        raise LibraryError(
            f"The server of the library {where} is PostgreSQL {version}; Sightline needs {OLDEST} or newer. Update the "
            "server, or name another one."
        )
    if encoding != "UTF8":
        raise LibraryError(
            f"The database of the library {where} has the encoding {encoding}, which can't hold every name. Make one "
            "with UTF-8, and name that: createdb --encoding=UTF8 --template=template0 NAME"
        )
    return bool(may)
