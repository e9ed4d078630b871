"""Libraries of every released layout open, and answer as they did; runs, backups and checks go on with them."""

from __future__ import annotations

import sqlite3
import tarfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_library_fixture import GONE, bmp, write_photos
from support import FIXTURES, Index

import sightline
from indexer.commands import run
from store.library import Library
from store.tables.migrations import VERSION

FOLDER = FIXTURES / "libraries"
LAYOUTS = sorted(int(path.name.split(".")[0].removeprefix("layout-")) for path in FOLDER.glob("layout-*.tar.xz"))


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def library(layout: int, tmp_path: Path) -> Path:
    """A library as the program of its layout left it."""
    folder = tmp_path / "library"
    with tarfile.open(FOLDER / f"layout-{layout}.tar.xz") as tar:
        tar.extractall(folder, filter="data")
    return folder


@dataclass(frozen=True)
class Held:
    """What the tables of any layout hold, by SQL that fits all of them."""

    photos: list[tuple[bytes, int, bool]]
    failures: list[tuple[bytes, str]]
    tagged: list[tuple[str, int]]
    favourites: list[int]
    searches: list[tuple[str, str]]
    aside: list[int]
    vectors: dict[int, Any]


def held(library: Path) -> Held:
    with closing(sqlite3.connect(library / "library.sqlite")) as connection:
        there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}

        def rows(table: str, query: str) -> list[Any]:
            return list(connection.execute(query)) if table in there else []

        return Held(
            rows("photos", "SELECT path, content_id, missing_since IS NOT NULL FROM photos ORDER BY path"),
            rows("failures", "SELECT path, stage FROM failures"),
            rows("tags", "SELECT name, content_id FROM content_tags JOIN tags ON tags.id = tag_id ORDER BY 2"),
            [row[0] for row in rows("favourites", "SELECT content_id FROM favourites")],
            rows("saved_searches", "SELECT name, query FROM saved_searches"),
            [row[0] for row in rows("set_asides", "SELECT photo_id FROM set_asides")],
            {row[0]: np.frombuffer(row[1], "<f2").astype(np.float32)
             for row in rows("vectors", "SELECT content_id, vector FROM vectors")},
        )  # fmt: skip


def version(library: Path) -> int:
    with closing(sqlite3.connect(library / "library.sqlite")) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_same(library: Path, before: Held) -> None:
    """The library answers what the tables held before, through the public door."""
    after = held(library)
    assert (after.photos, after.failures, after.searches) == (before.photos, before.failures, before.searches)
    assert (after.tagged, after.favourites, after.aside) == (before.tagged, before.favourites, before.aside)
    shown = {content for _, content, missing in before.photos if not missing}
    with sightline.Library(library, offline=True) as opened:
        assert {photo["id"] for photo in opened.photos()} == shown
        assert {photo["id"] for photo in opened.photos("tag:boat")} == {content for _, content in before.tagged}
        assert {photo["id"] for photo in opened.photos("favourite:yes")} == set(before.favourites)
        assert opened.search("a boat")  # the model that made the vectors is the one that ships now
        assert np.allclose(opened.vectors(sorted(shown)), [before.vectors[content] for content in sorted(shown)])
        for content in sorted(shown):
            # The truth: cosines of the vectors as they lay in the older tables.
            cosines = {other: float(before.vectors[content] @ before.vectors[other]) for other in shown}
            hits = opened.search(f"like:{content}", limit=10)
            assert hits[0]["id"] == content
            raw = [cosines[hit["id"]] for hit in hits]
            assert raw == sorted(raw, reverse=True)
            assert all(hit["id"] in shown for hit in hits)


def test_a_fixture_is_there_for_every_layout_that_was_released() -> None:
    # The newest layout gets its fixture when it is released.
    assert LAYOUTS in (list(range(1, VERSION)), list(range(1, VERSION + 1)))


def test_it_opens_and_answers_as_it_did(library: Path, layout: int) -> None:
    assert version(library) == layout
    before = held(library)
    assert len(before.photos) == 6 and len(before.vectors) == 5 and before.failures
    assert layout < 2 or (before.tagged and before.favourites and before.searches)
    assert layout < 3 or before.aside
    check_same(library, before)
    assert version(library) == VERSION


def test_a_check_finds_nothing_wrong(library: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "--library", str(library)]) == 0
    assert "wrong" not in capfd.readouterr().out
    with Library.open(library) as opened:
        assert not opened.integrity()


def test_runs_go_on_where_the_older_program_stopped(library: Path, index: Index, tmp_path: Path) -> None:
    before = held(library)
    photos = tmp_path / "photos"
    write_photos(photos)
    (photos / GONE).unlink()
    assert run(["move-root", "/photos", str(photos), "--library", str(library)]) == 0
    done = index(photos, space=None)
    assert done.code == 1
    assert (done.added, done.missing, done.encoded, done.failed) == (0, 0, 0, 1)
    check_same(library, before)
    again = index(photos, space=None)
    assert (again.unchanged, again.encoded, again.failed) == (5, 0, 1)
    write_photos(photos)
    (photos / "new.bmp").write_bytes(bmp(6))
    back = index(photos, space=None)
    assert (back.restored, back.added, back.encoded) == (1, 1, 1)


def test_its_backup_is_restored_and_brought_up_to_date(library: Path, layout: int, tmp_path: Path) -> None:
    before = held(library)
    assert run(["backup", str(tmp_path / "a.backup"), "--thumbnails", "--library", str(library)]) == 0
    assert version(library) == layout  # a backup before an update is one of what is there
    assert run(["restore", str(tmp_path / "a.backup"), "--library", str(tmp_path / "b")]) == 0
    assert version(tmp_path / "b") == VERSION
    check_same(tmp_path / "b", before)
    with sightline.Library(tmp_path / "b") as opened:  # the pictures themselves are not there
        assert all(opened.thumbnail(photo["id"]).startswith(b"\xff\xd8") for photo in opened.photos())
