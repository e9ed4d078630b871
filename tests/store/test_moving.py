"""A library that is copied into another place is the same there, however often the copy was stopped."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import postgres
import pytest

from store.errors import LibraryError, LibraryLockedError
from store.library import Library
from store.lock import locked
from store.moving import DifferingError, copy_library
from store.tables import copied_rows
from store.tables.filters import Tag, Written
from store.tables.migrations import UNFINISHED, VERSION
from store.tables.writer import File, Indexed, SpaceIdentity, Writer

# Libraries that are copied are SQLite's, but where a test says otherwise: where they are copied to varies.
pytestmark = pytest.mark.sqlite
SPACE = SpaceIdentity("key", "name", "model", "weights", "{}", 4, True)
FACTS: dict[str, Any] = {"width": 4, "height": 3, "format": "JPEG", "orientation": 1}
COUNT = 30


def killed(source: Path, target: Path, after: int) -> bool:
    """Copy in a process that is killed at a step; whether it was, and had not ended before."""
    child = os.fork()
    if child == 0:
        left = after

        def progress(_step: str, _done: int, _total: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            copied_rows.BATCH = 7  # type: ignore[misc]
            copy_library(source, target, progress)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    return status != 0


def fact(number: int) -> dict[str, Any]:
    more: dict[str, Any] = {"latitude": 48.2, "longitude": -0.0} if number % 3 else {}
    if number % 2:
        more |= {"title": f"Größe {number}", "caption": "日本語 a\0b", "keywords": ("Sea|Boat", f"k{number}")}
    return FACTS | more


@pytest.fixture
def filled(library: Path) -> Path:
    """A library with rows in every table, whose last contents were pruned."""
    with locked(library), Library.create(library) as made:
        writer = Writer(made.catalog.engine)
        root, space = writer.add_root(b"/photos/\xff"), writer.add_space(SPACE)
        rng = np.random.default_rng(0)
        vectors = rng.normal(size=(COUNT + 1, 4)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        batch = [
            Indexed(File(root, b"%d-\xfe.jpg" % n, 2**40 + n, n), n.to_bytes(32, "big"), fact(n), {space: vectors[n]})
            for n in range(1, COUNT + 1)
        ]
        writer.commit(batch, [])
        for n in range(1, COUNT, 2):
            made.thumbnails.write(n.to_bytes(32, "big"), b"\xff\xd8\xff%d\xff\xd9" % n)
            made.previews.write(n.to_bytes(32, "big"), b"\xff\xd8\xff preview %d\xff\xd9" % n)
        made.marks.change([1, 2, 5], add=["Sommer", "b"])
        made.marks.favourite([3], True)
        made.marks.save_search("boats", "tag:b")
        with made.catalog.engine.execution_options(write=True).begin() as connection:
            for statement in (
                "INSERT INTO failures (root_id, path, display, stage, reason, size, mtime_ns, failed_at) "
                "VALUES (1, x'ff', '?', 'decode', 'why', 1, 2, 'now')",
                "INSERT INTO runs (started_at, state, space_id) VALUES ('a', 'done', 1)",
                "INSERT INTO looks (content_id, hash, grey) SELECT id, 9223372036854775807 - id, hash FROM contents",
                "INSERT INTO set_asides VALUES (4)",
                "INSERT INTO left_marks (photo_id, content_id) VALUES (1, 2), (1, 1)",
                "INSERT INTO sets (name, ids, made_at) VALUES ('s', x'0100000000000000', 'now')",
                "INSERT INTO concepts (name, key, changed_at) VALUES ('Ours', 'ours', 'now')",
                "INSERT INTO concept_pictures (concept_id, content_id, is_example) VALUES (1, 2, 1), (1, 3, 0)",
                "INSERT INTO tile_grids (space_id, grid, epoch) VALUES (1, 2, 5)",
                "INSERT INTO tiles (space_id, content_id, tiles, boxes, vectors, checksum) "
                "VALUES (1, 1, 1, x'00', x'01', -7)",
                f"DELETE FROM photos WHERE content_id = {COUNT}",
                f"DELETE FROM contents WHERE id = {COUNT}",
                "UPDATE library SET generation = 77, looks_due = 3",
                "UPDATE spaces SET epoch = 9",
            ):
                connection.exec_driver_sql(statement)
            assert [name for name in copied_rows.names() if not copied_rows.rows_in(connection, name)] == []
    return library


@pytest.fixture(params=["postgresql", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An empty place to copy into."""
    folder = tmp_path / "new"
    return postgres.on_postgres(folder, with_tables=False) if request.param == "postgresql" else folder


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """An empty database."""
    return postgres.on_postgres(tmp_path / "served", with_tables=False)


def contents(library: Path) -> dict[str, Any]:
    """All that a library holds."""
    with Library.open(library) as opened, opened.catalog.engine.connect() as connection:
        held: dict[str, Any] = {name: copied_rows.sum_of(connection, name) for name in copied_rows.names()}
        return held | {"library": copied_rows.of_library(connection)}


def change(library: Path, statement: str) -> None:
    with (
        Library(library, readonly=False) as opened,
        opened.catalog.engine.execution_options(write=True).begin() as connection,
    ):
        connection.exec_driver_sql(statement)


def test_a_library_is_the_same_in_its_new_place_and_back(filled: Path, server: Path, tmp_path: Path) -> None:
    there = copy_library(filled, server)
    assert there.copied == there.rows > 200 and not there.was_there
    assert there.thumbnails == COUNT and there.damaged == 0
    back = copy_library(server, tmp_path / "back")
    assert back.copied == there.rows
    assert contents(filled) == contents(server) == contents(tmp_path / "back")
    for place in (filled, server, tmp_path / "back"):
        with Library.open(place) as opened:
            found = opened.catalog.matching((Written("text", ("日本",)), Written("title", ("größe",))))
            assert found.tolist() == list(range(1, COUNT, 2))
    with Library.open(tmp_path / "back") as one, Library.open(filled) as other:
        assert one.thumbnails.read((3).to_bytes(32, "big")) == other.thumbnails.read((3).to_bytes(32, "big"))
        assert one.previews.read((3).to_bytes(32, "big")) == b"\xff\xd8\xff preview 3\xff\xd9"
        assert one.catalog.matching((Tag(("Sommer",)),)).tolist() == [1, 2, 5]
        assert one.integrity() == other.integrity() == []


def test_an_id_that_was_pruned_does_not_come_back(filled: Path, place: Path) -> None:
    copy_library(filled, place)
    with locked(place), Library.create(place) as made:
        writer = Writer(made.catalog.engine)
        root, space = writer.add_root(b"/photos/\xff"), writer.add_space(SPACE)
        vector = np.array([1, 0, 0, 0], np.float32)
        writer.commit([Indexed(File(root, b"new", 1, 1), b"n" * 32, FACTS, {space: vector})], [])
        found = made.catalog.content_by_hash(b"n" * 32)
        assert found is not None and found[0] == COUNT + 1
        made.marks.change([1], add=["a new tag"])
        made.marks.save_search("another", "boat")


def test_a_copy_that_is_killed_goes_on_and_is_whole(filled: Path, place: Path) -> None:
    rng = random.Random(5)
    for _ in range(8):
        if not killed(filled, place, rng.randrange(25)):
            break
    finished = copy_library(filled, place)
    assert finished.copied < finished.rows, "what was committed is kept"
    assert contents(place) == contents(filled)


def test_a_copy_from_a_server_that_is_killed_goes_on(filled: Path, server: Path, tmp_path: Path) -> None:
    copy_library(filled, server)
    back = tmp_path / "back"
    for number in (5, 12, 20):
        killed(server, back, number)
    assert copy_library(server, back).copied < 200
    assert contents(back) == contents(filled)


def stopped(source: Path, target: Path, after: int = 12) -> None:
    """Begin a copy and stop it, within this process."""

    class Stop(Exception):
        pass

    left = after

    def progress(_step: str, _done: int, _total: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Stop

    with pytest.raises(Stop):
        copy_library(source, target, progress)


def test_a_copy_that_is_not_whole_is_opened_by_nobody(filled: Path, place: Path) -> None:
    stopped(filled, place)
    with pytest.raises(LibraryError, match="a copy that is not whole"):
        Library.open(place)
    with locked(place), pytest.raises(LibraryError, match="a copy that is not whole"):
        Library.create(place)
    copy_library(filled, place)
    Library.open(place).close()
    assert UNFINISHED > VERSION * 100


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM photos WHERE id = 3",
        "UPDATE contents SET title = 'x' WHERE id = 3",
        "UPDATE tags SET name = 'other' WHERE id = 1",
        "UPDATE photos SET path = x'00' WHERE id = 5",
    ],
)
def test_what_changed_since_a_first_part_is_copied_too(filled: Path, place: Path, statement: str) -> None:
    stopped(filled, place, after=30)
    change(filled, statement)
    copy_library(filled, place)
    assert contents(place) == contents(filled)


def test_what_is_marked_meanwhile_is_copied_too(filled: Path, place: Path) -> None:
    left = 3

    def progress(step: str, _done: int, _total: int) -> None:
        nonlocal left
        if step == "thumbnails" and left:
            left -= 1
            with Library.open(filled) as opened:
                opened.marks.change([4], add=[f"meanwhile {left}"])

    copy_library(filled, place, progress)
    assert left == 0
    assert contents(place) == contents(filled)


def test_another_library_is_never_mixed_in(filled: Path, place: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with locked(other), Library.create(other) as made:
        Writer(made.catalog.engine).add_root(b"/else")
    change(other, "UPDATE library SET created_at = 'before'")
    copy_library(other, place)
    before = contents(place)
    with pytest.raises(LibraryError, match="has another library already"):
        copy_library(filled, place)
    assert contents(place) == before


def test_a_part_of_another_library_is_left_alone(filled: Path, place: Path, tmp_path: Path) -> None:
    stopped(filled, place)
    other = tmp_path / "other"
    with locked(other):
        Library.create(other).close()
    change(other, "UPDATE library SET created_at = 'before'")
    with pytest.raises(LibraryError, match=r"a copy of .* was begun there"):
        copy_library(other, place)
    copy_library(filled, place)
    assert contents(place) == contents(filled)


def test_a_second_run_finds_all_of_it(filled: Path, place: Path) -> None:
    first = copy_library(filled, place)
    again = copy_library(filled, place)
    assert again.was_there and again.rows == first.rows and again.copied == again.thumbnails == 0


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE vectors SET vector = (SELECT vector FROM vectors WHERE id = 8) WHERE id = 7", "vectors"),
        ("DELETE FROM content_tags WHERE content_id = 5", "content_tags"),
        ("UPDATE photos SET mtime_ns = 9 WHERE id = 8", "photos"),
        ("UPDATE contents SET latitude = 48.20000000000001 WHERE id = 2", "contents"),
        ("UPDATE library SET generation = 1", "settings"),
    ],
)
def test_a_planted_difference_is_found(filled: Path, place: Path, statement: str, named: str) -> None:
    copy_library(filled, place)
    change(place, statement)
    with pytest.raises(DifferingError, match=f"{named} differ"):
        copy_library(filled, place)


def test_sums_tell_rows_apart_and_not_their_order(filled: Path) -> None:
    with Library.open(filled) as opened, opened.catalog.engine.connect() as connection:
        before = copied_rows.sum_of(connection, "content_tags")
    change(filled, "UPDATE content_tags SET content_id = 6 WHERE content_id = 5 AND tag_id = 1")
    with Library.open(filled) as opened, opened.catalog.engine.connect() as connection:
        after = copied_rows.sum_of(connection, "content_tags")
    assert before.rows == after.rows and before.hashes != after.hashes


def test_indexers_are_kept_away_from_both(filled: Path, place: Path) -> None:
    seen: list[str] = []

    def progress(step: str, _done: int, _total: int) -> None:
        if step not in seen:
            seen.append(step)
            for folder in (filled, place):
                with pytest.raises(LibraryLockedError), locked(folder):
                    pass

    copy_library(filled, place, progress)
    assert seen == ["copying", "comparing", "thumbnails"]
    with locked(filled), pytest.raises(LibraryLockedError):
        copy_library(filled, place)


def test_a_library_is_not_copied_onto_itself(filled: Path) -> None:
    with pytest.raises(LibraryError, match="onto itself"):
        copy_library(filled, filled)
