"""How far a run is can be read while it runs, from anywhere, and never outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import AWKWARD, Index

from indexer.chosen_spaces import Chosen
from indexer.commands import run
from indexer.options import Options
from indexer.pipeline import Pipeline
from sightline.models.resolve import resolve
from store import progress
from store.library import Library
from store.lock import FORMER, RUN, indexer_pid, is_indexing, locked
from store.progress import Progress

COUNT = 400
ONE = Progress(os.getpid(), "2026-01-31T12:00:00+00:00", ("/photos",), "indexing", 3, None, 1.5, "encode", 0, "2026")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that take a run a while, and one that is broken."""
    folder = tmp_path_factory.mktemp("many")
    generator = np.random.default_rng(0)
    for number in range(COUNT):
        Image.fromarray(generator.integers(0, 256, (240, 320, 3), dtype=np.uint8)).save(folder / f"{number:04}.png")
    (folder / "0000-broken.jpg").write_bytes((AWKWARD / "cut_short.jpg").read_bytes())
    return folder


def start(folder: Path, library: Path, space: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "indexer", folder, "--library", library, "--space", space, "--quiet"]
    return subprocess.Popen([*map(str, command), "--batch-size", "1", "--workers", "1"], text=True)


def watched(process: subprocess.Popen[str], library: Path) -> list[Progress]:
    """All that a run said, until it ended."""
    seen: list[Progress] = []
    while process.poll() is None:
        now = progress.read(library)
        if now is not None and now not in seen[-1:]:
            seen.append(now)
        time.sleep(0.005)
    return seen


@pytest.mark.slow
def test_a_run_says_how_far_it_is_until_it_ends(many: Path, tmp_path: Path, tiny_space: str) -> None:
    library = tmp_path / "library"
    process = start(many, library, tiny_space)
    seen = watched(process, library)
    assert process.returncode == 1  # the broken file
    assert {(each.pid, each.folders) for each in seen} == {(process.pid, (str(many),))}
    phases = list(dict.fromkeys(each.phase for each in seen))
    assert phases[:3] == ["loading", "looking", "indexing"]  # the model is tried before, and loaded while it looks
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    last = next(each for each in reversed(seen) if each.phase == "indexing")
    assert (last.total, last.failed) == (COUNT + 1, 1)
    assert 0 < last.done <= COUNT + 1
    assert last.rate > 0
    assert last.bound_by in ("walk", "decode", "encode", "write")
    for each in seen:
        assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(each.started) < timedelta(minutes=5)
        assert each.started <= each.updated
    assert progress.read(library) is None
    assert not (library / RUN).exists()


def test_what_a_killed_run_left_behind_is_not_believed(many: Path, tmp_path: Path, tiny_space: str) -> None:
    library = tmp_path / "library"
    process = start(many, library, tiny_space)
    while progress.read(library) is None:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (library / RUN).exists()
    assert not is_indexing(library)
    assert progress.read(library) is None
    with locked(library):  # the next run, before it has said anything
        assert progress.read(library) is None


def test_what_is_written_is_read_while_the_library_is_held(tmp_path: Path) -> None:
    with locked(tmp_path):
        assert progress.read(tmp_path) is None
        progress.write(tmp_path, ONE)
        assert progress.read(tmp_path) == ONE
    assert progress.read(tmp_path) is None


DAMAGED = (
    {"phase": "sleeping"}, {"done": "3"}, {"total": "many"}, {"rate": None}, {"folders": 3}, {"folders": [3]},
    {"more": 1}, {"updated": 5}, {"pid": 7},
)  # fmt: skip


@pytest.mark.parametrize("wrong", DAMAGED, ids=str)
def test_damaged_progress_is_none(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with locked(tmp_path):
        progress.write(tmp_path, ONE)
        run = json.loads((tmp_path / RUN).read_text())
        (tmp_path / RUN).write_text(json.dumps(run | {"progress": run["progress"] | wrong}))
        assert progress.read(tmp_path) is None
        assert indexer_pid(tmp_path) == os.getpid()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", "[" * 100_000, '{"pid": "?", "since": "", "progress": 1}']
)
def test_a_damaged_file_names_no_run(tmp_path: Path, text: str) -> None:
    with locked(tmp_path):
        (tmp_path / RUN).write_text(text)
        assert is_indexing(tmp_path)
        assert indexer_pid(tmp_path) is None
        assert progress.read(tmp_path) is None


def test_the_status_says_how_far_a_run_is(
    photos: Path, index: Index, library: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    index(photos)
    for total, said in ((None, "3 files so far"), (10, "3 of 10 files")):
        with locked(library):
            progress.write(library, replace(ONE, total=total))
            assert index("status", space=None).progress["total"] == total
            assert run(["status", "--library", str(library)]) == 0
        assert f"(an indexer is at work on it: {said})" in capfd.readouterr().out
    assert index("status", space=None).progress is None


def test_the_summary_says_what_limited_a_run_with_v_only(
    photos: Path, tmp_path: Path, tiny_space: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for more, said in (((), False), (("-v",), True)):
        assert run([str(photos), "--library", str(tmp_path / f"of{len(more)}"), "--space", tiny_space, *more]) == 0
        shown = capfd.readouterr().err
        assert "24 new.\n" in shown
        assert ("24 pictures encoded in" in shown) is said
        assert (", limited by: " in shown) is said


def test_status_and_spaces_count_pictures_and_leave_keys_to_json(
    photos: Path, index: Index, library: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    index(photos)
    with Library.open(library) as opened:
        (space,) = opened.catalog.spaces()
    for command in ("status", "spaces"):
        assert run([command, "--library", str(library)]) == 0
        shown = capfd.readouterr().out
        assert f"{space.name}  24 pictures" in shown
        assert space.key not in shown


def test_a_run_that_cant_say_how_far_it_is_runs_all_the_same(photos: Path, library: Path, tiny_space: str) -> None:
    (library / RUN).mkdir(parents=True)  # nothing can be renamed to its name
    with Library.create(library) as opened:
        assert Pipeline(opened, Chosen([resolve(tiny_space)]), Options()).run([photos]).added == 24


def test_what_killed_runs_of_earlier_versions_left_is_swept_by_the_next(
    photos: Path, index: Index, library: Path
) -> None:
    library.mkdir()
    for name in FORMER:
        (library / name).write_text('{"pid": 1, "since": "2025"}')
    assert not is_indexing(library)
    assert index(photos).code == 0
    assert not any((library / name).exists() for name in FORMER)
