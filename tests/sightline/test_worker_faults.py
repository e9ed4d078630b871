"""Worker processes and the program around them: killed, stopped, forked, started anywhere; no file is blamed for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import fake_decoder
import pytest
from PIL import Image
from support import ROOT

from sightline.images import wire
from sightline.images.errors import DecodeError
from sightline.images.limits import Limits
from sightline.images.reader import Place, Reader
from sightline.images.shared_memory import SharedMemory
from sightline.images.workers import Workers

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no worker processes on this system")

WITH_PICTURE = """
import os, sys, time
from sightline.images.limits import Limits
from sightline.images.reader import Place
from sightline.images.workers import Workers
place = Place(os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2]))
def decoded(pool):
    with pool.reader() as reader:
        reader.open(place)
        return reader.decode(need=64, thumbnail=False).pixels.shape
"""


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(2)
    yield made
    made.close()


def picture(path: Path, size: tuple[int, int] = (160, 120)) -> Path:
    Image.effect_noise(size, 60).convert("RGB").save(path)
    return path


def place(path: Path) -> Place:
    return Place(os.fsencode(path.parent), os.fsencode(path.name))


def pid_of(reader: Reader) -> int:
    return int(reader._process._pid)  # type: ignore[attr-defined]


def server_of(reader: Reader) -> int:
    return int(reader._process._server._process.pid)  # type: ignore[attr-defined]


def program(code: str, *arguments: Path | str, flags: tuple[str, ...] = (), **how: Any) -> str:
    command = [sys.executable, *flags, "-c", code, *map(str, arguments)]
    given = {"cwd": ROOT, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, **how}
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **given)
    assert run.returncode == 0, run.stderr
    assert "in this process" not in run.stderr
    return str(run.stdout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_a_supervisor_sends_to_all_processes_ends_no_worker(
    workers: Workers, tmp_path: Path, number: signal.Signals
) -> None:
    with workers.reader() as reader:
        os.kill(server_of(reader), number)
        os.kill(pid_of(reader), number)
        assert reader.open(place(picture(tmp_path / "a.png")))[1] is not None
    with workers.reader(), workers.reader() as reader:  # another can be forked
        assert reader.open(place(tmp_path / "a.png"))[1] is not None


def test_a_worker_that_was_killed_says_so_and_others_go_on(workers: Workers, tmp_path: Path) -> None:
    path = place(picture(tmp_path / "a.png"))
    for of in (pid_of, server_of):
        with workers.reader() as reader:
            reader.open(path)
            os.kill(of(reader), signal.SIGKILL)
            with pytest.raises(DecodeError, match="ended"):
                for _ in range(1000):
                    reader.digest()
            assert reader.was_killed
            with pytest.raises(DecodeError, match="ended before"):
                reader.digest()
        with workers.reader() as reader:
            assert reader.open(path)[1] is not None


def test_workers_that_ended_with_their_server_are_given_to_nobody(workers: Workers, tmp_path: Path) -> None:
    path = place(picture(tmp_path / "a.png"))
    with workers.reader() as reader:
        with workers.reader() as other:  # and is idle afterwards
            other.open(path)
        os.kill(server_of(reader), signal.SIGKILL)
        with pytest.raises(DecodeError, match="ended"):
            while True:
                reader.open(path)
        assert reader.was_killed
        with workers.reader() as fresh:
            assert fresh.open(path)[1] is not None
            assert server_of(fresh) != server_of(reader)


def test_a_server_that_was_stopped_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.images.worker_process._START_SECONDS", 5.0)
    made = Workers(2, Limits(read_seconds=30.0))  # other limits: a server that was kept waits as long as before
    path = place(picture(tmp_path / "a.png"))
    with made.reader() as first:
        first.open(path)
        os.kill(server_of(first), signal.SIGSTOP)
        with pytest.raises(Exception, match="does not answer"), made.reader():
            pass
        with made.reader() as reader:
            assert reader.open(path)[1] is not None
    made.close()


def test_time_in_which_the_program_was_stopped_is_not_counted(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    code = f"""{WITH_PICTURE}
import signal
pool = Workers(1, Limits(read_seconds=3.0))
decoded(pool)
with pool.reader() as reader:
    os.kill(reader._process._pid, signal.SIGSTOP)
    print(reader._process._pid, flush=True)
    reader.open(place)
pool.close()
"""
    command = [sys.executable, "-c", code, str(tmp_path), "a.png"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        time.sleep(0.5)
        run.send_signal(signal.SIGSTOP)
        time.sleep(5)
        run.send_signal(signal.SIGCONT)
        time.sleep(0.2)
        os.kill(pid, signal.SIGCONT)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 0, said


def test_a_process_forked_from_the_program_has_workers_of_its_own(tmp_path: Path) -> None:
    for number in range(4):
        picture(tmp_path / f"{number}.png", (100 + number, 80))
    code = f"""{WITH_PICTURE}
import multiprocessing
from sightline.images.pools import pool
def work(number):
    global place
    place = Place(place.root, f"{{number}}.png".encode())
    for _ in range(40):
        assert decoded(pool("photos")) == (80, 100 + number, 3)
decoded(pool("photos"))
with pool("photos").reader(), pool("photos").reader():
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=work, args=(number,)) for number in range(3)]
    for child in children:
        child.start()
work(3)
for child in children:
    child.join()
    assert child.exitcode == 0
print("done")
"""
    assert program(code, tmp_path, "0.png") == "done\n"


def test_what_is_in_the_way_of_imports_is_not_imported(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    for name in ("json.py", "socket.py", "store.py"):
        (tmp_path / name).write_text("raise SystemExit('not this one')")
    code = f"import sys; sys.path = [*{[str(ROOT)]!r}, *sys.path]\n{WITH_PICTURE}\nprint(decoded(Workers(1)))"
    here: dict[str, Any] = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(tmp_path)}}
    assert program(code, tmp_path, "a.png", flags=("-I",), **here) == "(120, 160, 3)\n"
    here["env"] = {**os.environ, "PYTHONPATH": ""}
    assert program(code, tmp_path, "a.png", flags=("-P",), **here) == "(120, 160, 3)\n"


def test_modules_are_found_by_a_path_that_is_not_absolute(tmp_path: Path) -> None:
    fake_decoder.write(fake_decoder.install(tmp_path / "fake") / "a.jxl", "exit")
    code = f"""{WITH_PICTURE}
try:
    decoded(Workers(1))
except Exception as error:
    print(error)
"""
    here: dict[str, Any] = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": os.pathsep.join(("fake", str(ROOT)))}}
    assert "exit code 7" in program(code, tmp_path / "fake", "a.jxl", **here)


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_a_program_without_input_and_output_has_workers(tmp_path: Path, closed: str) -> None:
    picture(tmp_path / "a.png")
    code = f"""{WITH_PICTURE}
pool = Workers(1)
shape = decoded(pool)
open(sys.argv[3], "w").write(f"{{shape}} {{type(pool._idle[0]).__name__}}")
"""
    shell = f'exec "$0" -c "$1" "$2" a.png "$2/said" {closed}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(["sh", "-c", shell, sys.executable, code, str(tmp_path)], env=environment, timeout=60, check=True)
    assert (tmp_path / "said").read_text() == "(120, 160, 3) WorkerProcess"


def test_memory_that_was_given_back_is_given_back_once(tmp_path: Path) -> None:
    memory = SharedMemory.make()
    memory.close()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    memory.close()
    os.close(descriptor)


@pytest.mark.parametrize("said", [b"[" * 100_000, b"[]", b"1", b"\xff", b"{"])
def test_what_a_worker_says_is_a_message_or_nonsense(said: bytes) -> None:
    ours, theirs = Pipe()
    theirs.send_bytes(said)
    with pytest.raises(wire.NonsenseError):
        wire.receive(ours)


class Says:
    """A process that gives one answer to everything."""

    def __init__(self, answer: wire.Message) -> None:
        self.memory = SharedMemory.make()
        self.is_alive, self.was_killed, self._answer = True, False, answer

    def ask(self, request: wire.Message) -> wire.Message:
        return self._answer

    def end(self) -> None:
        self.is_alive = False


STAT = [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "answer",
    [
        {"stat": [2**64, 2, 3, 4, 5], "digest": "0" * 64}, {"stat": [True, 2, 3, 4, 5], "digest": "0" * 64},
        {"stat": STAT, "digest": "00"}, {"stat": STAT, "digest": "x" * 64}, {"stat": STAT, "digest": 5},
        {"stat": STAT[:4], "digest": "0" * 64},
        {"os": [1e999, ""]}, {"os": 3}, {"unread": [["", 5]]}, {"unread": 7}, {"wrong": []}, {},
    ],
)  # fmt: skip
def test_an_answer_that_can_not_be_costs_the_file_and_ends_the_worker(answer: wire.Message) -> None:
    told = json.loads(json.dumps(answer))
    process = Says(told)
    with pytest.raises(DecodeError, match="an answer that can't be"):
        Reader(process).open(Place(b"/", b"a"))
    assert not process.is_alive


def test_a_number_that_no_library_holds_is_no_fact(tmp_path: Path) -> None:
    with Workers(1).reader() as reader:
        reader.open(place(picture(tmp_path / "a.png")))
        facts = wire.facts_to_json(reader.header())
    with pytest.raises(wire.NonsenseError, match="iso"):
        wire.facts_of_json({**facts, "iso": 2**70})
