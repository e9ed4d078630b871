"""The library on disk: created, migrated, locked, refused, and never half written."""

from __future__ import annotations

import importlib
import re
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import library_tables as tables
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine
from support import Index, as_nobody

from store.errors import LibraryError, LibraryLockedError
from store.files import replace_file, sweep_temporaries
from store.library import Library
from store.lock import is_indexing, locked
from store.paths import as_json, display, to_bytes
from store.remote import DATABASE
from store.tables import looks, tiles
from store.tables.filters import Choice, Date, Ext, Favourite, Filter, Folder, Name, Set, Tag, Text, casefolded
from store.tables.migration_steps import STEPS
from store.tables.migrations import VERSION
from store.tables.schema import Photo
from store.tables.writer import Failed, File, Indexed, SpaceIdentity, Writer

FACTS = {"width": 4, "height": 3, "format": "JPEG", "orientation": 1}
SPACE = SpaceIdentity("key", "name", "model", "weights", "{}", 4, True)


def unit(*numbers: float) -> np.ndarray:
    vector = np.array(numbers, np.float32)
    return vector / np.linalg.norm(vector)


@pytest.mark.sqlite
def test_a_new_library_has_this_version_wal_and_large_pages(library: Path) -> None:
    with locked(library), Library.create(library):
        pass
    connection = sqlite3.connect(library / DATABASE)
    asked = [
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "journal_mode", "page_size")
    ]
    assert asked == [VERSION, "wal", 16384]
    assert library.stat().st_mode & 0o077 == 0


def _version_1(library: Path) -> None:
    """A library as the first release made it, with a root, two photos of three contents, a vector and a failure."""
    library.mkdir()
    with closing(sqlite3.connect(library / DATABASE, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in STEPS[0]:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        connection.executescript(
            """
            INSERT INTO spaces VALUES (1, 'k', 'n', 'm', 'w', '{}', 4, 1, '2026', 0);
            UPDATE library SET generation = 7, default_space_id = 1;
            INSERT INTO roots VALUES (1, x'2f686f6d652f50686f746f73', '/home/Photos', '2026', NULL, 2);
            INSERT INTO contents VALUES (1, x'01', 9, 40, 30, 'JPEG', 1, '2023-06-15T12:00:00', NULL, 'SONY', 'ILCE-7',
                'FE 24mm', 48.2, 16.4, NULL, 1);
            INSERT INTO contents (id, hash, size, width, height, format, orientation, photo_count)
                VALUES (2, x'02', 9, 30, 40, 'JPEG', 6, 1), (3, x'03', 9, 9, 9, 'PNG', 1, 0);
            INSERT INTO photos VALUES (1, 1, x'61', 'Trips/2023/Größe.JPG', 1, 9, 9, NULL);
            INSERT INTO photos VALUES (2, 1, x'62', 'no dot', 2, 9, 9, NULL);
            INSERT INTO vectors VALUES (1, 1, 1, x'003c000000000000');
            INSERT INTO failures VALUES (1, 1, x'63', 'c', 'open', 'why', 1, 1, '2026');
            INSERT INTO runs VALUES (1, '2026', '2026', 'done', 1, '{}');
            """
        )


def _rows(library: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(library / DATABASE)) as connection:
        columns = {
            table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            for (table,) in connection.execute(
                "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND wr = 0 "
                "AND name NOT LIKE 'sqlite_schema' ORDER BY name"
            )
        }
        return {
            f"{table}.{column}": connection.execute(f"SELECT rowid, {column} FROM {table} ORDER BY rowid").fetchall()
            for table, names in columns.items()
            for column in names
        }


@pytest.mark.sqlite
def test_a_library_of_version_1_is_brought_up_to_date_with_nothing_lost(library: Path) -> None:
    _version_1(library)
    before = _rows(library)
    with Library.open(library) as opened:
        catalog = opened.catalog
        cases: tuple[tuple[list[Filter], list[int]], ...] = (
            ([Folder(("photos/trips",)), Name(("grösse*",)), Ext(("jpeg",))], [1]),
            ([Text("camera", ("sony ilce",)), Choice("orientation", ("landscape",)), Date("2023", "2023")], [1]),
            ([Name(("no dot",)), Ext(("jpg",), negated=True), Folder(("Photos",))], [2]),
            ([], [1, 2]),
        )
        for filters, kept in cases:
            assert catalog.matching(filters).tolist() == kept
        opened.marks.change([2], add=["kept"])
        assert catalog.state() == (7, 1)
        assert looks.count_due(catalog.engine) == 3
        assert opened.integrity() == []
    after = _rows(library)
    after["library.marks_generation"] = []
    assert {name: after[name] for name in before} == before


@pytest.mark.sqlite
def test_a_library_of_version_2_is_brought_up_to_date_with_nothing_lost(library: Path) -> None:
    _version_1(library)
    with closing(sqlite3.connect(library / DATABASE, isolation_level=None)) as connection:
        connection.create_function("fold", 1, casefolded, deterministic=True)
        for statement in STEPS[1]:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 2")
        connection.executescript(
            """
            INSERT INTO tags VALUES (1, 'Sea', 'sea');
            INSERT INTO content_tags VALUES (1, 1);
            INSERT INTO favourites VALUES (2);
            INSERT INTO saved_searches VALUES (1, 'boats', 'boat', '2026');
            UPDATE library SET marks_generation = 5;
            """
        )
    before = _rows(library)
    with Library.open(library) as opened:
        catalog, marks = opened.catalog, opened.marks
        assert catalog.state() == (7, 5)
        assert {row.facts["colour"] for row in catalog.photos([1, 2]).values()} == {None}
        assert (catalog.matching([Tag(("sea",))]).tolist(), catalog.matching([Favourite()]).tolist()) == ([1], [2])
        assert catalog.matching([Set((marks.keep_set([2]),))]).tolist() == [2]
        marks.set_aside([1], True)
        assert (marks.set_aside_of(), catalog.copies(), opened.integrity()) == ({1}, [], [])
    after = _rows(library)
    assert {name: after[name] for name in before} == before


def _shape(library: Path) -> dict[str, object]:
    """The tables and indexes of a database, without what differs in writing only."""
    with closing(sqlite3.connect(library)) as connection:
        found: dict[str, object] = {}
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall():
            if kind == "table":
                columns = connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
                keys = connection.execute(f"PRAGMA foreign_key_list({name})").fetchall()
                found[name] = (
                    sorted((row[1], row[2].replace("DOUBLE", "FLOAT"), *row[3:]) for row in columns),
                    sorted(key[2:] for key in keys),
                    sorted(row[2:] for row in connection.execute(f"PRAGMA index_list({name})") if row[3] != "c"),
                    "AUTOINCREMENT" in sql,
                    "WITHOUT ROWID" in sql,
                    re.findall(
                        r"GENERATED ALWAYS AS (\(.*\)) VIRTUAL", re.sub(r"\s+", " ", sql).replace("AS (", "AS (")
                    ),
                )
            else:
                columns = [row[2:] for row in connection.execute(f"PRAGMA index_xinfo({name})")]
                found[name] = (columns, sql and sql.partition(" ON ")[2])
        return found


@pytest.mark.sqlite
def test_a_new_library_has_the_tables_that_the_classes_describe(library: Path, tmp_path: Path) -> None:
    with locked(library), Library.create(library):
        pass
    described = create_engine(f"sqlite:///{tmp_path / 'described'}")
    for module in ("mark_tables", "tile_tables", "concept_tables"):  # whose classes are nowhere used but here
        importlib.import_module(f"store.tables.{module}")
    Photo.table.metadata.create_all(described)
    described.dispose()
    assert _shape(library / DATABASE) == _shape(tmp_path / "described")


@pytest.mark.sqlite
def test_an_old_library_that_cant_be_written_says_how_to_open_it(library: Path, public_tmp: Path) -> None:
    _version_1(library)
    closed = public_tmp / "library"
    library.rename(closed)
    for path in [closed, *closed.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with as_nobody(), pytest.raises(LibraryError, match=r"version 1; this program reads version \d.*Open it once"):
        Library.open(closed)
    for path in [closed, *closed.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    with Library.open(closed) as opened:
        assert opened.catalog.counts().pictures == 2


@pytest.mark.sqlite
def test_an_old_library_whose_lock_cant_be_written_says_which_file_that_is(library: Path, public_tmp: Path) -> None:
    _version_1(library)
    shared = public_tmp / "library"
    library.rename(shared)
    (shared / "indexer.lock").touch()
    for path in [shared, *shared.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o444 if path.name == "indexer.lock" else 0o666)
    with as_nobody(), pytest.raises(LibraryError, match=r"older version.*indexer\.lock can't be written \(Perm"):
        Library.open(shared)


@pytest.mark.sqlite
def test_two_that_open_an_old_library_at_once_bring_it_up_to_date_once(library: Path) -> None:
    _version_1(library)
    code = (
        "import sys; from pathlib import Path; from store.library import Library\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with Library.open(Path(sys.argv[1])) as opened: print(opened.catalog.counts().pictures)"
    )
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", code, library], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()
    assert [opener.communicate()[0] for opener in openers] == ["2\n"] * 3


@pytest.mark.sqlite
def test_an_old_library_that_is_being_written_is_not_called_damaged(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _version_1(library)
    for module in ("tables.database", "lock", "library"):
        monkeypatch.setattr(f"store.{module}.BUSY_TIMEOUT_MS", 300)
    with closing(sqlite3.connect(library / DATABASE, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        for door in (Library.open, Library.create):
            with pytest.raises(LibraryError, match=r"another program is at work.*0\.3 seconds.*Try again") as raised:
                door(library)
            assert "backup" not in str(raised.value)
    with Library.open(library) as opened:
        assert opened.catalog.counts().pictures == 2


@pytest.mark.sqlite
def test_an_old_library_is_not_changed_under_an_indexer_and_is_by_one(library: Path) -> None:
    _version_1(library)
    before = _rows(library)
    with locked(library):
        with pytest.raises(LibraryLockedError, match=r"older version, and an indexer is at work on it \(process"):
            Library.open(library)
        assert _rows(library) == before
        with Library.create(library) as opened, Library.open(library) as reader:
            assert opened.catalog.counts().pictures == reader.catalog.counts().pictures == 2
    assert not is_indexing(library)


@pytest.mark.sqlite
def test_no_indexer_starts_while_an_old_library_is_brought_up_to_date(library: Path) -> None:
    _version_1(library)
    with closing(sqlite3.connect(library / DATABASE, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as pool:
            opening = pool.submit(Library.open, library)
            while not (library / "indexer.lock").exists():
                time.sleep(0.01)
            time.sleep(0.1)
            with pytest.raises(LibraryLockedError), locked(library):
                pass
            writer.execute("ROLLBACK")
            with opening.result() as opened:
                assert opened.catalog.counts().pictures == 2
    with locked(library):
        pass


def test_opening_where_there_is_none_names_the_way_to_make_one(library: Path) -> None:
    with pytest.raises(LibraryError, match="python -m indexer"):
        Library.open(library)


@pytest.mark.sqlite
def test_a_newer_library_is_refused_and_untouched(library: Path) -> None:
    with locked(library), Library.create(library):
        pass
    connection = sqlite3.connect(library / DATABASE)
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = (library / DATABASE).read_bytes()
    for door in (Library.open, Library.create):
        with pytest.raises(LibraryError, match=r"version 99.*up to"):
            door(library)
    assert (library / DATABASE).read_bytes() == before


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to look like one" * 50, b"SQLite format 3\0" + b"x" * 9000]
)
def test_what_is_no_database_is_refused_and_untouched(library: Path, content: bytes) -> None:
    library.mkdir()
    (library / DATABASE).write_bytes(content)
    for door in (Library.open, Library.create):
        with pytest.raises(LibraryError, match="can't be read"):
            door(library)
    assert (library / DATABASE).read_bytes() == content


def test_one_indexer_at_a_time_and_the_lock_goes_with_its_process(library: Path, database: str) -> None:
    code = (
        "import sys, time; from pathlib import Path; from store.lock import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, library], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_indexing(library)
        with pytest.raises(LibraryLockedError, match=f"process {holder.pid}") as raised, locked(library):
            pass
        assert raised.value.exit_code == 75
    finally:
        holder.kill()
        holder.wait()
    # A server notices that a client is gone when its own process has a turn; nothing has to be told to it.
    ends = time.monotonic() + 30
    while database == "postgres" and is_indexing(library) and time.monotonic() < ends:
        time.sleep(0.02)
    assert not is_indexing(library)
    with locked(library):
        assert is_indexing(library)


@pytest.mark.sqlite
def test_a_read_only_library_can_be_searched_and_not_written(
    photos: Path, index: Index, library: Path, public_tmp: Path
) -> None:
    from searching import nearest

    index(photos)
    closed = public_tmp / "library"
    library.rename(closed)
    for path in [closed, *closed.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with as_nobody():
        with Library.open(closed) as opened:
            assert opened.readonly
            ids = opened.vectors.get(1).ids
            assert len(nearest(opened, 1, opened.vectors.get(1).vectors_of(ids[:1])[0], 5)) == 5
            opened.vectors.save(1)
        with pytest.raises(LibraryError, match="read-only"), locked(closed):
            pass
    for path in [closed, *closed.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_batch_is_written_whole_or_not_at_all(library: Path) -> None:
    with locked(library), Library.create(library) as opened:
        writer = Writer(opened.catalog.engine)
        root, space = writer.add_root(b"/photos"), writer.add_space(SPACE)
        good = Indexed(File(root, b"a.jpg", 1, 1), b"a" * 32, FACTS, {space: unit(1, 0, 0, 0)})
        bad = Failed(File(999, b"no such root", 1, 1), "read", "reason")
        before = opened.catalog.generation()
        with pytest.raises(Exception, match=r"(?i)foreign.?key"):
            writer.commit([good], [bad])
        assert opened.catalog.counts().pictures == 0
        assert opened.catalog.generation() == before
        writer.commit([good], [])
        assert (opened.catalog.counts().pictures, opened.catalog.generation()) == (1, before + 1)


def test_a_photo_that_is_indexed_again_has_its_place_put_right(library: Path) -> None:
    with locked(library), Library.create(library) as opened:
        writer = Writer(opened.catalog.engine)
        root, space = writer.add_root(b"/photos"), writer.add_space(SPACE)
        photo = Indexed(File(root, b"trips/a.jpg", 1, 1), b"a" * 32, FACTS, {space: unit(1, 0, 0, 0)})
        writer.commit([photo], [])
        tables.execute(library, "UPDATE photos SET folder = '', name = '', ext = ''")
        writer.commit([photo], [])
        assert opened.catalog.matching([Folder(("photos/trips",)), Name(("a.jpg",)), Ext(("jpg",))]).tolist() == [1]


def test_readers_see_the_last_commit_without_opening_again(library: Path) -> None:
    from searching import nearest

    with locked(library), Library.create(library) as opened, Library.open(library) as reader:
        writer = Writer(opened.catalog.engine)
        root, space = writer.add_root(b"/photos"), writer.add_space(SPACE)
        for number, vector in enumerate([unit(1, 0, 0, 0), unit(1, 1, 0, 0), unit(0, 1, 0, 0)]):
            file = File(root, f"{number}.jpg".encode(), 1, 1)
            writer.commit([Indexed(file, bytes([number]) * 32, FACTS, {space: vector})], [])
            assert len(nearest(reader, space, unit(1, 0, 0, 0), 10)) == number + 1


def test_a_replaced_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def half(path: Path) -> None:
        path.write_bytes(b"ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        replace_file(target, half)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    replace_file(target, lambda path: path.write_bytes(b"new"))
    assert target.read_bytes() == b"new"
    (tmp_path / ".tmp-left").write_bytes(b"")
    assert sweep_temporaries(tmp_path) == 1


def test_what_a_killed_writer_left_of_a_thumbnail_is_swept(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from store.images.thumbnails import Thumbnails\n"
        "Path.replace = lambda *_: os._exit(9)\n"
        "Thumbnails(Path(sys.argv[1]) / 'thumbnails').write(b'a' * 32, b'JPEG')"
    )
    (tmp_path / "thumbnails" / (b"a" * 32).hex()[:2]).mkdir(parents=True)
    assert subprocess.run([sys.executable, "-c", script, tmp_path], check=False).returncode == 9
    assert len(list(tmp_path.rglob(".tmp-*"))) == 1
    assert sweep_temporaries(tmp_path) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@given(st.binary(min_size=1, max_size=30))
def test_any_path_can_be_shown_and_stored_as_text(path: bytes) -> None:
    shown = display(path)
    shown.encode("utf-8")
    assert not any(ord(char) < 32 or ord(char) == 127 for char in shown)
    told = as_json(path)
    assert told.keys() in ({"path"}, {"path_b64"})


@given(st.text(st.characters(exclude_characters="\0\\", exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_valid_text_stays_text(name: str) -> None:
    assert as_json(to_bytes(name)) == {"path": name}


def test_a_grid_of_tiles_is_set_changed_and_ended(library: Path) -> None:
    with locked(library), Library.create(library) as opened:
        engine = opened.catalog.engine
        space = Writer(engine).add_space(SPACE)
        assert [tiles.set_grid(engine, space, grid) for grid in (0, 3, 3, 4, 0)] == [False, True, False, True, True]
        assert tiles.grids(engine) == {}
