"""Runs that pages start: real processes, stopped, doubled, given odd folders, and left by their server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import AWKWARD, ROOT

from search_ui.parts.live_state import live_state
from search_ui.parts.run_text import STARTING, details, duration, heading, is_mendable, outcome, share, summary
from search_ui.runtime.folder_input import FolderError, folder, presences
from search_ui.runtime.index_runs import RunError, Runner
from search_ui.runtime.services import Services
from store import progress
from store.library import Library
from store.lock import is_indexing, locked
from store.progress import Progress
from store.tables.records import RootState

LONG = 120.0


@pytest.fixture
def runner(library: Path) -> Iterator[Runner]:
    made = Runner(library, offline=True)
    yield made
    made.stop()
    assert made.wait(LONG)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many pictures that a run can be stopped among them."""
    folder = tmp_path_factory.mktemp("many")
    generator = np.random.default_rng(0)
    for number in range(3000):
        Image.fromarray(generator.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(folder / f"{number:04}.png")
    return folder


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def pictures(library: Path) -> int:
    with Library.open(library) as opened:
        return opened.catalog.counts().pictures


def half_way(library: Path) -> bool:
    state = progress.read(library)
    return state is not None and state.done > 64


def test_a_run_indexes_a_folder_and_says_in_words_what_came_of_it(
    runner: Runner, photos: Path, library: Path, tiny_space: str
) -> None:
    (photos / "broken.jpg").write_bytes((AWKWARD / "cut_short.jpg").read_bytes())
    run = runner.index([photos], space=tiny_space)
    assert run.is_running and runner.run is run
    assert runner.wait(LONG)
    assert (run.state, run.code) == ("done", 1)
    count = sum(1 for _ in photos.rglob("*.*")) - 1
    assert pictures(library) == count
    assert outcome(run) == f"Done: {count} new, 1 unreadable."
    run = runner.verify()
    assert runner.wait(LONG)
    assert outcome(run) == "Verified: all is well." and not is_mendable(run)
    for path in (library / "thumbnails").rglob("*.jpg"):
        path.write_bytes(b"<html>Sign in</html>")
    run = runner.verify()
    assert runner.wait(LONG)
    assert outcome(run).startswith("Verified: 1 part of the library must be repaired") and is_mendable(run)
    run = runner.verify(repair=True)
    assert runner.wait(LONG)
    assert outcome(run) == "Verified: all is well. 1 part repaired." and not is_mendable(run)
    assert {finding["part"] for finding in run.results} >= {"database", "thumbnails"}
    runner.dismiss()
    assert runner.run is None


@pytest.mark.slow
def test_a_run_that_has_done_its_work_does_not_say_that_it_starts(
    photos: Path, library: Path, tiny_space: str
) -> None:  # fmt: skip
    """Its process takes a moment more to end, and has let the library go by then."""
    served = Services(library, offline=True)
    run = served.runner.index([photos], space=tiny_space)
    heads = []
    while not served.runner.wait(0.01):
        state = live_state(served)["run"]
        heads += [state["head"]] if state else []
    assert run.state == "done"
    told = [head for head, _ in groupby(heads)]
    assert told[0] == STARTING and told.count(STARTING) == 1


def test_a_run_is_stopped_half_way_and_what_was_committed_is_kept(
    runner: Runner, many: Path, library: Path, tiny_space: str
) -> None:
    run = runner.index([many], space=tiny_space)
    with pytest.raises(RunError, match="still at work"):
        runner.verify()
    until(lambda: half_way(library))
    runner.stop()
    assert run.state == "stopping"
    assert runner.wait(LONG)
    assert (run.state, run.code) == ("stopped", 130)
    assert outcome(run).startswith("Stopped. What was done is kept; index again to go on from there.")
    assert 64 < pictures(library) < 3000
    with Library.open(library) as opened:
        assert opened.integrity() == []
        assert opened.catalog.counts().missing == 0


def test_a_run_that_will_not_stop_is_killed_by_the_second_word(
    runner: Runner, many: Path, library: Path, tiny_space: str
) -> None:
    run = runner.index([many], space=tiny_space)
    until(lambda: half_way(library))
    os.kill(run.pid, signal.SIGSTOP)
    runner.stop(run)
    runner.stop(run)  # another visitor, who was first shown "Stop" too
    assert not runner.wait(0.5)
    runner.stop(run, at_once=True)
    assert runner.wait(LONG)
    assert run.state == "failed" or run.state == "stopped"
    assert run.code == -signal.SIGKILL
    with Library.open(library) as opened:
        assert opened.integrity() == []


@pytest.mark.parametrize("hangs", [False, True])
def test_a_run_that_is_starting_ends_within_three_seconds(
    runner: Runner, photos: Path, library: Path, hangs: bool
) -> None:  # fmt: skip
    """Also where it can't be called away from what it does, such as loading a model."""
    run = runner.index([photos], space="demo")
    until(lambda: is_indexing(library))
    if hangs:
        os.kill(run.pid, signal.SIGSTOP)
    runner.stop(run)
    assert runner.wait(3.0)
    assert run.state == "stopped"
    assert not is_indexing(library)


def test_a_second_indexer_is_refused_and_the_first_is_named(runner: Runner, photos: Path, library: Path) -> None:
    with locked(library):
        state = Progress(os.getpid(), "2026-01-01T00:00:00+00:00", ("/else/where",), "indexing", 1, 2, 1.0, "decode", 0,
                         "2026-01-01T00:00:00+00:00")  # fmt: skip
        progress.write(library, state)
        with pytest.raises(RunError, match=rf"process {os.getpid()}, started .*at work on /else/where"):
            runner.index([photos])
    assert runner.run is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_folders_may_be_called_anything(runner: Runner, tmp_path: Path, library: Path, tiny_space: str) -> None:
    named = [
        b"--prune", b"status", b"-rf", b"--", b"caf\xe9", b"$(touch owned); x", b"a\nb", b" ",
        b"<img src=x onerror=alert(1)>",
    ]  # fmt: skip
    folders = [tmp_path / os.fsdecode(name) for name in named]
    for each in folders:
        each.mkdir()
        Image.new("RGB", (64, 64), "red").save(each / "one.png")
    run = runner.index(folders, space=tiny_space)
    assert runner.wait(LONG)
    assert (run.state, run.code) == ("done", 0), outcome(run)
    with Library.open(library) as opened:
        assert {root.path for root in opened.catalog.roots()} == {os.fsencode(each) for each in folders}
        assert opened.catalog.counts().missing == 0  # --prune was a folder
    assert not list(ROOT.glob("owned*"))


@pytest.mark.slow
def test_a_prune_forgets_what_is_missing(runner: Runner, photos: Path, library: Path, tiny_space: str) -> None:
    runner.index([photos], space=tiny_space)
    assert runner.wait(LONG)
    before = pictures(library)
    next(photos.rglob("*.*")).unlink()
    run = runner.index([photos], prune=True)
    assert runner.wait(LONG)
    assert "1 forgotten" in outcome(run)
    with Library.open(library) as opened:
        assert (opened.catalog.counts().photos, opened.catalog.counts().missing) == (before - 1, 0)


def test_a_run_that_can_not_be_done_says_why(runner: Runner, tmp_path: Path, library: Path) -> None:
    run = runner.index([tmp_path / "nowhere"], space="demo")
    assert runner.wait(LONG)
    assert (run.state, run.code) == ("failed", 2)
    assert outcome(run) == f"It failed. There is no folder {tmp_path / 'nowhere'}."
    assert not library.exists() or not is_indexing(library)


SERVER = """
import sys, time
from pathlib import Path
from search_ui.runtime.index_runs import Runner
runner = Runner(Path(sys.argv[1]), offline=True)
print(runner.index([Path(sys.argv[2])], space=sys.argv[3]).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_ends_as_with_ctrl_c_when_its_server_does(
    many: Path, library: Path, tiny_space: str, number: signal.Signals
) -> None:
    """However the server ends, nothing is left at work that nobody sees, and what was committed is kept."""
    command = [sys.executable, "-c", SERVER, str(library), str(many), tiny_space]
    server = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    try:
        assert server.stdout is not None and int(server.stdout.readline())
        until(lambda: half_way(library))
        # To the whole group, as a terminal does with Ctrl-C: the run must hear of it once, not twice.
        os.killpg(server.pid, number)
        server.wait(LONG)
    finally:
        server.kill()
    until(lambda: not is_indexing(library))
    with Library.open(library) as opened:
        last = opened.catalog.last_run()
        assert last is not None and last["state"] == "interrupted"
        assert opened.integrity() == []
    assert 64 < pictures(library) < 3000


# -- folders ----------------------------------------------------------------------------------------------------------


def root(path: Path, photos: int = 1) -> RootState:
    return RootState(len(path.parts), os.fsencode(path), str(path), None, photos, 0, 0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Type the path"),
        ("  ", "Type the path"),
        ("photos", "Give the whole path"),
        ("../photos", "Give the whole path"),
        ("/no/such/folder", "There is no folder /no/such/folder"),
        ("/no\0where", "NUL"),
        ("/" + "x" * 5000, "can't be read|no folder"),
        ("~nobody-of-this-name/photos", "names no folder|Give the whole path"),
        ("/\ud800", "names no folder"),
        ("/etc/passwd\x1b[31m", "u001b"),
        ("--prune", "Give the whole path"),
        ("$(reboot)", "Give the whole path"),
    ],
)
def test_what_is_typed_is_refused_in_a_sentence_where_it_is_no_folder(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(FolderError, match=why):
        folder(text, [], tmp_path)


def test_a_folder_is_found_however_it_was_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "my photos"
    place.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in (str(place), f" {place} \n", f'"{place}"', place.as_uri(), "~/my photos", f"{place}/../my photos"):
        assert folder(text, [], tmp_path / "library").path == place


def test_a_file_and_the_library_itself_are_no_folders_of_pictures(photos: Path, library: Path) -> None:
    with pytest.raises(FolderError, match=r"is a file\. Give the folder it lies in"):
        folder(str(next(photos.rglob("*.*"))), [], library)
    (library / "thumbnails").mkdir(parents=True)
    with pytest.raises(FolderError, match="a part of the library itself"):
        folder(str(library / "thumbnails"), [], library)


def test_it_is_said_how_a_folder_lies_to_those_of_the_library(tmp_path: Path) -> None:
    outer, inner = tmp_path / "a", tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "ab").mkdir()
    assert "already" in folder(str(inner), [root(inner)], tmp_path / "l").note
    assert f"It lies in {outer}," in folder(str(inner), [root(outer)], tmp_path / "l").note
    assert f"It holds {inner}," in folder(str(outer), [root(inner)], tmp_path / "l").note
    assert "new" in folder(str(tmp_path / "ab"), [root(outer)], tmp_path / "l").note


def test_folders_that_are_gone_or_empty_are_told_from_those_that_are_there(tmp_path: Path) -> None:
    there, empty = tmp_path / "there", tmp_path / "x" / "empty"
    for each in (there, empty):
        each.mkdir(parents=True)
    (there / "file").touch()
    gone = tmp_path / "x" / "y" / "gone"
    found = presences([root(there), root(empty), root(gone)])
    assert [found[root(each).id] for each in (there, empty, gone)] == ["there", "empty", "gone"]
    assert presences([root(empty, photos=0)])[root(empty).id] == "there"


# -- words ------------------------------------------------------------------------------------------------------------


def state(**changes: object) -> Progress:
    usual = {"pid": 1, "started": "", "folders": (), "phase": "indexing", "done": 200, "total": 1000, "rate": 4.0,
             "bound_by": "encode", "failed": 3, "updated": ""}  # fmt: skip
    return Progress(**{**usual, **changes})  # type: ignore[arg-type]


def test_how_far_a_run_is_in_words() -> None:
    assert heading(state()) == "Indexing: 200 of 1,000 pictures"
    assert details(state()) == "4.0 pictures/s · about 3 minutes left · 3 unreadable"
    assert share(state()) == 0.2
    assert heading(state(total=None)) == "Indexing: 200 pictures so far"
    assert share(state(total=None)) is None
    assert "left" not in details(state(total=None)) and "left" not in details(state(done=1))
    assert heading(state(phase="loading")) == "Loading the model"
    assert share(state(phase="loading")) is None
    assert heading(state(phase="downloading", done=312_400_000, total=1_507_000_000)) == (
        "Downloading the model, 312 of 1,507 MB"
    )
    assert heading(state(phase="downloading", done=0, total=None)) == "Downloading the model"
    assert details(state(phase="looking", failed=0)) == ""


def test_times_and_summaries_in_words() -> None:
    assert [duration(each) for each in (-1, 1, 89, 120, 7000)] == [
        "0 seconds", "1 second", "89 seconds", "about 2 minutes", "about 2 hours",
    ]  # fmt: skip
    assert summary({}) == "no pictures found"
    assert summary({"added": 1200, "unchanged": 3}) == "1,200 new"
    assert summary({"unchanged": 3}) == "nothing new"
    assert summary({"unchanged": 3, "encoded": 3}) == "3 known pictures encoded"
