"""Runs whose files are read and encoded by workers of a Ray cluster."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ray_cluster import RayCluster, below, environment, ray_cluster
from searching import vectors_of

from indexer.commands import run
from indexer.demo.pictures import write_pictures
from store.errors import LibraryError
from store.library import Library

pytest.importorskip("ray", reason="these runs are on Ray")

PICTURES, MANY = 40, 320
ON = ("--on", "ray", "--on-workers", "2", "--on-cpus", "1", "--space", "demo", "--json")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    with ray_cluster(tmp_path_factory.mktemp("ray")) as made:
        yield made


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn pictures, two copies of one, and a file that is none."""
    folder = tmp_path_factory.mktemp("drawn") / "photos"
    write_pictures(folder, PICTURES, 0, (640, 480))
    one = min(folder.rglob("*.jpg"))
    for name in ("copy.jpg", "another.jpg"):
        shutil.copy(one, folder / name)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return folder


@pytest.fixture(scope="module")
def expected(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of a run in this process."""
    path = tmp_path_factory.mktemp("expected") / "library"
    assert run([str(drawn), "--library", str(path), "--space", "demo", "--quiet"]) == 1
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many pictures as take some ten seconds."""
    folder = tmp_path_factory.mktemp("many") / "photos"
    folder.mkdir()
    random = np.random.default_rng(3)
    for number in range(MANY):
        small = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(small).resize((960, 720)).save(folder / f"{number:03d}.jpg", quality=95)
    return folder


@pytest.fixture(scope="module")
def expected_of_many(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("expected") / "library"
    assert run([str(many), "--library", str(path), "--space", "demo", "--quiet"]) == 0
    return path


def _begin(cluster: RayCluster, photos: Path, library: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "indexer", str(photos), "--library", str(library), *ON, *options]
    return subprocess.Popen(command, env=cluster.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _end(process: subprocess.Popen[str], code: int) -> dict[str, object]:
    out, said = process.communicate(timeout=240)
    assert process.returncode == code, said
    assert said == ""
    summary = json.loads(out)
    assert isinstance(summary, dict)
    return summary


def _facts(library: Library) -> list[tuple[object, ...]]:
    """What a library holds, whatever the numbers are that it gave it."""
    queries = (
        "SELECT hash, size, width, height, format, orientation, taken_at, camera_model, latitude, title, photo_count"
        " FROM contents ORDER BY hash",
        "SELECT path, size, mtime_ns, (SELECT hash FROM contents WHERE id = content_id) FROM photos ORDER BY path",
        "SELECT path, stage, reason, size, mtime_ns FROM failures ORDER BY path",
    )
    with library.catalog.engine.connect() as connection:
        return [tuple(row) for query in queries for row in connection.exec_driver_sql(query)]


def _looks(library: Library) -> list[int]:
    """The levels of the small grey pictures of all contents, by their hash."""
    query = "SELECT looks.grey FROM looks JOIN contents ON contents.id = content_id ORDER BY contents.hash"
    with library.catalog.engine.connect() as connection:
        return list(b"".join(connection.exec_driver_sql(query).scalars()))


def _assert_same(made: Path, expected: Path) -> None:
    with Library.open(made) as here, Library.open(expected) as there:
        assert _facts(here) == _facts(there)
        mine, others = vectors_of(here), vectors_of(there)
        assert mine.keys() == others.keys()
        for key, vector in mine.items():
            assert float(vector.astype(np.float64) @ others[key].astype(np.float64)) > 0.999
        assert _looks(here) == pytest.approx(_looks(there), abs=2)  # Pillow and torch shrink alike to a level or two
        assert list(here.thumbnails.hashes()) == list(there.thumbnails.hashes())


def _wait_for_vectors(library: Path, least: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 200
    while process.poll() is None and time.monotonic() < until:
        with suppress(LibraryError), Library.open(library) as opened:  # else it is being made
            if opened.catalog.counts().pictures >= least:
                return
        time.sleep(0.05)
    raise AssertionError(process.communicate())


def test_a_run_on_a_cluster_makes_the_library_of_a_run_without_one(
    cluster: RayCluster, drawn: Path, expected: Path, tmp_path: Path
) -> None:
    summary = _end(_begin(cluster, drawn, tmp_path / "library"), 1)
    assert (summary["encoded"], summary["failed"], summary["duplicates"]) == (PICTURES, 1, 2)
    _assert_same(tmp_path / "library", expected)
    with Library.open(tmp_path / "library") as made, Library.open(expected) as other:
        for content_hash in other.thumbnails.hashes():
            assert made.thumbnails.read(content_hash) is not None
    again = _end(_begin(cluster, drawn, tmp_path / "library"), 1)
    assert (again["encoded"], again["added"]) == (0, 0)


def test_a_worker_that_is_killed_costs_time_and_nothing_else(
    cluster: RayCluster, many: Path, expected_of_many: Path, tmp_path: Path
) -> None:
    process = _begin(cluster, many, tmp_path / "library")
    _wait_for_vectors(tmp_path / "library", 1, process)
    for worker in cluster.workers()[:1]:
        os.kill(worker, signal.SIGKILL)
    summary = _end(process, 0)
    assert summary["encoded"] == MANY
    _assert_same(tmp_path / "library", expected_of_many)


@pytest.mark.nightly
def test_a_run_that_is_killed_is_gone_on_with_and_nothing_is_there_twice(
    cluster: RayCluster, many: Path, expected_of_many: Path, tmp_path: Path
) -> None:
    process = _begin(cluster, many, tmp_path / "library")
    _wait_for_vectors(tmp_path / "library", 1, process)
    process.kill()
    process.communicate()
    with Library.open(tmp_path / "library") as opened:
        held = opened.catalog.counts().pictures
    assert 0 < held < MANY
    summary = _end(_begin(cluster, many, tmp_path / "library"), 0)
    assert summary["encoded"] == MANY - held
    _assert_same(tmp_path / "library", expected_of_many)


@pytest.mark.nightly
def test_a_cluster_of_this_machine_ends_with_its_run_however_that_ends_and_leaves_nothing(
    many: Path, expected_of_many: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    cluster = RayCluster(subprocess.Popen(["true"], text=True), environment(tmp_path / "ray") | {"HOME": str(home)})
    process = _begin(cluster, many, tmp_path / "library")
    _wait_for_vectors(tmp_path / "library", 1, process)
    started = below(process.pid)
    assert len(started) > 4
    process.kill()
    process.communicate()
    until = time.monotonic() + 90
    while any(map(_is_running, started)) and time.monotonic() < until:
        time.sleep(0.2)
    assert not any(map(_is_running, started))
    process = _begin(cluster, many, tmp_path / "library")
    _end(process, 0)
    _assert_same(tmp_path / "library", expected_of_many)
    assert not (home / ".ray").exists()
    folders = Path(tempfile.gettempdir()).glob(f"sightline-ray-{process.pid}-*")
    assert list(folders) == []


def _is_running(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:4]
    except OSError:
        return False


@pytest.mark.nightly
def test_a_run_that_is_interrupted_ends_in_seconds_and_its_workers_with_it(
    cluster: RayCluster, many: Path, tmp_path: Path
) -> None:
    process = _begin(cluster, many, tmp_path / "library")
    _wait_for_vectors(tmp_path / "library", 1, process)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["interrupted"] is True
    until = time.monotonic() + 30
    while cluster.workers() and time.monotonic() < until:
        time.sleep(0.1)
    assert cluster.workers() == []


def test_workers_that_there_is_no_room_for_are_named_before_anything_is_read(
    cluster: RayCluster, drawn: Path, tmp_path: Path
) -> None:
    process = _begin(cluster, drawn, tmp_path / "library", "--on-workers", "5000")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert said.startswith("Error: There is no room for 5,000 workers of 1 core and ")
    assert "Say --on-workers" in said
