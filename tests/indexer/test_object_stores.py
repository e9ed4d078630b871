"""Pictures in stores of objects are indexed as those of a folder are, and no failure of a store loses any."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import object_store
import pytest
from object_store import Bucket
from pictures import encoded
from PIL import Image
from support import Index

import sightline
from search_ui.runtime.index_runs import Runner
from store.objects import Listed, ObjectFacts, Objects, forget, objects
from store.remote import DATABASE


def rows(library: Path, query: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(library / DATABASE)) as connection, connection:
        return connection.execute(query, values).fetchall()


def indexed(library: Path) -> list[Any]:
    """Of each present photo its path, and of its content the hash, all facts and the vector."""
    no_facts = {"id", "first_seen", "added_at"}
    columns = [row[1] for row in rows(library, "PRAGMA table_info(contents)") if row[1] not in no_facts]
    named = ", ".join(f"contents.{name}" for name in columns)
    return rows(
        library,
        f"SELECT path, {named}, vector FROM photos JOIN contents ON contents.id = photos.content_id "
        "JOIN vectors ON vectors.content_id = contents.id WHERE missing_since IS NULL ORDER BY path",
    )


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 12, 3), np.uint8)
    return encoded(Image.fromarray(pixels).resize((96, 64)), "JPEG")


def test_a_bucket_gives_the_library_that_its_folder_gives(
    photos: Path, bucket: Bucket, index: Index, library: Path, tmp_path: Path
) -> None:
    bucket.put_folder(photos)
    other = tmp_path / "other"
    here, there = index(photos, "--library", other), index(bucket.address)
    assert (there.code, there.added, there.failed) == (here.code, here.added, here.failed) == (0, 24, 0)
    assert indexed(library) == indexed(other)
    assert rows(library, "SELECT path, display FROM roots") == [(bucket.address.encode(), bucket.address)]
    again = index(bucket.address + "/")
    assert (again.unchanged, again.added, again.changed) == (24, 0, 0)
    assert index(bucket.address, "--dry-run").out == ""


def test_what_changed_in_a_bucket_is_found_by_its_etag_alone(bucket: Bucket, index: Index, library: Path) -> None:
    names = ["a.jpg", "2024/b.jpg", "2024/c.jpg", "d.jpg"]
    for seed, name in enumerate(names):
        bucket.put(name, picture(seed))
    assert index(bucket.address).added == 4
    bucket.put("2024/b.jpg", picture(77))
    facts = objects(bucket.address).facts(b"2024/b.jpg")
    # As if it had been written within the same second, with the same number of bytes.
    rows(library, "UPDATE photos SET size = ?, mtime_ns = ? WHERE path = ?", facts.size, facts.mtime_ns, b"2024/b.jpg")
    found = index(bucket.address)
    assert (found.changed, found.unchanged) == (1, 3)


def test_what_moved_in_a_bucket_keeps_its_vector_and_what_is_gone_leaves_the_results(
    bucket: Bucket, index: Index, library: Path
) -> None:
    for seed in range(8):
        bucket.put(f"{seed}.jpg", picture(seed))
    assert index(bucket.address).added == 8
    bucket.move("0.jpg", "trip/new name #1 100%.jpg")
    bucket.remove("1.jpg")
    found = index(bucket.address)
    assert (found.code, found.moved, found.missing, found.encoded) == (0, 1, 1, 0)
    assert len(indexed(library)) == 7
    bucket.put("1.jpg", picture(1))
    assert index(bucket.address).restored == 1
    bucket.remove("1.jpg")
    assert index(bucket.address, "--prune").forgotten == 1
    assert rows(library, "SELECT count(*) FROM photos") == [(7,)]


def test_a_broken_object_costs_itself_and_is_named(bucket: Bucket, index: Index, library: Path) -> None:
    bucket.put("good.jpg", picture(1))
    bucket.put("cut.jpg", picture(2)[:500])
    bucket.put("odd/v?versionId=3.jpg", picture(3))
    found = index(bucket.address)
    assert (found.code, found.added, found.failed) == (1, 1, 2)
    assert rows(library, "SELECT path, stage FROM failures ORDER BY path") == [
        (b"cut.jpg", "open"),
        (b"odd/v?versionId=3.jpg", "walk"),
    ]
    again = index(bucket.address)
    assert (again.failed, again.failed_now) == (2, 1)  # what did not change is not tried again


def test_a_listing_that_fails_marks_nothing_missing(
    bucket: Bucket, index: Index, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jpg", "in/b.jpg", "in/c.jpg", "z/d.jpg"):
        bucket.put(name, picture(ord(name[0]) + len(name) + ord(name[-5])))
    assert index(bucket.address).added == 4
    listed = Objects.listed

    def failing(self: Objects, folder: bytes = b"") -> list[Listed]:
        if folder == b"in":
            raise PermissionError(13, "its store denies it: Forbidden")
        return listed(self, folder)

    bucket.remove("z/d.jpg")
    with monkeypatch.context() as patch:
        patch.setattr(Objects, "listed", failing)
        found = index(bucket.address)
    assert (found.code, found.missing) == (1, 1)
    assert rows(library, "SELECT path, reason FROM failures") == [
        (b"in", "can't be looked into: its store denies it: Forbidden")
    ]
    assert [path for path, *_ in indexed(library)] == [b"a.jpg", b"in/b.jpg", b"in/c.jpg"]


@pytest.mark.parametrize("how", ["emptied", "gone", "unreachable", "denied"])
def test_a_bucket_that_is_emptied_or_away_changes_nothing(
    how: str, bucket: Bucket, index: Index, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("a.jpg", picture(1))
    assert index(bucket.address).added == 1
    before = rows(library, "SELECT * FROM photos")
    if how in ("emptied", "gone"):
        bucket.remove("a.jpg")
    if how == "gone":
        bucket.client.delete_bucket(Bucket=bucket.name)
    if how == "unreachable":
        import fsspec.config

        monkeypatch.setitem(
            fsspec.config.conf, "s3",
            {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}},
        )  # fmt: skip
        forget()
    if how == "denied":

        def denied(self: Objects, folder: bytes = b"") -> list[Listed]:
            raise PermissionError(13, "its store denies it: Forbidden")

        monkeypatch.setattr(Objects, "listed", denied)
    found = index(bucket.address)
    assert found.code == 2
    assert bucket.address in found.err
    assert "Nothing was changed" in found.err
    assert rows(library, "SELECT * FROM photos") == before


def test_a_prune_doubts_a_folder_of_a_bucket_that_is_gone_as_a_whole(
    bucket: Bucket, index: Index, library: Path
) -> None:
    for number in range(12):
        bucket.put(f"{'in/' if number < 2 else ''}{number}.jpg", picture(number))
    assert index(bucket.address).added == 12
    for number in range(3):
        bucket.remove(f"{'in/' if number < 2 else ''}{number}.jpg")
    found = index(bucket.address, "--prune")
    assert (found.code, found.forgotten) == (2, 1)
    assert f"{bucket.address}/in (2 photos: it is gone)" in found.err
    assert index(bucket.address, "--prune-emptied").forgotten == 2
    assert rows(library, "SELECT count(*) FROM photos") == [(9,)]


def test_a_store_that_goes_away_ends_the_run_and_fails_no_picture(
    bucket: Bucket, index: Index, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        bucket.put(f"{number:02}.jpg", picture(number))
    fetch, facts, given = Objects.fetch, Objects.facts, [0]

    def away(self: Objects, path: bytes, *rest: Any, **options: Any) -> None:
        given[0] += 1
        if given[0] > 5:
            raise TimeoutError(110, "its store does not answer")
        fetch(self, path, *rest, **options)

    def silent(self: Objects, path: bytes) -> ObjectFacts:
        if given[0] > 5:
            raise TimeoutError(110, "its store does not answer")
        return facts(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "fetch", away)
        patch.setattr(Objects, "facts", silent)
        found = index(bucket.address)
    assert found.code == 2
    assert "does not give its objects any more" in found.err
    assert rows(library, "SELECT count(*) FROM failures")[0][0] < 5
    assert rows(library, "SELECT count(*) FROM photos WHERE missing_since IS NOT NULL") == [(0,)]
    found = index(bucket.address)
    assert (found.code, found.failed) == (0, 0)
    assert len(indexed(library)) == 60


def test_another_store_behind_the_address_changes_nothing(
    bucket: Bucket, index: Index, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec.config

    for number in range(8):
        bucket.put(f"{number}.jpg", picture(number))
    assert index(bucket.address).added == 8
    with object_store.server() as endpoint:
        other = Bucket(bucket.name, object_store.client(endpoint), {})
        other.client.create_bucket(Bucket=bucket.name)
        monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": endpoint})
        forget()
        for number in range(8):
            other.put(f"{number}.jpg", picture(100 + number))
        found = index(bucket.address)
        assert found.code == 2
        assert f"Another store than before answers at {bucket.address}" in found.err
        assert rows(library, "SELECT count(*) FROM photos WHERE missing_since IS NULL") == [(8,)]
        # A copy of the store is the same one, wherever it lies.
        for number in range(8):
            other.put(f"{number}.jpg", picture(number))
        found = index(bucket.address)
        assert (found.code, found.encoded, found.missing) == (0, 0, 0)


def test_a_bucket_is_looked_through_now_and_then_by_a_watcher(
    bucket: Bucket, index: Index, library: Path, tiny_space: str
) -> None:
    bucket.put("a.jpg", picture(1))
    assert index(bucket.address).added == 1
    command = [sys.executable, "-m", "indexer", "watch", bucket.address, "--every", "0.5", "--library", str(library)]
    watcher = subprocess.Popen([*command, "--space", tiny_space, "-q"], env={**os.environ, **bucket.environment})
    try:
        bucket.put("b.jpg", picture(2))
        until = time.monotonic() + 120
        while rows(library, "SELECT count(*) FROM photos") != [(2,)]:
            assert watcher.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)
    finally:
        watcher.send_signal(signal.SIGTERM)
        assert watcher.wait(60) == 143


def test_a_sidecar_in_a_bucket_counts_and_one_that_comes_is_found(bucket: Bucket, index: Index, library: Path) -> None:
    bucket.put("a.jpg", picture(1))
    assert index(bucket.address).added == 1
    assert rows(library, "SELECT rating FROM contents") == [(None,)]
    bucket.put(
        "a.jpg.xmp",
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>',
    )
    assert index(bucket.address).encoded == 0
    assert rows(library, "SELECT rating FROM contents") == [(4,)]


def test_hidden_names_caches_and_patterns_are_left_out_in_a_bucket_too(
    bucket: Bucket, index: Index, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(
        ["a.jpg", ".hidden/b.jpg", "x/.c.jpg", "@eaDir/d.jpg", "out/e.jpg", "notes.txt", "sub/", "photo", "text"]
    ):
        bucket.put(name, b"" if name.endswith("/") else b"no picture" if name == "text" else picture(number))
    bucket.put("x//lost.jpg", picture(40))
    found = index(bucket.address, "--exclude", "out")
    assert (found.added, found.other_files) == (2, 2)
    assert [path for path, *_ in indexed(library)] == [b"a.jpg", b"photo"]
    assert rows(library, "SELECT path FROM failures") == [(b"x/",)]
    read: list[bytes] = []
    begins = Objects.begins

    def noted(self: Objects, path: bytes, size: int) -> bytes:
        read.append(path)
        return begins(self, path, size)

    monkeypatch.setattr(Objects, "begins", noted)
    assert index(bucket.address).unchanged == 2
    assert read == [b"text"]
    assert index(bucket.address, "--no-exclude", "--hidden", "--caches").added == 4


def test_a_part_of_a_bucket_is_walked_as_part_of_it(bucket: Bucket, index: Index, library: Path) -> None:
    for number, name in enumerate(["a.jpg", "in/b.jpg", "in/c.jpg"]):
        bucket.put(name, picture(number))
    assert index(f"{bucket.address}/in").added == 2
    assert index(bucket.address).added == 1
    bucket.put("in/d.jpg", picture(9))
    bucket.remove("a.jpg")
    found = index(f"{bucket.address}/in")
    assert (found.added, found.missing) == (1, 0)
    assert rows(library, "SELECT path FROM roots") == [(bucket.address.encode(),)]


def test_a_killed_run_over_a_bucket_goes_on_and_ends_with_the_same_library(
    photos: Path, bucket: Bucket, index: Index, library: Path, tmp_path: Path, tiny_space: str
) -> None:
    bucket.put_folder(photos)
    other = tmp_path / "other"
    assert index(photos, "--library", other).added == 24
    command = [sys.executable, "-m", "indexer", bucket.address, "--library", str(library), "--space", tiny_space, "-q"]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, **bucket.environment, "TMPDIR": str(temporary)}
    process = subprocess.Popen([*command, "--workers", "1"], env=environment)
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until and not list(temporary.glob("sightline-objects-*/*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(temporary.glob("sightline-objects-*"))
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    here, there = indexed(library), indexed(other)
    assert [row[:-1] for row in here] == [row[:-1] for row in there]
    # Pictures that were encoded in other batches differ by their last bits.
    vectors = [np.frombuffer(b"".join(row[-1] for row in found), "<f2").astype(np.float32) for found in (here, there)]
    assert np.abs(vectors[0] - vectors[1]).max() < 2e-3
    assert not list(temporary.glob("sightline-objects-*"))


def test_pictures_in_the_memory_of_the_process_are_indexed_too(index: Index, library: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe({f"/of-this-test/{number}.jpg": picture(number) for number in range(5)})
    try:
        assert index("memory://of-this-test").added == 5
        memory.rm("/of-this-test/3.jpg")
        memory.pipe("/of-this-test/1.jpg", picture(11))
        found = index("memory://of-this-test")
        assert (found.changed, found.missing, found.unchanged) == (1, 1, 3)
        assert rows(library, "SELECT path FROM roots") == [(b"memory://of-this-test",)]
    finally:
        memory.rm("/of-this-test", recursive=True)


def test_python_and_the_page_index_an_address(bucket: Bucket, library: Path, tiny_space: str) -> None:
    bucket.put("in/a.jpg", picture(1))
    with sightline.Library(library) as opened:
        assert opened.index([bucket.address], space=tiny_space)["added"] == 1
    bucket.put("in/b.jpg", picture(2))
    runner = Runner(library, offline=True)
    started = runner.index([Path(bucket.address)])
    assert started.folders == (bucket.address,)
    until = time.monotonic() + 100
    while runner.run is not None and runner.run.is_running and time.monotonic() < until:
        time.sleep(0.1)
    assert rows(library, "SELECT path FROM photos ORDER BY path") == [(b"in/a.jpg",), (b"in/b.jpg",)]


def test_a_file_address_is_the_folder_itself(photos: Path, index: Index, library: Path) -> None:
    assert index(f"file://{photos}").added == 24
    assert rows(library, "SELECT path FROM roots") == [(os.fsencode(photos),)]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://key:s3cret@bucket/photos", "key or password"),
        ("s3://AKIAKEY@bucket/photos", "key or password"),
        ("sftp://me:s3cret@host/photos", "key or password"),
        ("https://example.org/photos", "can't be listed"),
        ("nosuch://place/photos", "names no store"),
        ("gs://bucket/photos", "pip install gcsfs"),
    ],
)
def test_an_address_that_is_none_is_refused_in_a_sentence(address: str, said: str, index: Index, library: Path) -> None:
    found = index(address)
    assert found.code == 2
    assert said in found.err
    assert "s3cret" not in found.err
    assert "AKIAKEY" not in found.err
    assert not library.exists()
