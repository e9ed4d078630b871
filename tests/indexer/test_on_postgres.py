"""Runs of the indexer on PostgreSQL: the same library as on SQLite, two runs at once, killed ones, locks of roots."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faults
import library_tables
import numpy as np
import postgres
import pytest
from support import AWKWARD, DEMO

import sightline
from indexer.commands import run
from store.library import Library
from store.lock import indexer_pid, is_indexing, locked, read_run
from store.remote import Remote, remote_of, write
from store.tables.fact_table import FACTS

_FACTS = ", ".join(f"contents.{fact.name}" for fact in FACTS)
# What a library holds, without ids and times of day. The first two columns tell rows apart.
COMPARED = {
    "contents": f"SELECT hash, photo_count, facts_version, {_FACTS} FROM contents",
    "photos": "SELECT roots.path, photos.path, hash, photos.display, photos.size, mtime_ns, missing_since, device, "
    "inode, ctime_ns, sidecars, folder, name, ext FROM photos JOIN roots ON roots.id = root_id "
    "JOIN contents ON contents.id = content_id",
    "failures": "SELECT roots.path, failures.path, stage, reason, size, mtime_ns FROM failures "
    "JOIN roots ON roots.id = root_id",
    "looks": "SELECT contents.hash, grey, looks.hash FROM looks JOIN contents ON contents.id = content_id",
    "words": "SELECT kind, key, name, (SELECT count(*) FROM content_words WHERE word_id = words.id) FROM words",
    "texts": "SELECT hash, texts.title, texts.caption, texts.keywords, texts.people FROM texts "
    "JOIN contents ON contents.id = texts.rowid",
    "roots": "SELECT path, display, options, drives FROM roots",
    "spaces": "SELECT key, name, model, weights, preprocess, dim, epoch, fingerprint FROM spaces",
}
VECTORS = (
    "SELECT hash, vector FROM vectors JOIN contents ON contents.id = content_id JOIN spaces ON spaces.id = space_id"
)


def held(library: Path, *, without: tuple[str, ...] = ()) -> dict[str, list[tuple[Any, ...]]]:
    return {
        name: sorted(library_tables.execute(library, query), key=lambda row: (repr(row[0]), repr(row[1])))
        for name, query in COMPARED.items()
        if name not in without
    }


def assert_same(one: Path, other: Path, *, without: tuple[str, ...] = ()) -> None:
    assert held(one, without=without) == held(other, without=without)
    ours, theirs = (dict(library_tables.execute(library, VECTORS)) for library in (one, other))
    assert ours.keys() == theirs.keys()
    for content_hash, vector in ours.items():
        # Batches are cut elsewhere, and a long run resizes by other kernels, which moves the last bits.
        ours_now, theirs_now = (np.frombuffer(each, "<f2").astype(float) for each in (vector, theirs[content_hash]))
        assert ours_now @ theirs_now >= 0.9995


@pytest.fixture
def on_postgres(tmp_path: Path) -> Iterator[Path]:
    folder = postgres.on_postgres(tmp_path / "on-postgres", with_tables=False)
    yield folder
    address = remote_of(folder).database
    assert address is not None
    postgres.drop(address)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Demo pictures, some of them twice, and files that can't be read."""
    folder = tmp_path / "pictures"
    shutil.copytree(DEMO, folder / "demo")
    shutil.copytree(AWKWARD, folder / "awkward")
    return folder


def start(folder: Path, library: Path, space: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "indexer", str(folder), "--library", str(library), "--space", space, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_same_pictures_make_the_same_library(
    pictures: Path, library: Path, on_postgres: Path, index: Any
) -> None:  # fmt: skip
    for place in (library, on_postgres):
        first = index(pictures, "--library", place)
        (pictures / "demo" / "more").mkdir(exist_ok=True)
        moved = min((pictures / "demo").rglob("*.jpg"))
        moved.rename(pictures / "demo" / "more" / moved.name)
        shutil.copy(pictures / "demo" / "more" / moved.name, pictures / "a-copy.jpg")
        second = index(pictures, "--library", place)
        assert (first.code, second.code, second.moved, second.duplicates) == (1, 1, 1, 1)
        (pictures / "a-copy.jpg").unlink()
        third = index(pictures, "--library", place, "--prune", "--yes")
        assert third.code == 1
        (pictures / "demo" / "more" / moved.name).rename(moved)
    # They were walked one after the other, and the moved file changed in between.
    assert_same(library, on_postgres, without=("photos", "failures"))
    names = "SELECT path, folder, name, ext, missing_since FROM photos"
    assert sorted(library_tables.execute(library, names)) == sorted(library_tables.execute(on_postgres, names))


def test_two_runs_at_once_of_different_roots_end_in_the_library_of_one_after_the_other(
    pictures: Path, tmp_path: Path, library: Path, on_postgres: Path, index: Any, tiny_space: str
) -> None:
    again = tmp_path / "again"  # the same contents under another root
    shutil.copytree(pictures / "demo", again)
    shutil.copy(AWKWARD / "cut_short.jpg", again)
    runs = [start(folder, on_postgres, tiny_space, "--batch-size", "4", "--json") for folder in (pictures, again)]
    ends = [each.communicate(timeout=240) for each in runs]
    assert [each.returncode for each in runs] == [1, 1], ends
    for folder in (pictures, again):
        assert index(folder).code == 1
    assert_same(library, on_postgres, without=("roots",))
    states = library_tables.execute(on_postgres, "SELECT state FROM runs")
    assert states == [("done",), ("done",)]
    with Library.open(on_postgres) as opened:
        assert opened.integrity() == []
        assert opened.catalog.contents_without_photo_count() == 0
        assert not is_indexing(on_postgres)


def test_killed_runs_go_on_where_they_were_and_are_called_killed(
    pictures: Path, library: Path, on_postgres: Path, index: Any, tiny_space: str
) -> None:
    arguments = [str(pictures), "--library", str(on_postgres), "--space", tiny_space, "--batch-size", "4", "--quiet"]
    for number in (4, 6, 9):
        assert faults.run(arguments, "commit", number, faults.kill) == -signal.SIGKILL
        while is_indexing(on_postgres):  # until the server has seen that it is gone
            time.sleep(0.02)
    assert index(pictures, "--library", on_postgres).code == 1
    assert index(pictures).code == 1
    assert_same(library, on_postgres)
    states = [row[0] for row in library_tables.execute(on_postgres, "SELECT state FROM runs ORDER BY id")]
    assert states[-1] == "done"
    assert set(states[:-1]) <= {"killed"}


def test_a_second_run_of_the_same_root_or_one_in_it_waits_and_another_root_does_not(
    pictures: Path, tmp_path: Path, on_postgres: Path, index: Any
) -> None:
    other = tmp_path / "other"
    shutil.copytree(DEMO, other)
    assert index(pictures, "--library", on_postgres).code == 1
    with locked(on_postgres, [os.fsencode(pictures)]):
        assert is_indexing(on_postgres)
        assert indexer_pid(on_postgres) == os.getpid()
        for folder in (pictures, pictures / "demo", tmp_path):
            refused = index(folder, "--library", on_postgres)
            assert refused.code == 75, (folder, refused.err)
            assert f"process {os.getpid()}" in refused.err
        for command in (["forget", str(pictures)], ["verify", "--repair"]):
            assert run([*command, "--library", str(on_postgres)]) == 75, command
        assert index(other, "--library", on_postgres).code == 0
    with locked(on_postgres):
        assert index(other, "--library", on_postgres).code == 75
    # The folder is a part of a root: it is the root that is locked.
    with locked(on_postgres, [os.fsencode(pictures / "demo")]):
        assert index(pictures / "awkward", "--library", on_postgres).code == 75


def test_a_run_that_is_at_work_is_not_called_killed_by_another(
    tmp_path: Path, photos: Path, on_postgres: Path, index: Any
) -> None:
    code = (
        "import sys; from pathlib import Path; from store.library import Library; from store.lock import locked\n"
        "from store.tables.writer import Writer\n"
        "path = Path(sys.argv[1])\n"
        "with locked(path, [b'/elsewhere']), Library.create(path) as library:\n"
        "    Writer(library.catalog.engine).start_run(None)\n"
        "    print('running', flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, on_postgres], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "running\n"
        assert index(photos, "--library", on_postgres).code == 0
        assert _states(on_postgres) == ["running", "done"]
        seen = read_run(on_postgres)
        assert seen is not None
        assert seen.pid == other.pid
    finally:
        other.kill()
        other.communicate()
    while is_indexing(on_postgres):  # until the server has seen that it is gone
        time.sleep(0.02)
    assert index(photos, "--library", on_postgres).code == 0
    assert _states(on_postgres) == ["killed", "done", "done"]


def _states(library: Path) -> list[str]:
    if not library_tables.execute(library, "SELECT 1 WHERE to_regclass('runs') IS NOT NULL"):
        return []
    return [row[0] for row in library_tables.execute(library, "SELECT state FROM runs ORDER BY id")]


def test_what_is_damaged_is_found_and_mended(pictures: Path, on_postgres: Path, index: Any) -> None:
    assert index(pictures, "--library", on_postgres).code == 1
    library_tables.execute(
        on_postgres, "UPDATE vectors SET vector = decode(repeat('00', length(vector)), 'hex') WHERE id <= 2"
    )
    library_tables.execute(on_postgres, "UPDATE looks SET hash = hash + 1 WHERE content_id = 3")
    library_tables.execute(on_postgres, "UPDATE contents SET photo_count = 7 WHERE id = 4")
    library_tables.execute(on_postgres, "DELETE FROM texts WHERE rowid = (SELECT min(rowid) FROM texts)")
    verify = ["verify", "--library", str(on_postgres)]
    assert run(verify) == 1
    assert run([*verify, "--repair"]) in (0, 1)
    assert index(pictures, "--library", on_postgres).code == 1
    assert run(verify) == 0
    assert library_tables.execute(on_postgres, "SELECT count(*) FROM contents WHERE photo_count = 7") == [(0,)]


def test_another_folder_of_the_same_database_is_the_same_library(
    pictures: Path, tmp_path: Path, on_postgres: Path, index: Any
) -> None:
    elsewhere = tmp_path / "another-machine"
    assert index(pictures, "--library", on_postgres).code == 1
    write(elsewhere, Remote(database=remote_of(on_postgres).database))
    assert index("status", "--library", elsewhere, space=None).pictures == 35
    second = index(pictures, "--library", elsewhere)
    assert (second.code, second.added, second.unchanged) == (1, 0, 35)


def test_an_index_that_another_machine_outgrew_is_behind_and_not_damaged(
    photos: Path, tmp_path: Path, on_postgres: Path, index: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more").mkdir()
    for picture in sorted(photos.rglob("*.jpg"))[:5]:
        picture.rename(tmp_path / "more" / picture.name)
    assert index(photos, "--library", on_postgres).code == 0
    elsewhere = tmp_path / "another-machine"
    write(elsewhere, Remote(database=remote_of(on_postgres).database))
    assert index(tmp_path / "more", "--library", elsewhere).added == 5
    capfd.readouterr()
    assert run(["verify", "--library", str(on_postgres)]) == 0
    assert "behind what other machines indexed" in capfd.readouterr().out
    assert index(photos, "--library", on_postgres).code == 0
    assert run(["verify", "--library", str(on_postgres)]) == 0
    assert "24 vectors, as in the database" in capfd.readouterr().out


def test_pythons_door_makes_a_library_of_an_empty_database_and_searches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    pictures = tmp_path / "photos"
    pictures.mkdir()
    for path in sorted(DEMO.rglob("*.jpg"))[:3]:
        shutil.copy(path, pictures)
    with postgres.database() as address:
        with sightline.Library(address, offline=True) as library:
            assert library.index([pictures], space="demo")["failed"] == 0
            assert len(library.search("boat")) == 3
        with sightline.Library(address, offline=True) as again:
            assert len(again.search("boat")) == 3
