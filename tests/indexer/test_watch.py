"""A watcher as a user has one: a process of its own, and what becomes of changes while it waits."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import ROOT

from indexer import mounts
from indexer.commands import run
from indexer.watch_drives import network_drive
from indexer.watch_text import polling
from store.library import Library
from store.lock import locked

LONG = 60.0
# Seconds in which nothing is to happen.
CALM = 2.5
_drawn = np.random.default_rng(0)


class Watched:
    """A watcher at work on folders; gives the summaries of its runs, and what it says."""

    def __init__(self, library: Path, space: str, *more: str | Path) -> None:
        arguments = [str(each) for each in more]
        command = ["-m", "indexer", "watch", *arguments, "--library", str(library), "--space", space, "--json"]
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.runs: queue.Queue[dict[str, Any]] = queue.Queue()
        self.said: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._listen, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.runs.put(json.loads(line))

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(iter(self.process.stderr.readline, ""))

    def says(self, text: str) -> None:
        """Wait until it has said this."""
        self.wait(lambda: any(text in line for line in list(self.said)))

    def wait(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONG
        while not happened():
            assert self.process.poll() is None and time.monotonic() < deadline, self.said
            time.sleep(0.05)

    def next(self, **counts: int) -> dict[str, Any]:
        """Wait for a run, and compare what it counted."""
        summary = self.runs.get(timeout=LONG)
        names = ("added", "changed", "moved", "duplicates", "restored", "missing", "failed_now")
        assert {name: summary[name] for name in names if summary[name]} == counts, self.said
        return summary

    def rests(self) -> None:
        """Make sure that it makes no run."""
        time.sleep(CALM)
        assert self.runs.empty(), self.runs.get()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(LONG)


def draw(path: Path) -> None:
    Image.fromarray(_drawn.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures with others in it that a walk passes over, and the library inside."""
    folder = tmp_path_factory.mktemp("watch") / "photos"
    for name in ("trip", "private", ".hidden", ".thumbnails"):
        (folder / name).mkdir(parents=True)
        draw(folder / name / "1.png")
    return folder


@pytest.fixture(scope="module")
def watcher(place: Path, tiny_space: str) -> Iterator[Watched]:
    made = Watched(place / "library", tiny_space, place, "--exclude", "private")
    made.next(added=1)
    made.says("Watching")
    yield made
    made.process.kill()


def test_a_picture_is_indexed_within_seconds_and_then_the_watcher_rests(watcher: Watched, place: Path) -> None:
    draw(place / "new.png")
    began = time.monotonic()
    watcher.next(added=1)
    assert time.monotonic() - began < 5 * float(os.environ.get("SIGHTLINE_SLOWER", "4"))
    # Nor do its own library, what is left out, other files, and reading a picture call for a run.
    for name in ("private", ".hidden", ".thumbnails"):
        draw(place / name / "2.png")
    (place / "notes.txt").write_text("no picture")
    (place / "new.png").read_bytes()
    watcher.rests()


def test_new_folders_moves_and_deletions_are_followed(watcher: Watched, place: Path) -> None:
    (place / "late" / "in").mkdir(parents=True)
    draw(place / "late" / "in" / "1.png")
    watcher.next(added=1)
    draw(place / "late" / "in" / "2.png")  # in a folder that is new to the system's reports
    watcher.next(added=1)
    (place / "late").rename(place / "later")
    watcher.next(moved=2)
    shutil.rmtree(place / "later")
    watcher.next(missing=2)
    watcher.rests()


def test_a_file_is_indexed_once_after_its_last_write(watcher: Watched, place: Path) -> None:
    draw(place.parent / "slow.png")
    data = (place.parent / "slow.png").read_bytes()
    with (place / "slow.png").open("wb") as file:
        for start in range(0, len(data), len(data) // 3):
            file.write(data[start : start + len(data) // 3])
            file.flush()
            time.sleep(2)  # longer than it waits for more, so that only who has it open tells
    watcher.next(added=1)
    watcher.rests()


def test_names_that_are_no_text_are_watched_like_others(watcher: Watched, place: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(place) + b"/b\xff"))
    folder.mkdir()
    draw(place.parent / "plain.png")
    shutil.copy(os.fsencode(place.parent / "plain.png"), os.fsencode(folder) + b"/1\xff.png")
    watcher.next(added=1)
    draw(folder / "2.png")
    watcher.next(added=1)
    draw(place / "after.png")
    watcher.next(added=1)


def test_many_files_make_few_runs(watcher: Watched, place: Path) -> None:
    (place / "many").mkdir()
    for number in range(300):
        draw(place / "many" / f"{number}.png")
        time.sleep(0.01)
    added, runs = 0, 0
    while added < 300:
        added, runs = added + watcher.runs.get(timeout=LONG)["added"], runs + 1
    assert added == 300 and runs <= 10


def test_it_waits_for_another_indexer_and_lets_others_run(watcher: Watched, place: Path, tiny_space: str) -> None:
    assert run([str(place), "--library", str(place / "library"), "--space", tiny_space, "--quiet"]) == 0
    with locked(place / "library"):
        draw(place / "waits.png")
        watcher.says("). Waiting for it.")
    watcher.next(added=1)


def test_a_second_watcher_says_so_and_ends_with_75(
    watcher: Watched, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["watch", str(place), "--library", str(place / "library")]) == 75
    assert "Another watcher is at work" in capsys.readouterr().err


def test_a_folder_that_goes_away_is_waited_for(watcher: Watched, place: Path) -> None:
    trip = place / "trip"
    with Library.open(place / "library") as library:
        held = library.catalog.counts()
    moved = place.parent / "away"
    moved.mkdir()
    library_path = place / "library"
    # The library stays where it is, as on another drive.
    for entry in [entry for entry in place.iterdir() if entry != library_path]:
        entry.rename(moved / entry.name)
    watcher.says("holds no picture now")
    with Library.open(library_path) as library:
        assert library.catalog.counts() == held
    for entry in list(moved.iterdir()):
        entry.rename(place / entry.name)
    watcher.says("is watched again")
    draw(trip / "back.png")
    while not watcher.runs.get(timeout=LONG)["added"]:
        pass


def test_a_watcher_that_is_stopped_ends_as_a_run_does(watcher: Watched) -> None:
    assert watcher.end(signal.SIGINT) == 130
    assert not any("Traceback" in line for line in watcher.said)


def test_roots_that_go_away_come_back_and_are_forgotten(tmp_path: Path, tiny_space: str) -> None:
    first, second, library = tmp_path / "first", tmp_path / "second", tmp_path / "library"
    for folder in (first, second):
        folder.mkdir()
        draw(folder / "1.png")
    assert run([str(first), str(second), "--library", str(library), "--space", tiny_space, "--quiet"]) == 0
    draw(first / "behind.png")
    watcher = Watched(library, tiny_space)
    try:
        watcher.next(added=1)
        watcher.says("Watching 2 folders")
        first.rename(tmp_path / "unplugged")
        watcher.says("is not there now")
        draw(tmp_path / "unplugged" / "meanwhile.png")
        (tmp_path / "unplugged").rename(first)
        watcher.next(added=1)
        draw(first / "after.png")
        watcher.next(added=1)
        assert run(["forget", str(second), "--library", str(library), "--yes"]) == 0
        watcher.says("is not watched any more")
        draw(second / "2.png")
        watcher.rests()
        with Library.open(library) as opened:
            assert [root.path for root in opened.catalog.roots()] == [os.fsencode(first)]
        # A process that was stopped for long is like a machine that slept: all is looked at afterwards.
        watcher.process.send_signal(signal.SIGSTOP)
        time.sleep(11)
        watcher.process.send_signal(signal.SIGCONT)
        watcher.next()
        assert watcher.end() == 143
    finally:
        watcher.process.kill()


def test_a_folder_is_looked_at_every_so_often_where_that_is_asked_for(tmp_path: Path, tiny_space: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    draw(photos / "1.png")
    watcher = Watched(tmp_path / "library", tiny_space, photos, "--every", "1")
    try:
        watcher.next(added=1)
        watcher.says("Watching")
        draw(photos / "2.png")
        watcher.next(added=1)
        watcher.rests()
        assert watcher.end() == 143
    finally:
        watcher.process.kill()


def test_nothing_to_watch_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["watch", "--library", str(tmp_path / "none")]) == 2
    assert "There is no library" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert run(["watch", str(tmp_path / "nowhere"), "--library", str(tmp_path / "none")]) == 2
    assert "There is no folder" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not list their mounts there")
@pytest.mark.parametrize(
    ("mounted", "kind"),
    [
        ("/ - nfs4 nas:/photos rw", "nfs4"),
        ("/my\\040trip - fuse.sshfs me@nas: rw", "fuse.sshfs"),
        ("/ - fuseblk /dev/sdb1 rw", ""),
        ("/ - ext4 /dev/sdb1 rw", ""),
        ("/.hidden/doc - fuse.portal portal rw", ""),
    ],
)
def test_network_drives_are_told_by_what_is_mounted(
    mounted: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, rest = mounted.split(" ", 1)
    lines = [
        "20 1 8:1 / / rw - ext4 /dev/sda1 rw",
        f"30 20 0:50 / {tmp_path}{place.rstrip('/')} rw,relatime shared:1 {rest}",
    ]
    (tmp_path / "mountinfo").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
    assert network_drive(tmp_path) == kind
    assert network_drive(tmp_path.parent) == kind
    assert "looking for changes every 60 seconds instead" in polling(tmp_path, "is on a network drive", 60.0)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other limits")
def test_where_the_system_watches_no_more_the_folder_is_looked_at(tmp_path: Path, tiny_space: str) -> None:
    limit = "echo 3 > /proc/sys/user/max_inotify_watches"
    if subprocess.run(["unshare", "-Ur", "sh", "-c", limit], capture_output=True, check=False).returncode:
        pytest.skip("this user may not have a limit of their own")
    photos = tmp_path / "photos"
    for number in range(5):
        (photos / str(number)).mkdir(parents=True)
    draw(photos / "1.png")
    command = f'{limit}; exec "$0" -m indexer watch "$1" --library "$2" --space "$3"'
    process = subprocess.Popen(
        ["unshare", "-Ur", "sh", "-c", command, sys.executable, str(photos), str(tmp_path / "library"), tiny_space],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        said = ""
        while "Watching" not in said:
            said += process.stderr.readline()
        assert "more folders than the system watches" in said
        assert "looking for changes every 60 seconds instead" in said
    finally:
        process.terminate()
        assert process.wait(LONG) == 143
