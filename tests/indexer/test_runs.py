"""Runs as a user has them: in a process of their own, killed, interrupted, doubled, and given bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
from PIL import Image
from support import AWKWARD, DEMO, ROOT, Index, as_nobody

from indexer.model_table import table_lines
from sightline.models.presets import PRESETS
from store.library import Library
from store.remote import DATABASE
from store.tables.fact_table import READ_NAMES

COUNT = 700


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough small pictures, some of them broken, for a run that can be caught in the middle."""
    folder = tmp_path_factory.mktemp("many")
    generator = np.random.default_rng(0)
    for number in range(COUNT):
        place = folder / f"{number % 7}"
        place.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(place / f"{number:04}.png")
    for number in range(0, COUNT, 100):
        shutil.copy(AWKWARD / "cut_short.jpg", folder / f"broken-{number}.jpg")
    return folder


def start(folder: Path, library: Path, space: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "indexer", str(folder), "--library", str(library), "--space", space, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def committed(library: Path) -> int:
    try:
        connection = sqlite3.connect(f"file:{library / DATABASE}?mode=ro", uri=True)
        return int(connection.execute("SELECT count(*) FROM vectors").fetchone()[0])
    except sqlite3.Error:
        return 0


def thumbnails(library: Path) -> int:
    return sum(1 for _ in (library / "thumbnails").rglob("*.jpg"))


def wait_for(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert process.poll() is None, f"the run was over before it could be caught: {process.communicate()}"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def contents(library: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, tuple[str, str]]]:
    """Everything a library says: facts by path, vectors by path, failures by path."""
    with Library.open(library) as opened:
        assert opened.integrity() == []
        index = opened.vectors.get(1)
        ids = index.ids
        photos = opened.catalog.photos([int(id_) for id_ in ids])
        shown = {
            row.display: (row.hash, row.copies, tuple(row.facts[name] for name in READ_NAMES))
            for row in photos.values()
        }
        vectors = index.vectors_of(ids)
        by_path = {photos[int(id_)].display: vector for id_, vector in zip(ids, vectors, strict=True)}
        failures = {failure.display: (failure.stage, failure.reason) for failure in opened.catalog.failures()}
        return shown, by_path, failures


def assert_same(one: Path, other: Path) -> None:
    facts, vectors, failures = contents(one)
    other_facts, other_vectors, other_failures = contents(other)
    assert facts == other_facts
    assert failures == other_failures
    assert vectors.keys() == other_vectors.keys()
    for path, vector in vectors.items():
        # Batches are cut elsewhere after a kill, and a long run resizes by other kernels, which moves the last bits.
        assert float(vector @ other_vectors[path]) >= 0.9995


@pytest.mark.slow
def test_killed_runs_end_in_the_library_of_an_uninterrupted_one(many: Path, tmp_path: Path, tiny_space: str) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run = start(many, whole, tiny_space)
    run.communicate()
    assert run.returncode == 1  # the broken files
    for moment in (lambda: thumbnails(killed) > 20, lambda: committed(killed) > 0, lambda: committed(killed) > 300):
        run = start(many, killed, tiny_space, "--batch-size", "8")
        wait_for(moment, run)
        run.send_signal(signal.SIGKILL)
        run.wait()
    before = committed(killed)
    assert 0 < before < COUNT
    run = start(many, killed, tiny_space, "--json")
    out, _ = run.communicate()
    assert json.loads(out)["encoded"] == COUNT - before  # nothing that was committed is done again
    assert_same(whole, killed)
    assert not list(killed.rglob(".tmp-*"))
    with Library.open(killed) as opened:
        states = opened.catalog.last_run()
    assert states is not None
    assert states["state"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_batch_and_the_next_run_goes_on(
    many: Path, tmp_path: Path, tiny_space: str, number: signal.Signals, code: int
) -> None:
    library = tmp_path / "library"
    run = start(many, library, tiny_space, "--batch-size", "8")
    wait_for(lambda: committed(library) > 0, run)
    run.send_signal(number)
    _, err = run.communicate(timeout=30)
    assert run.returncode == code
    assert "Run the same command to go on" in err
    done = committed(library)
    assert 0 < done < COUNT
    with Library.open(library) as opened:
        assert opened.catalog.counts().missing == 0
        assert opened.vectors.is_current(1)
    again = start(many, library, tiny_space, "--json")
    out, _ = again.communicate()
    assert json.loads(out)["encoded"] == COUNT - done


@pytest.mark.slow
def test_two_signals_stop_at_once_and_lose_nothing_committed(many: Path, tmp_path: Path, tiny_space: str) -> None:
    library = tmp_path / "library"
    run = start(many, library, tiny_space, "--batch-size", "8")
    wait_for(lambda: committed(library) > 0, run)
    run.send_signal(signal.SIGINT)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=20)
    assert run.returncode == 130
    with Library.open(library) as opened:
        assert opened.integrity() == []


def test_a_second_indexer_is_sent_away_with_75(many: Path, tmp_path: Path, tiny_space: str) -> None:
    library = tmp_path / "library"
    one = start(many, library, tiny_space, "--batch-size", "8")
    wait_for(lambda: committed(library) > 0, one)
    one.send_signal(signal.SIGSTOP)  # it must not be done before the second has started
    two = start(many, library, tiny_space)
    _, err = two.communicate(timeout=30)
    assert two.returncode == 75
    assert f"process {one.pid}" in err
    one.kill()
    one.wait()


def test_awkward_pictures_are_indexed_or_listed(index: Index, library: Path) -> None:
    files = [path for path in AWKWARD.iterdir() if path.is_file()]
    run = index(AWKWARD)
    assert run.code == 1
    listed = [json.loads(line) for line in index("failures", space=None).out.splitlines()]
    assert run.added + run.duplicates + len(listed) == len(files)
    assert all(failure["reason"] and failure["stage"] in ("open", "decode") for failure in listed)
    names = {Path(failure["path"]).name for failure in listed}
    assert {"cut_short.jpg", "empty.jpg", "text.jpg", "bomb.png"} == names


def test_bad_folders_get_a_sentence_and_exit_2(tmp_path: Path, index: Index, library: Path, photos: Path) -> None:
    file = photos / "a.jpg"
    file.write_bytes(b"x")
    for given, said in ((tmp_path / "nowhere", "There is no folder"), (file, "is a file")):
        run = index(given)
        assert run.code == 2
        assert said in run.err
        assert len(run.err.splitlines()) == 1
    assert not library.exists()


def test_an_unreadable_folder_is_refused(public_tmp: Path, index: Index) -> None:
    closed = public_tmp / "closed"
    closed.mkdir()
    closed.chmod(0)
    (public_tmp / "work").mkdir(mode=0o777)
    (public_tmp / "work").chmod(0o777)
    with as_nobody():
        run = index(closed, "--library", public_tmp / "work" / "library")
    assert run.code == 2
    assert "can't be read" in run.err


def test_an_empty_folder_is_done_at_once_and_says_so(tmp_path: Path, tiny_space: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    run = start(empty, tmp_path / "library", tiny_space)
    _, err = run.communicate()
    assert run.returncode == 0
    assert "No pictures found" in err


def test_a_folder_of_nothing_but_broken_files_ends_with_1(tmp_path: Path, index: Index) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"")
    (folder / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    run = index(folder)
    assert (run.code, run.failed, run.encoded) == (1, 2, 0)


def test_an_unreadable_file_or_folder_inside_is_listed_and_keeps_what_is_known(public_tmp: Path, index: Index) -> None:
    photos = public_tmp / "photos"
    space = models.clip_like(public_tmp / "model")
    (public_tmp / "model" / "open_clip_model.safetensors").chmod(0o644)
    shutil.copytree(DEMO, photos, ignore=shutil.ignore_patterns("*.json"))
    library = public_tmp / "library"
    for path in [photos, *photos.rglob("*")]:
        path.chmod(0o755)
    public_tmp.chmod(0o777)
    with as_nobody():
        assert index(photos, "--library", library, space=space).added == 24
    folder = min(path for path in photos.iterdir() if path.is_dir())
    inside = len(list(folder.iterdir()))
    folder.chmod(0)
    with as_nobody():
        run = index(photos, "--library", library, space=space)
        assert (run.code, run.failed, run.missing, run.unchanged) == (1, 1, 0, 24 - inside)
    folder.chmod(0o755)
    with as_nobody():
        assert index(photos, "--library", library, space=space).code == 0


def test_a_library_that_cannot_be_written_is_refused_with_the_way_out(
    public_tmp: Path, index: Index, photos: Path
) -> None:
    closed = public_tmp / "closed"
    closed.mkdir(mode=0o755)
    with as_nobody():
        for library in (closed, closed / "inner"):
            run = index(DEMO, "--library", library)
            assert run.code == 2
            assert "--library" in run.err


def test_a_newer_library_is_refused_and_untouched(index: Index, photos: Path, library: Path) -> None:
    index(photos)
    connection = sqlite3.connect(library / DATABASE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for arguments in ((photos,), ("status",), ("verify",)):
        run = index(*arguments, space=None)
        assert run.code == 2
        assert "version 99" in run.err


def test_the_librarys_own_thumbnails_are_never_indexed(photos: Path, index: Index) -> None:
    inside = photos / "library"
    assert index(photos, "--library", inside).added == 24
    again = index(photos, "--library", inside)
    assert (again.added, again.unchanged, again.duplicates) == (0, 24, 0)


def test_names_that_are_no_text_are_indexed_and_reported(photos: Path, index: Index, library: Path) -> None:
    strange = os.fsdecode(b"caf\xe9.jpg")
    shutil.copy(min(photos.rglob("*.jpg")), photos / strange)
    (photos / os.fsdecode(b"broken\xff.jpg")).write_bytes(b"x")
    (photos / "two\nlines \x1b[31m.jpg").write_bytes(b"x")
    run = index(photos)
    assert (run.duplicates, run.failed) == (1, 2)
    listed = [json.loads(line) for line in index("failures", space=None).out.splitlines()]
    assert [sorted(failure.keys() & {"path", "path_b64"}) for failure in listed] == [["path_b64"], ["path"]]
    plain = subprocess.run(
        [sys.executable, "-m", "indexer", "failures", "--library", library], capture_output=True, check=True
    )
    assert b"\x1b" not in plain.stdout
    assert len(plain.stdout.splitlines()) == 2


def test_a_folder_named_like_a_command_is_reachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: Path, index: Index
) -> None:
    monkeypatch.chdir(tmp_path)
    photos.rename(tmp_path / "status")
    assert index("./status").added == 24
    assert "pictures" in index("status", space=None).summary


@pytest.mark.slow
def test_a_second_run_does_not_load_the_model(photos: Path, library: Path, tiny_space: str) -> None:
    run = start(photos, library, tiny_space)
    run.communicate()
    code = (
        "import sys; from indexer.commands import run\n"
        "code = run(sys.argv[1:]); print(code, 'torch' in sys.modules, 'PIL' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(photos), "--library", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False", "False"], done.stderr


@pytest.mark.parametrize("nice", ["9" * 30, "-5", "soon"])  # only a user without rights is refused the second
def test_a_priority_that_is_not_to_be_had_is_left_alone(nice: str) -> None:
    command = [sys.executable, "-m", "indexer", "--version"]
    done = subprocess.run(command, env={**os.environ, "SIGHTLINE_NICE": nice}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_uses_no_network_and_no_pickle(photos: Path, library: Path, tiny_space: str) -> None:
    code = (
        "import sys, socket\n"
        "def refuse(*_): raise AssertionError('network')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "from indexer.commands import run; sys.exit(run(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, str(photos), "--library", str(library), "--space", tiny_space]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    root = ROOT
    for package in ("indexer", "store", "search_ui"):
        for source in (root / package).rglob("*.py"):
            assert "import pickle" not in source.read_text(), source


def test_forget_removes_a_folder_from_the_library_and_nothing_from_the_disk(
    photos: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (40, 30), "red").save(other / "a.png")
    index(photos, other)
    unknown = subprocess.run(
        [sys.executable, "-m", "indexer", "forget", str(tmp_path), "--library", str(library)],
        capture_output=True,
        text=True,
    )
    assert unknown.returncode == 2
    assert "has no folder" in unknown.stderr
    done = subprocess.run(
        [sys.executable, "-m", "indexer", "forget", str(photos), "--library", str(library)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, "24 photos" in done.stderr) == (0, True)
    assert len(list(photos.rglob("*.jpg"))) == 24
    with Library.open(library) as opened:
        assert opened.catalog.counts().pictures == 1
        assert opened.vectors.is_current(1)
        assert len(opened.vectors.get(1)) == 1


def test_spaces_are_printed_with_their_facts_and_sources(index: Index, photos: Path) -> None:
    index(photos)
    lines = [json.loads(line) for line in index("spaces", space=None).out.splitlines()]
    presets = {line["name"]: line for line in lines if line["preset"]}
    assert presets["balanced"]["text_to_image"] == 53.2
    assert presets["balanced"]["source"]
    assert presets["balanced"]["has_text"]
    assert [line["count"] for line in lines if not line["preset"]] == [24]
    lines = [json.loads(line) for line in index("spaces", "--all", space=None).out.splitlines()]
    every = {line["name"]: line for line in lines if line["preset"]}
    assert every.keys() == PRESETS.keys() > presets.keys()
    assert (every["dinov2-base"]["knn"], every["dinov2-base"]["has_text"]) == (82.0, False)
    told = "\n".join(table_lines(every=True))
    words, pictures = told.split("Models for pictures only")
    assert "metaclip2-huge" in words and "mae-base" not in words
    assert "CC-BY-NC-4.0 (no commercial use)" in pictures and "class token" in pictures
