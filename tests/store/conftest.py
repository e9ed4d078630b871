"""Every test of a library runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import postgres
import pytest

from store.remote import remote_of


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that has a library twice, unless it is marked `sqlite`: it looks into the file."""
    if "database" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("sqlite")
        metafunc.parametrize("database", ["sqlite"] if only else ["sqlite", "postgres"])


@pytest.fixture
def library(tmp_path: Path, database: str) -> Iterator[Path]:
    """Where a test's library goes."""
    folder = tmp_path / "library"
    if database == "postgres":
        postgres.on_postgres(folder, with_tables=False)
    yield folder
    if database == "postgres":
        address = remote_of(folder).database
        assert address is not None
        postgres.drop(address)
