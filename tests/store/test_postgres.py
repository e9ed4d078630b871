"""PostgreSQL under a library: its statements, its transactions, and what is said when something is amiss."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import library_tables
import numpy as np
import postgres
import psycopg
import pytest
from sqlalchemy import Engine

from store.errors import LibraryError, LibraryLockedError
from store.library import Library
from store.lock import locked
from store.remote import Remote, remote_of, write
from store.tables import dialect, postgres_tables
from store.tables import postgres as under_test
from store.tables.migration_steps import STEPS
from store.tables.migrations import VERSION
from store.tables.postgres import make_engine, translated
from store.tables.writer import LONGEST_PATH, Failed, File, Indexed, Writer
from store.time_limit import TimeLimitError, time_limit

SECRET = "s3cret-word"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with postgres.database(with_tables=True) as made:
        yield made


@pytest.fixture
def engine(address: str) -> Iterator[Engine]:
    made = make_engine(address, "the library")
    yield made
    made.dispose()


@pytest.mark.parametrize(
    ("statement", "named", "wanted"),
    [
        ("SELECT ?, '?', \"a?\" -- ?\n, ?", False, "SELECT %s, '?', \"a?\" -- ?\n, %s"),
        ("a LIKE '%x''?%' AND b % ? = 1", False, "a LIKE '%%x''?%%' AND b %% %s = 1"),
        ("x = :space AND y::bigint = :a_1 AND ':no'", True, "x = %(space)s AND y::bigint = %(a_1)s AND ':no'"),
        ("x[1:2] = ? AND now()::text", False, "x[1:2] = %s AND now()::text"),
    ],
)
def test_marks_of_values_become_those_of_the_driver(statement: str, named: bool, wanted: str) -> None:
    assert translated(statement, named) == wanted


def test_functions_of_sqlite_are_there(engine: Engine) -> None:
    cases: tuple[tuple[str, tuple[Any, ...], list[Any]], ...] = (
        ("SELECT value FROM json_each(?)", ("[3, -1, 9007199254740993]",), [3, -1, 9007199254740993]),
        ("SELECT value FROM json_each(?)", ("[]",), []),
        ("SELECT atom FROM json_each(?)", ('["a", "\\u00e4 \'\\"?%", "\\u0000"]',), ["a", "ä '\"?%", "\ufffd"]),
        ("SELECT instr(?, ?)", ("abc", "c"), [3]),
        ("SELECT max(1, ?)", (2,), [2]),
        ("SELECT min(1, ?)", (None,), [None]),
        ("SELECT CAST(? || ? AS BLOB)", (b"a\x00", b"b"), [b"a\x00b"]),
        ("SELECT sum(n) FROM (VALUES (1::bigint), (2)) AS v (n)", (), [3]),
        ("SELECT 'a' < 'B' COLLATE \"C\"", (), [False]),
    )
    with engine.connect() as connection:
        for query, values, wanted in cases:
            found = list(connection.exec_driver_sql(query, values).scalars())
            assert found == wanted, query
            assert [type(each) for each in found] == [type(each) for each in wanted], query


def test_a_text_with_nul_is_kept_and_found(engine: Engine) -> None:
    with engine.execution_options(write=True).begin() as connection:
        connection.exec_driver_sql("INSERT INTO tags (name, key) VALUES (?, ?)", ("a\0b", "a\0b"))
        found = connection.exec_driver_sql("SELECT name FROM tags WHERE key = ?", ("a\0b",)).scalar_one()
    assert found == "a\ufffdb"


def test_writers_take_turns_and_give_ids_in_the_order_of_their_commits(engine: Engine) -> None:
    seen: list[int] = []
    begun = threading.Event()

    def second() -> None:
        begun.set()
        with engine.execution_options(write=True).begin() as connection:
            seen.append(connection.exec_driver_sql(_ADD_TAG, ("second", "second")).scalar_one())

    with engine.execution_options(write=True).begin() as connection:
        other = threading.Thread(target=second)
        other.start()
        begun.wait()
        time.sleep(0.2)
        first = connection.exec_driver_sql(_ADD_TAG, ("first", "first")).scalar_one()
        assert seen == []
    other.join(20)
    assert seen == [first + 1]


_ADD_TAG = "INSERT INTO tags (name, key) VALUES (?, ?) RETURNING id"


def test_a_reader_sees_one_state_and_may_not_write(engine: Engine) -> None:
    with engine.connect() as reader:
        before = reader.exec_driver_sql("SELECT generation FROM library").scalar_one()
        with engine.execution_options(write=True).begin() as writer:
            writer.exec_driver_sql("UPDATE library SET generation = generation + 1")
        assert reader.exec_driver_sql("SELECT generation FROM library").scalar_one() == before
    with engine.connect() as reader:
        assert reader.exec_driver_sql("SELECT generation FROM library").scalar_one() == before + 1
        with pytest.raises(LibraryError, match="may only be read"):
            reader.exec_driver_sql("UPDATE library SET generation = 0")


def test_ids_given_by_hand_are_counted_on_from_and_never_come_back(engine: Engine) -> None:
    add = "INSERT INTO contents (id, hash, size, photo_count, width, height, format, orientation) "
    with engine.execution_options(write=True).begin() as connection:
        first = dialect.last_id(connection, "contents")
        connection.exec_driver_sql(f"{add} VALUES (?, ?, 1, 0, 1, 1, 'PNG', 1)", (first + 7, b"a" * 32))
        dialect.count_on(connection, "contents", first + 7)
        assert dialect.last_id(connection, "contents") == first + 7
        dialect.count_on(connection, "contents", 1)
        connection.exec_driver_sql("DELETE FROM contents")
        assert dialect.last_id(connection, "contents") == first + 7


def test_a_time_limit_ends_a_statement(engine: Engine) -> None:
    with pytest.raises(TimeLimitError), time_limit(0.3), engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(20)")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT current_setting('statement_timeout')").scalar_one() == "0"


def test_a_writer_that_waits_too_long_for_its_turn_says_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "_TURN", under_test._TURN.replace(str(under_test.PATIENCE_MS), "200"))
    writing = engine.execution_options(write=True)
    with writing.begin(), pytest.raises(LibraryLockedError, match="did not let go"), writing.begin():
        pass


def test_a_restarted_server_is_met_by_the_next_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    postgres.run(f"SELECT pg_terminate_backend({process}, 5000)")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() != process
        process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        postgres.run(f"SELECT pg_terminate_backend({process}, 5000)")
        with pytest.raises(LibraryError, match="connection to the PostgreSQL server"):
            connection.exec_driver_sql("SELECT 1")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def _said(address: str) -> str:
    made = make_engine(address, "NAME")
    with pytest.raises(LibraryError) as raised:
        made.connect()
    made.dispose()
    for text in (str(raised.value), repr(raised.value), repr(raised.value.__cause__)):
        assert SECRET not in text
    return str(raised.value)


def test_what_is_wrong_with_a_server_is_said_without_the_password(address: str) -> None:
    data = Path(postgres.server().pgdata)
    postgres.run(f"CREATE ROLE strict LOGIN PASSWORD '{SECRET}'")
    rules = (data / "pg_hba.conf").read_text()
    (data / "pg_hba.conf").write_text(f"local all strict scram-sha-256\n{rules}")
    postgres.run("SELECT pg_reload_conf()")
    try:
        strict = address.replace("postgres@", "strict:wrong@")
        assert "file ~/.pgpass" in _said(strict)
        assert "file ~/.pgpass" in _said(strict.replace(":wrong", ""))
        right = strict.replace("wrong", quote(SECRET))
        with psycopg.connect(right) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert "createdb" in _said(right.replace("/test_", "/none_"))
    finally:
        (data / "pg_hba.conf").write_text(rules)
        postgres.run("SELECT pg_reload_conf()")
        postgres.run("DROP ROLE strict")
    assert "can't be reached" in _said(f"postgresql://ann:{SECRET}@localhost:1/photos")
    assert "can't be reached" in _said(f"postgresql://ann:{SECRET}@/photos?host=/none/here")
    assert "is not an address that PostgreSQL reads" in _said(f"postgresql://ann:{SECRET}@db/x?no_such={SECRET}")


def test_a_user_who_may_only_read_opens_a_library_read_only(tmp_path: Path) -> None:
    folder = postgres.on_postgres(tmp_path / "library")
    address = remote_of(folder).database
    assert address is not None
    name = address.partition("/test_")[2].partition("?")[0]
    postgres.run("CREATE ROLE reader LOGIN")
    postgres.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", f"test_{name}")
    try:
        write(folder, Remote(database=address.replace("postgres@", "reader@")))
        with Library.open(folder) as opened:
            assert opened.readonly
            assert opened.catalog.counts().pictures == 0
        with pytest.raises(LibraryError, match="may not do that"), locked(folder):
            pass
    finally:
        postgres.drop(address)
        postgres.run("DROP ROLE reader")


def test_a_database_of_another_encoding_is_refused(tmp_path: Path) -> None:
    postgres.run("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    try:
        write(tmp_path / "library", Remote(database=postgres.url("latin")))
        with pytest.raises(LibraryError, match=r"encoding LATIN1.*--encoding=UTF8"):
            Library.open(tmp_path / "library")
    finally:
        postgres.run("DROP DATABASE latin WITH (FORCE)")


def test_a_newer_library_is_refused_also_while_it_is_open(tmp_path: Path) -> None:
    folder = postgres.on_postgres(tmp_path / "library")
    with Library.open(folder) as opened:
        library_tables.execute(folder, "UPDATE layout SET version = 99")
        with pytest.raises(LibraryError, match="brought to layout version 99"):
            opened.catalog.generation()
    for door in (Library.open, Library.create):
        with pytest.raises(LibraryError, match="layout version 99; this program reads up to"):
            door(folder)


def test_a_database_of_something_else_is_not_called_a_library(tmp_path: Path) -> None:
    folder = postgres.on_postgres(tmp_path / "library", with_tables=False)
    library_tables.execute(folder, "CREATE TABLE layout (something text)")
    library_tables.execute(folder, "CREATE TABLE library (something text)")
    for door in (Library.open, Library.create):
        with pytest.raises(LibraryError, match="one that Sightline made"):
            door(folder)


def test_a_path_that_no_index_takes_is_left_out_and_the_rest_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = postgres.on_postgres(tmp_path / "library")
    facts = {"width": 4, "height": 3, "format": "JPEG", "orientation": 1}
    letters = np.random.default_rng(0).integers(33, 126, 4_000, np.uint8).tobytes().replace(b"/", b"x")  # of no pattern
    noise = b"/".join(letters[start : start + 249] for start in range(0, 4_000, 250))[:3_000]
    with locked(folder), Library.open(folder) as library:
        writer = Writer(library.catalog.engine)
        root = writer.add_root(b"/photos")
        long, longest, short = (File(root, path, 1, 1) for path in (noise, noise[:LONGEST_PATH], b"a.jpg"))
        writer.commit(
            [Indexed(each, hashed * 32, facts) for each, hashed in ((long, b"1"), (longest, b"2"), (short, b"3"))],
            [Failed(long, "read", "reason")],
        )
        counts = library.catalog.counts()
        assert (counts.pictures, counts.photos, counts.failed) == (2, 2, 0)
    assert "its path has 3000 bytes" in caplog.text


def test_every_step_above_the_first_on_postgresql_has_its_text() -> None:
    assert sorted(postgres_tables.LATER) == list(range(postgres_tables.FIRST + 1, VERSION + 1))
    assert len(STEPS) == VERSION


def test_a_forked_process_does_not_end_the_connections_of_its_parent(tmp_path: Path) -> None:
    folder = postgres.on_postgres(tmp_path / "library")
    code = (
        "import os, sys; from pathlib import Path\n"
        "from store.lock import is_indexing, locked, read_run; from store.library import Library\n"
        "path = Path(sys.argv[1])\n"
        "with locked(path, [b'/a']), Library.open(path) as library:\n"
        "    assert is_indexing(path)\n"
        "    pid = os.fork()\n"
        "    if not pid:\n"
        "        os._exit(0 if is_indexing(path) else 3)\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
        "    assert is_indexing(path) and read_run(path).pid == os.getpid()\n"
        "    library.catalog.generation(); library.place.check()\n"
        "assert not is_indexing(path)\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, folder], check=True, timeout=60)


def test_a_lock_is_taken_again_after_a_restart_unless_another_has_it(tmp_path: Path) -> None:
    folder = postgres.on_postgres(tmp_path / "library")
    with locked(folder, [b"/a"]), Library.open(folder) as library:
        _end_others(folder)
        library.place.check()
        with pytest.raises(LibraryLockedError), locked(folder, [b"/a/b"]):
            pass
        _end_others(folder)
        code = (
            "import sys, time; from pathlib import Path; from store.lock import locked\n"
            "with locked(Path(sys.argv[1]), [b'/a']): print('held', flush=True); time.sleep(60)"
        )
        faster = subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE, text=True)
        try:
            assert faster.stdout is not None
            assert faster.stdout.readline() == "held\n"
            with pytest.raises(LibraryLockedError, match=f"process {faster.pid}"):
                library.place.check()
        finally:
            faster.kill()
            faster.communicate()
        library.place.check()


def _end_others(folder: Path) -> None:
    """What a restart of the server does to connections."""
    query = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    library_tables.execute(folder, query)
