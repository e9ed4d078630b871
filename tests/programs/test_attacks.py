"""What others may try on a running server, and faults of the system at any step of a run.

benchmarks/attacks.toml has the whole list, with tests of all parts.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import scripts
import serving
from support import DEMO, ROOT

import sightline

# What a sender and a proxy could take for two requests, or for one of another length. None is a request in order.
AMBIGUOUS = {
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a list of lengths": b"Content-Length: 5, 6\r\n\r\nhello!",
    "a length below nothing": b"Content-Length: -1\r\n\r\n",
    "a length that is no number": b"Content-Length: 5x\r\n\r\nhello",
    "an unknown coding": b"Transfer-Encoding: sightline\r\n\r\nhello",
    "a chunk that is no number": b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "a name that ends in a blank": b"Content-Length : 5\r\n\r\nhello",
    "no host": b"",
}


@pytest.fixture(scope="module")
def served(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A running server of its own copy of the drawn library; gives its address."""
    folder = tmp_path_factory.mktemp("attacked")
    shutil.copytree(drawn, folder / "made")
    with serving.running(folder / "made" / "library", folder / "log.txt") as url:
        yield url
    assert "Traceback" not in (folder / "log.txt").read_text()


def said(url: str, data: bytes) -> bytes:
    """All that the server says to these bytes, until it closes the connection or is quiet for two seconds."""
    parts = []
    with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), timeout=10) as connection:
        connection.sendall(data)
        connection.settimeout(2)
        try:
            while part := connection.recv(65536):
                parts.append(part)
        except (TimeoutError, ConnectionResetError):
            pass
    return b"".join(parts)


def authorized(url: str) -> bytes:
    port = url.rsplit(":", 1)[1]
    lines = {"Host": f"127.0.0.1:{port}", **serving.header()}
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_request_of_unclear_length_is_refused_and_what_follows_it_is_not_read(served: str, name: str) -> None:
    hidden = b"PUT /api/v1/photos/1/favourite HTTP/1.1\r\n" + authorized(served) + b"Content-Length: 0\r\n\r\n"
    rest = AMBIGUOUS[name]
    host = authorized(served) if rest else b"\r\n"
    answers = said(served, b"POST /picture HTTP/1.1\r\n" + host + rest + hidden)
    assert answers.startswith(b"HTTP/1.1 4"), answers[:200]
    assert answers.count(b"HTTP/1.1 ") == 1, answers
    assert json.loads(get(served, "/api/v1/photos/1")[1])["favourite"] is False


@pytest.mark.parametrize("path", ["/picture", "/api/v1/search"])
def test_who_leaves_while_sending_leaves_nothing_in_the_log(served: str, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\n".encode() + authorized(served)
    head += b"Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(served.rsplit(":", 1)[1])), timeout=10) as connection:
        connection.sendall(head + b"x" * 1000)
    assert get(served, "/healthz")[0] == 200  # the fixture looks at the log


def get(url: str, path: str) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    answer = said(url, f"GET {path} HTTP/1.1\r\n".encode() + authorized(url) + b"Connection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize("path", ["/api/v1/search", "/api/v1/photos/1", "/thumb/x.jpg", "/"])
def test_ten_thousand_parameters_are_answered_in_time(served: str, path: str) -> None:
    parameters = urlencode([(f"p{number}", "1") for number in range(10_000)])
    begun = time.monotonic()
    for size in (len(parameters), 50_000):
        status, _ = get(served, f"{path}?q=boat&{parameters[:size]}")
        assert status < 500
        if path != "/":
            assert status >= 400
    assert time.monotonic() - begun < 20
    assert get(served, "/healthz")[0] == 200


# The n-th call of one kind fails, or the process ends in its place, as by a power cut.
FAULTY = """
import errno, os, sys
kind, number, fault = sys.argv[1], int(sys.argv[2]), sys.argv[3]
real, count = getattr(os, kind), 0
def faulty(*given, **options):
    global count
    count += 1
    if count == number:
        print("fault", file=sys.stderr)
        if fault == "death":
            os._exit(9)
        raise OSError(getattr(errno, fault), os.strerror(getattr(errno, fault)))
    return real(*given, **options)
setattr(os, kind, faulty)
from indexer.__main__ import main
main(sys.argv[4:])
"""


def state(library: Path) -> list[tuple[str, int, float]]:
    """What a search finds of everything: paths, sizes and scores."""
    with sightline.Library(library) as opened:
        hits = opened.search("boat dedup:off", limit=500)
        return sorted((hit["path"], hit["size"], round(hit["score"], 3)) for hit in hits)


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, int, float]]]:
    """A folder with five photos, and what is found in a library of it that nothing happened to."""
    folder = tmp_path_factory.mktemp("five")
    for path in sorted(DEMO.rglob("*.jpg"))[:5]:
        shutil.copy(path, folder)
    library = tmp_path_factory.mktemp("fresh") / "library"
    subprocess.run([*INDEX, *words(folder, library)], cwd=ROOT, check=True, capture_output=True)
    wanted = state(library)
    assert len(wanted) == 5
    return folder, wanted


INDEX = [sys.executable, "-m", "indexer"]


def words(photos: Path, library: Path) -> list[str]:
    return ["index", str(photos), "--space", "demo", "--quiet", "--library", str(library)]


@pytest.mark.parametrize(
    ("kind", "number", "fault"),
    [
        pytest.param(kind, number, fault, marks=[pytest.mark.nightly] * ((number, fault) != (1, "death")))
        for kind in ("replace", "fsync")
        for number in (1, 2, 3, 5)
        for fault in ("ENOSPC", "EIO", "death")
    ],
)
@pytest.mark.slow
def test_a_fault_at_any_call_costs_no_more_than_that_run(
    five: tuple[Path, list[tuple[str, int, float]]], tmp_path: Path, kind: str, number: int, fault: str
) -> None:
    photos, wanted = five
    library = tmp_path / "library"
    faulty = [sys.executable, "-c", FAULTY, kind, str(number), fault, *words(photos, library)]
    done = subprocess.run(faulty, cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    assert number > 1 or "fault" in done.stderr, f"a run calls os.{kind}"
    again = subprocess.run([*INDEX, *words(photos, library)], cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert state(library) == wanted


def test_every_attack_of_the_list_is_tried_by_a_test_that_is_there() -> None:
    attack = scripts.load("benchmarks/attack.py")
    rows = attack.attacks()
    assert len(rows) == len({row.name for row in rows})
    missing = [test for row in rows for test in row.tests if not exists(test)]
    assert not missing
    assert all(row.tests for row in rows)


def exists(test: str) -> bool:
    """Whether a test of this name, FILE::NAME, is there."""
    file, _, name = test.partition("::")
    path = ROOT / file
    return path.is_file() and f"\ndef {name}(" in path.read_text(encoding="utf-8")


ONE = '<testcase classname="tests.a" name="test_x[1]" time="1"/>'


@pytest.mark.parametrize(
    ("cases", "held"),
    [
        (ONE, True),
        (ONE + '<testcase classname="tests.a" name="test_x[2]"><failure/></testcase>', False),
        ('<testcase classname="tests.a" name="test_x"><skipped/></testcase>', False),
        ('<testcase classname="tests.a" name="test_y"/>', False),
    ],
)
def test_an_attack_is_held_where_each_of_its_tests_ran_and_passed(tmp_path: Path, cases: str, held: bool) -> None:
    attack = scripts.load("benchmarks/attack.py")
    report = tmp_path / "report.xml"
    report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>", encoding="utf-8")
    row = attack.Attack("an attack", ("tests/a.py::test_x",))
    assert attack.verdict(row, attack.tried(report))[0] is held
