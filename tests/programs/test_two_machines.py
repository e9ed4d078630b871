"""Two machines index into one library, a third searches, and whatever is killed, the library ends as it should."""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from urllib.request import Request, urlopen

import numpy as np
import object_store
import psycopg
import pytest
import qdrant_server
from machines import Machine, Postgres, kill, kill_worker, machines
from object_store import Bucket
from PIL import Image
from serving import free_port

import sightline
from indexer.commands import run
from indexer.verify import check
from store.library import Library
from store.remote import folder_of
from store.tables.copied_rows import sum_of

OF_EACH: Final = 24
TOKEN: Final = "a-token-of-this-test"
KEY: Final = "a-key-of-this-test"
PATIENCE: Final = 600
OPTIONS: Final = ("--space", "demo", "--precision", "fp32", "--batch-size", "4", "--quiet")
SUITE, NIGHTLY = range(3), range(3, 23)
QUERIES: Final = ("a red boat", "green -boat", "ext:png")


def draw(path: Path, seed: int) -> None:
    """A picture of coloured blocks, each seed another."""
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(blocks).resize((320, 240), Image.Resampling.NEAREST).save(path, quality=90)


@pytest.fixture(scope="module")
def bucket(s3_endpoint: str) -> Iterator[Bucket]:
    """A bucket that all machines reach."""
    with pytest.MonkeyPatch.context() as patch:
        environment = {**object_store.KEYS, "FSSPEC_S3_ENDPOINT_URL": s3_endpoint}
        for name, value in environment.items():
            patch.setenv(name, value)
        made = Bucket("machines", object_store.client(s3_endpoint), environment)
        made.client.create_bucket(Bucket=made.name)
        yield made


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory, bucket: Bucket) -> list[str]:
    """The pictures of two machines, a folder and a bucket: some are in both, and one file of each is none."""
    folder = tmp_path_factory.mktemp("disks")
    for number in range(2):
        disk = folder / f"disk {number}"
        for n in range(OF_EACH):
            draw(disk / f"{n % 3}" / f"{n}.{'png' if n % 5 else 'jpg'}", n if n < 8 else 1000 * number + n)
        (disk / "broken.jpg").write_bytes(b"no picture %d" % number)
    bucket.put_folder(folder / "disk 1")
    return [str(folder / "disk 0"), bucket.address]


@pytest.fixture(scope="module")
def whole(roots: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of one machine, without faults."""
    library = tmp_path_factory.mktemp("whole") / "library"
    assert run([*roots, "--library", str(library), *OPTIONS]) == 1
    return library


def held(library: Path) -> dict[str, Any]:
    """What a library holds, without the ids by which it does: files, facts, failures, and vectors by their pictures."""
    found: dict[str, Any] = {}
    with Library.open(library) as opened:
        assert [finding for finding in check(opened, repair=False) if finding.state != "ok"] == []
        with opened.catalog.engine.connect() as connection:
            for name, query in {
                "photos": "SELECT roots.path, photos.path, hash, photos.size, mtime_ns, missing_since, folder, name, "
                "ext FROM photos JOIN roots ON roots.id = root_id JOIN contents ON contents.id = content_id",
                "contents": "SELECT hash, photo_count, facts_version, width, height, format, taken_at FROM contents",
                "failures": "SELECT roots.path, failures.path, stage, reason, failures.size FROM failures "
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
        found["thumbnails"] = [opened.thumbnails.read(each) for each in found["has vectors"]]
    return found


def bands(hits: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Which pictures a search found, and how well they suit."""
    return {(hit["path"], hit["band"]) for hit in hits}


@dataclass
class Services:
    """What machines share."""

    postgres: Postgres
    qdrant: qdrant_server.Server
    bucket: Bucket


class Round:
    """One round: what happens, when enough pictures are there, and what is at work."""

    def __init__(self, seed: int, made: list[Machine], roots: list[str], services: Services) -> None:
        self.rng = random.Random(seed)
        self.services = services
        self.database = services.postgres.new()
        self.address = services.postgres.address(self.database)
        self.indexing, self.searching = made[:2], made[2]
        self.roots = roots
        self.thumbnails = f"s3://{services.bucket.name}/{self.database}"
        self.port = free_port()
        self.runs: list[subprocess.Popen[bytes]] = []
        self.page: subprocess.Popen[bytes] | None = None
        self.answered = 0
        self.over = threading.Event()
        self.asking: psycopg.Connection[Any] | None = None
        kinds = ["an indexer", "a worker", "PostgreSQL", "Qdrant", "the page"]
        self.rng.shuffle(kinds)
        most = 2 * OF_EACH
        self.faults = sorted((self.rng.randrange(most // 8, most - 10), kind) for kind in kinds)

    def library(self) -> list[str]:
        return ["--library", self.address, "--vectors", self.services.qdrant.address, "--thumbnails", self.thumbnails]

    def start_page(self) -> None:
        command = ["search_ui", *self.library(), "--port", str(self.port), "--no-browser", "--offline"]
        self.page = self.searching.start(*command)

    def start_run(self, number: int) -> subprocess.Popen[bytes]:
        return self.indexing[number].start("indexer", self.roots[number], *self.library(), *OPTIONS)

    def there(self) -> int:
        """Pictures that are committed."""
        with suppress(psycopg.Error):  # while it is made, or down
            if self.asking is None or self.asking.closed:
                self.asking = psycopg.connect(self.address, autocommit=True)
            row = self.asking.execute("SELECT count(*) FROM contents").fetchone()
            return 0 if row is None else int(row[0])
        return 0

    def search(self, query: str, patience: float = 120) -> list[dict[str, Any]]:
        """What the page's machine finds."""
        asked = Request(f"http://127.0.0.1:{self.port}/api/v1/search?limit=500&q={quote(query)}")
        asked.add_header("Authorization", f"Bearer {TOKEN}")
        with urlopen(asked, timeout=patience) as answer:
            hits: list[dict[str, Any]] = json.loads(answer.read())["hits"]
        return hits

    def ask(self) -> None:
        """Search on the page again and again; whatever is down, it answers or says so."""
        while not self.over.wait(0.5):
            with suppress(OSError):  # HTTPError is one
                self.search("boat", 20)
                self.answered += 1

    def happens(self, kind: str) -> None:
        servers: dict[str, Postgres | qdrant_server.Server] = {
            "PostgreSQL": self.services.postgres, "Qdrant": self.services.qdrant
        }  # fmt: skip
        if kind in servers:
            server = servers[kind]
            server.kill()
            time.sleep(self.rng.random())
            server.start()
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
        asking = threading.Thread(target=self.ask)
        asking.start()
        try:
            self.wait(until)
        finally:
            self.over.set()
            asking.join()

    def wait(self, until: float) -> None:
        """Let happen what is to happen, start again what ended, and come back when all is done."""
        while self.faults or any(process.poll() not in (0, 1) for process in self.runs) or not self.answered:
            assert time.monotonic() < until, f"{self.faults}\n" + "\n".join(each.said() for each in self.indexing)
            there = self.there()
            while self.faults and there >= self.faults[0][0]:
                self.happens(self.faults.pop(0)[1])
            for number, process in enumerate(self.runs):
                if process.poll() not in (None, 0, 1):
                    self.runs[number] = self.start_run(number)
            time.sleep(0.1)


@pytest.fixture(scope="module")
def services(bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """PostgreSQL, an object store, and what stands in for a Qdrant server."""
    made = Services(Postgres(), qdrant_server.Server(tmp_path_factory.mktemp("qdrant"), KEY), bucket)
    yield made
    made.qdrant.kill()
    made.postgres.end()


@pytest.mark.timeout(900)
@pytest.mark.slow
@pytest.mark.parametrize("seed", [*SUITE, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in NIGHTLY)])
def test_whatever_is_killed_the_library_is_that_of_one_machine(
    seed: int, roots: list[str], whole: Path, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = (tmp_path / "one", tmp_path / "two", tmp_path / "three")
    with machines(*folders, SIGHTLINE_TOKEN=TOKEN, SIGHTLINE_QDRANT_API_KEY=KEY) as made:
        this = Round(seed, made, roots, services)
        this.go()
        for machine in made:
            assert "Traceback" not in machine.said(), machine.said()
        # Nothing is left to do, and the page knows it.
        again = [this.start_run(number) for number in range(2)]
        assert [process.wait(PATIENCE) for process in again] == [1, 1], made[0].said() + made[1].said()
        with sightline.Library(whole) as one_machine:
            for query in QUERIES:
                assert bands(this.search(query)) == bands(one_machine.search(query, limit=500)), query
            assert TOKEN not in made[0].said() and KEY not in "".join(machine.said() for machine in made)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "four"))
    monkeypatch.setenv("SIGHTLINE_QDRANT_API_KEY", KEY)
    ended, wanted = held(folder_of(this.address, services.qdrant.address)), held(whole)
    one, other = ended.pop("vectors"), wanted.pop("vectors")
    for name in sorted(wanted, key=lambda name: name != "failures"):  # they say why the rest differs
        here, there = ended[name], wanted[name]
        assert [row for row in here if row not in there] == [row for row in there if row not in here], name
        assert here == there, name
    assert np.abs(one - other).max() < 2e-3
