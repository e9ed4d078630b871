"""What a run shows on a terminal, of any width, and in a pipe; from the download of the model on."""

from __future__ import annotations

import io
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import models
import pytest
from hub_cache import COMMITS
from hub_server import serving
from support import ROOT

from indexer.progress_bar import RunScreen
from store.lock import RUN, is_indexing
from store.progress import Progress

NAME = "someone/small"
RUNNING = Progress(1, "", ("/photos",), "indexing", 1234, 56789, 12.3, "encode", 3, "")
LOADING = replace(RUNNING, phase="loading", done=0, total=None, failed=0)
DOWNLOAD = replace(RUNNING, phase="downloading", done=312_000_000, total=1_507_000_000, rate=4.2e6, failed=0)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def drawn(width: int, state: Progress, monkeypatch: pytest.MonkeyPatch, *, verbose: bool = False) -> str:
    """The line of a state on a terminal of this width."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    screen = RunScreen(stream, quiet=False, verbose=verbose)
    screen.show(state)
    with screen:
        pass
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    lines = [line for line in re.split(r"[\r\n]+", plain) if line.strip()]
    assert lines
    assert all(len(line) <= width for line in lines)
    return lines[-1].strip()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("verbose", [False, True])
def test_count_percent_and_time_left_are_on_terminals_of_any_width(
    width: int, verbose: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = drawn(width, RUNNING, monkeypatch, verbose=verbose)
    assert all(part in line for part in ("1,234 of 56,789", " 2%", "1:15:17 left"))
    assert ("12.3/s" in line or "12.3 pictures/s" in line) is (width >= 60)
    assert ("limited by: model" in line) is (width >= 120 and verbose)
    assert ("3 unreadable" in line) is (width >= 60)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_download_says_how_much_of_the_model_is_here(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    line = drawn(width, DOWNLOAD, monkeypatch)
    assert ("Downloading the model, 312 of 1,507 MB" if width >= 60 else "Model: 312 of 1,507 MB") in line
    assert " 20%" in line
    assert "4:45 left" in line
    assert ("4.2 MB/s" in line) is (width >= 80)
    unknown = drawn(width, replace(DOWNLOAD, total=None), monkeypatch)
    assert "Downloading the model, 312 MB" in unknown
    assert "%" not in unknown


def test_a_model_that_is_loaded_is_no_looking_for_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(40, LOADING, monkeypatch).endswith("Loading the model")
    assert drawn(40, replace(LOADING, phase="looking"), monkeypatch).endswith("Looking for pictures")
    assert "1,234 pictures" in drawn(60, replace(RUNNING, total=None), monkeypatch)


def test_pipes_get_a_line_where_something_begins_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    screen = RunScreen(sys.stderr, quiet=False, verbose=False)
    with screen:
        for state in (LOADING, replace(DOWNLOAD, done=0), DOWNLOAD, DOWNLOAD, LOADING, RUNNING, RUNNING):
            screen.show(state)
    assert capsys.readouterr().err.splitlines() == ["Downloading the model, 1,507 MB", "Downloaded the model"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A hub with a model of 32 MB, which takes two seconds."""
    folder = tmp_path_factory.mktemp("hub")
    models.clip_like(folder / "a")
    (folder / "a" / "notes.txt").write_bytes(b"\n" * 32_000_000)
    with serving({NAME: {COMMITS[0]: folder / "a"}}, seconds=0.06) as (address, _):
        yield address


def command(photos: Path, folder: Path, hub: str) -> tuple[list[str], dict[str, str]]:
    """A run into a new library, and its environment."""
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment |= {"HF_HOME": str(folder / "cache"), "HF_ENDPOINT": hub, "TERM": "xterm"}
    arguments = [str(photos), "--library", str(folder / "library"), "--space", f"hf-hub:{NAME}"]
    return [sys.executable, "-m", "indexer", *arguments], environment


@pytest.mark.slow
def test_a_run_in_a_pipe_says_that_it_downloads_and_what_it_did(photos: Path, tmp_path: Path, hub: str) -> None:
    arguments, environment = command(photos, tmp_path, hub)
    done = subprocess.run(arguments, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    first, second, third, fourth, *_ = done.stderr.splitlines()
    assert re.fullmatch(r"Downloading the model, 3\d MB", first)
    assert (second, third, fourth) == ("Downloaded the model", f"Indexing {photos}", "24 new.")
    assert done.stdout == ""


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGINT for one process")
def test_ctrl_c_ends_a_download_at_once(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "notes.txt").write_bytes(b"\n" * 40_000_000)
    with serving({NAME: {COMMITS[0]: tmp_path / "a"}}, seconds=1) as (hub, _):
        arguments, environment = command(photos, tmp_path, hub)
        process = subprocess.Popen(arguments, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        assert process.stderr.readline() == "Downloading the model, 40 MB\n"
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert time.monotonic() - begun < 15  # of 40
        assert process.stderr.read() == "Stopped. What was committed is safe; run the same command to go on.\n"
    assert not is_indexing(tmp_path / "library")
    assert not (tmp_path / "library" / RUN).exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
def test_a_run_on_a_terminal_says_that_it_downloads_and_loads_the_model(photos: Path, tmp_path: Path, hub: str) -> None:
    import fcntl
    import pty
    import termios

    arguments, environment = command(photos, tmp_path, hub)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(arguments, env=environment, cwd=ROOT, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    assert process.wait() == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode())
    amounts = {int(number) for number in re.findall(r"Downloading the model, (\d+) of 3\d MB", shown)}
    assert len(amounts) > 2, shown
    assert "Loading the model" in shown
    assert "0/?" not in shown
    assert "24 new." in shown
