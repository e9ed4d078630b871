"""Libraries of tests on either database: "sqlite", or "postgres"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import postgres


@contextmanager
def placed(folder: Path, database: str) -> Iterator[Path]:
    """The folder of a library that is not there yet, and the end of its database."""
    if database == "sqlite":
        yield folder
        return
    from store.remote import remote_of

    postgres.on_postgres(folder)
    address = remote_of(folder).database
    assert address is not None
    try:
        yield folder
    finally:
        postgres.drop(address)
