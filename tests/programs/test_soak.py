"""Mixed work on one server breaks no bound, and a bound that is broken is told."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scripts
from support import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc")


@pytest.mark.nightly
def test_mixed_work_for_a_minute_breaks_no_bound() -> None:
    command = [sys.executable, "benchmarks/soak.py", "--minutes", "1", "--pictures", "100"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| searches, under load |" in done.stdout


def test_growth_is_that_of_most_of_the_time_and_not_of_a_peak() -> None:
    processes = scripts.load("benchmarks/processes.py")
    times = np.arange(100.0)
    flat = np.full(100, 50.0)
    assert processes.growth(times, flat) == 0
    flat[40:45] = 500  # a peak
    assert abs(processes.growth(times, flat)) < 1
    assert processes.growth(times, 50 + 2 * times) == pytest.approx(198)
    assert processes.growth([1.0], [1.0]) == 0


def test_what_grows_is_told_with_its_bound() -> None:
    soak, processes = scripts.load("benchmarks/soak.py"), scripts.load("benchmarks/processes.py")
    mb = 1 << 20

    def samples(memory: int, handles: int) -> list[object]:
        return [processes.Sample(at, 900 * mb + at * memory, 800 * mb, 40 + at * handles, 9, 2) for at in range(100)]

    assert soak.held(samples(0, 0))[1] == []
    (line,) = soak.held(samples(10 * mb, 0))[1]
    assert line.startswith("memory, RSS, MB grew by 490")
    (line,) = soak.held(samples(0, 1))[1]
    assert line == "handles grew by 49, and may by 16"


def test_a_process_is_looked_at_with_its_children() -> None:
    processes = scripts.load("benchmarks/processes.py")
    code = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE);"
        "print('up', flush=True); input(); child.communicate(b'x')"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        seen = processes.sample(process.pid, 0.0)
        assert (seen.processes, seen.threads) == (2, 2)
        assert seen.rss >= seen.pss > 2 << 20
        process.communicate(b"x\n")
    assert processes.sample(process.pid, 0.0).processes == 0


def test_a_soak_goes_to_the_loopback_alone() -> None:
    visitors = scripts.load("benchmarks/visitors.py")
    for url in ("http://127.0.0.1.example:1", "http://192.0.2.1:80", "https://127.0.0.1:1", "http://localhost:1"):
        with pytest.raises(ValueError, match="not on the loopback"):
            visitors.Visitors(url, "", ROOT, ROOT, ROOT)
