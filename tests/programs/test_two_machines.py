"""Two machines index into one library, a third searches, and whatever is killed, the library ends as it should."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import numpy as np
import pytest
from machines import Machine, Postgres, kill, kill_worker, machines
from PIL import Image
from serving import free_port
from support import ROOT

from indexer.commands import run
from indexer.verify import check
from store.library import Library
from store.remote import folder_of
from store.tables.copied_rows import sum_of

OF_EACH: Final = 40
TOKEN: Final = "a-token-of-this-test"
PATIENCE: Final = 240
OPTIONS: Final = ("--space", "demo", "--precision", "fp32", "--batch-size", "4", "--quiet")
SUITE, NIGHTLY = range(3), range(3, 23)
QUERIES: Final = ("a red boat", "green -boat", "ext:png")


def draw(path: Path, seed: int) -> None:
    """A picture of coloured blocks, each seed another."""
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(blocks).resize((320, 240), Image.Resampling.NEAREST).save(path, quality=90)


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The pictures of two machines: some are on both, and one file of each is none."""
    folder = tmp_path_factory.mktemp("disks")
    made = []
    for number in range(2):
        disk = folder / f"disk {number}"
        for n in range(OF_EACH):
            draw(disk / f"{n % 3}" / f"{n}.{'png' if n % 5 else 'jpg'}", n if n < 8 else 1000 * number + n)
        (disk / "broken.jpg").write_bytes(b"no picture %d" % number)
        made.append(disk)
    return made


@pytest.fixture(scope="module")
def whole(disks: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of one machine, without faults."""
    library = tmp_path_factory.mktemp("whole") / "library"
    assert run([*map(str, disks), "--library", str(library), *OPTIONS]) == 1
    return library


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    made = Postgres()
    yield made
    made.end()


def held(library: Path) -> dict[str, Any]:
    """What a library holds, without the ids by which it does: files, facts, failures, and vectors by their pictures."""
    found: dict[str, Any] = {}
    with Library.open(library) as opened:
        assert [finding for finding in check(opened, repair=False) if finding.state != "ok"] == []
        with opened.catalog.engine.connect() as connection:
            for name, query in {
                "photos": "SELECT roots.path, photos.path, hash, size, mtime_ns, missing_since, folder, name, ext "
                "FROM photos JOIN roots ON roots.id = root_id JOIN contents ON contents.id = content_id",
                "contents": "SELECT hash, photo_count, facts_version, width, height, format, taken_at FROM contents",
                "failures": "SELECT roots.path, failures.path, stage, reason, size FROM failures "
                "JOIN roots ON roots.id = root_id",
                "looks": "SELECT contents.hash, looks.hash, grey FROM looks JOIN contents ON contents.id = content_id",
                "spaces": "SELECT fingerprint, dim FROM spaces",
            }.items():
                found[name] = sorted(tuple(row) for row in connection.exec_driver_sql(query))
            assert sum_of(connection, "photos").rows == len(found["photos"])
            query = "SELECT hash, vector FROM vectors JOIN contents ON contents.id = content_id ORDER BY hash"
            rows = connection.exec_driver_sql(query).all()
            found["has vectors"] = [row[0] for row in rows]
            found["vectors"] = np.stack([np.frombuffer(row[1], "<f2").astype(np.float32) for row in rows])
            running = connection.exec_driver_sql("SELECT count(*) FROM runs WHERE state = 'running'").scalar_one()
            assert running == 0
        for each in found["has vectors"]:
            assert opened.thumbnails.read(each) is not None or library.name != "library"
    return found


def answers(library: str, query: str) -> list[dict[str, Any]]:
    """What a query prints."""
    command = [sys.executable, "-m", "search_ui", "query", "--json", "--all", "--library", library, "--", query]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Round:
    """One round: what happens, when enough pictures are there, and what is at work."""

    def __init__(self, seed: int, made: list[Machine], disks: list[Path], server: Postgres) -> None:
        self.rng = random.Random(seed)
        self.server = server
        self.database = server.new()
        self.address = server.address(self.database)
        self.indexing, self.searching = made[:2], made[2]
        self.disks = disks
        self.port = free_port()
        self.runs: list[subprocess.Popen[bytes]] = []
        self.page: subprocess.Popen[bytes] | None = None
        self.answered = 0
        kinds = ["an indexer", "a worker", "PostgreSQL", "the page"]
        self.rng.shuffle(kinds)
        most = 2 * OF_EACH
        self.faults = sorted((self.rng.randrange(most // 8, most - 10), kind) for kind in kinds)

    def start_page(self) -> None:
        command = ["search_ui", "--library", self.address, "--port", str(self.port), "--no-browser", "--offline"]
        self.page = self.searching.start(*command)

    def start_run(self, number: int) -> subprocess.Popen[bytes]:
        return self.indexing[number].start("indexer", self.disks[number], "--library", self.address, *OPTIONS)

    def there(self) -> int:
        """Pictures that are committed."""
        with suppress(Exception):  # while it is made, or down
            return int(self.server.run("SELECT count(*) FROM contents", self.database)[0][0])
        return 0

    def ask(self) -> None:
        """Search on the page; whatever is down, it answers or says so."""
        with suppress(OSError):  # HTTPError is one
            asked = Request(f"http://127.0.0.1:{self.port}/api/v1/search?q=boat")
            asked.add_header("Authorization", f"Bearer {TOKEN}")
            with urlopen(asked, timeout=20) as answer:
                assert isinstance(json.loads(answer.read())["hits"], list)
                self.answered += 1

    def happens(self, kind: str) -> None:
        if kind == "PostgreSQL":
            self.server.kill()
            time.sleep(self.rng.random())
            self.server.start()
        elif kind == "the page":
            assert self.page is not None
            kill(self.page)
            self.start_page()
        elif kind == "an indexer":
            kill(self.runs[self.rng.randrange(2)])
        else:
            kill_worker(self.runs[self.rng.randrange(2)], self.rng.randrange(100))

    def go(self) -> None:
        """Run until both machines are done and all has happened."""
        self.runs = [self.start_run(number) for number in range(2)]
        self.start_page()
        until = time.monotonic() + PATIENCE
        last_asked = 0.0
        while self.faults or any(process.poll() not in (0, 1) for process in self.runs) or not self.answered:
            assert time.monotonic() < until, f"{self.faults}\n" + "\n".join(each.said() for each in self.indexing)
            there = self.there()
            while self.faults and there >= self.faults[0][0]:
                self.happens(self.faults.pop(0)[1])
            for number, process in enumerate(self.runs):
                if process.poll() not in (None, 0, 1):
                    self.runs[number] = self.start_run(number)
            if time.monotonic() - last_asked > 1:
                last_asked = time.monotonic()
                self.ask()
            time.sleep(0.02)


@pytest.mark.parametrize("seed", [*SUITE, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in NIGHTLY)])
def test_whatever_is_killed_the_library_is_that_of_one_machine(
    seed: int, disks: list[Path], whole: Path, server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = (tmp_path / "one", tmp_path / "two", tmp_path / "three")
    with machines(*folders, SIGHTLINE_TOKEN=TOKEN) as made:
        this = Round(seed, made, disks, server)
        this.go()
        for machine in made:
            assert "Traceback" not in machine.said(), machine.said()
        for number in range(2):  # nothing is left to do
            assert this.start_run(number).wait(PATIENCE) == 1, made[number].said()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "four"))
    ended, wanted = held(folder_of(this.address)), held(whole)
    one, other = ended.pop("vectors"), wanted.pop("vectors")
    assert ended == wanted
    assert np.abs(one - other).max() < 2e-3
    for query in QUERIES:
        here, there = answers(this.address, query), answers(str(whole), query)
        assert {(hit["path"], hit["band"]) for hit in here} == {(hit["path"], hit["band"]) for hit in there}, query
