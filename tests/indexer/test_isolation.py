"""One bad file loses that file: it is named, it is not tried again, and the run goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import fake_decoder
import pytest
from indexing import add
from PIL import Image
from support import ROOT, Index

from store.library import Library
from store.remote import DATABASE

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no worker processes on this system")


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `photos/`, and a decoder of JPEG XL that does what a file says."""
    monkeypatch.setenv("PYTHONPATH", str(fake_decoder.install(tmp_path / "fake")))
    photos = tmp_path / "mine"
    photos.mkdir()
    for number in range(12):
        Image.effect_noise((80 + number, 60), 60).convert("RGB").save(photos / f"{number:02}.png")
    return photos


def reasons(library: Path) -> dict[str, tuple[str, str]]:
    with closing(sqlite3.connect(library / DATABASE)) as connection:
        rows = connection.execute("SELECT display, stage, reason FROM failures")
        return {name: (stage, reason) for name, stage, reason in rows}


@pytest.mark.parametrize(
    ("told", "reason"), [("crash", "crashed"), ("exit", "exit code 7"), ("sleep", "did not end within 3 seconds")]
)
def test_a_file_that_ends_its_decoder_costs_that_file_and_is_not_tried_again(
    faulty: Path, index: Index, library: Path, told: str, reason: str
) -> None:
    fake_decoder.write(faulty / "05.jxl", told)
    run = index(faulty, "--workers", "1", "--file-seconds", "3")
    assert (run.code, run.added, run.failed) == (1, 12, 1)
    ((name, (stage, said)),) = reasons(library).items()
    assert (name, stage) == ("05.jxl", "decode")
    assert reason in said
    begun = time.monotonic()
    again = index(faulty, "--file-seconds", "3")
    assert (again.code, again.unchanged, again.failed, again.failed_now) == (1, 12, 1, 0)
    assert time.monotonic() - begun < 30
    fake_decoder.write(faulty / "05.jxl", told, "anew")  # it changed: it is tried
    assert index(faulty, "--file-seconds", "3").failed_now == 1


def test_a_file_is_not_blamed_at_once_where_its_decoder_was_ended_from_outside(
    faulty: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    fake_decoder.write(faulty / "again.jxl", "killed", str(tmp_path / "killed"))
    fake_decoder.write(faulty / "always.jxl", "killed")
    assert index(faulty, "--workers", "2").added == 12
    said = reasons(library)
    assert "ended" not in said["again.jxl"][1]  # the second time it ran; it can't decode
    assert said["always.jxl"] == ("decode", "the system ended its decoder, most likely because memory ran out")


def test_copies_of_a_file_that_ends_its_decoder_are_not_decoded_each(faulty: Path, index: Index, library: Path) -> None:
    for number in range(6):
        fake_decoder.write(faulty / f"x{number}.jxl", "sleep")
    begun = time.monotonic()
    run = index(faulty, "--workers", "1", "--file-seconds", "4")
    assert (run.added, run.failed) == (12, 6)
    assert len({said for _, said in reasons(library).values()}) == 1
    assert time.monotonic() - begun < 6 * 4


def test_while_a_file_hangs_what_else_is_read_is_committed_and_ctrl_c_is_answered(
    faulty: Path, library: Path, tiny_space: str
) -> None:
    fake_decoder.write(faulty / "00.jxl", "sleep")
    command = [sys.executable, "-m", "indexer", str(faulty), "--library", str(library), "--space", tiny_space]
    with subprocess.Popen([*command, "--workers", "2", "--quiet"], cwd=ROOT) as run:
        until = time.monotonic() + 120
        while _count(library) < 12 and time.monotonic() < until and run.poll() is None:
            time.sleep(0.1)
        assert _count(library) == 12
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
    assert reasons(library) == {}


def _count(library: Path) -> int:
    try:
        with Library.open(library) as opened:
            return len(opened.catalog.hashes())
    except Exception:  # noqa: BLE001 - it is being made
        return 0


@pytest.mark.parametrize("year", [1650, 2300])
def test_a_file_of_a_time_that_no_clock_shows_is_indexed_like_any_other(
    tmp_path: Path, library: Path, tiny_space: str, index: Index, year: int
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (80, 60), "teal").save(photos / "a.png")
    seconds = (year - 1970) * 31_556_952
    os.utime(photos / "a.png", (seconds, seconds))
    if abs((photos / "a.png").stat().st_mtime - seconds) > 1:
        pytest.skip(f"this file system holds no times of the year {year}")
    add(library, photos, tiny_space)
    again = index(photos)
    assert (again.code, again.unchanged) == (0, 1)
    assert index(photos, "--dry-run").out == ""
