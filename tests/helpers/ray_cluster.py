"""A Ray cluster of this machine for tests, and the processes of its workers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support import ROOT

_SERVE: Final = """
import sys
from indexer.on_ray.cluster import Cluster
from indexer.options import OnRay

cluster = Cluster(OnRay("ray"))
print(cluster.ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
cluster.close()
"""
# Of a package that jsonschema imports where it is installed, and Ray jsonschema: its import takes 3 s of a processor,
# in each of the seven processes of a cluster, and Ray gives up after 30 s.
_SLOW: Final = "rfc3987_syntax"


@dataclass(frozen=True, slots=True)
class RayCluster:
    """A cluster: its process, and the environment with which `--on ray` finds it."""

    process: subprocess.Popen[str]
    environment: dict[str, str]

    def workers(self) -> list[int]:
        """The processes of workers of runs that are at work now."""
        return [pid for pid in below(self.process.pid) if _name(pid).startswith("ray::Worker")]


def below(pid: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found, level = [], [pid]
    while level:
        level = [child for child, parent in parents.items() if parent in level]
        found += level
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def environment(folder: Path) -> dict[str, str]:
    """The environment of processes that start Ray, or are started by it; `folder` is for what they need."""
    folder.mkdir(exist_ok=True)
    (folder / f"{_SLOW}.py").write_text("raise ImportError\n")
    paths = [str(folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ, "PYTHONPATH": os.pathsep.join(paths), "SIGHTLINE_NICE": "0", "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0123456789abcdef" * 4, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }  # fmt: skip


@contextmanager
def ray_cluster(folder: Path) -> Iterator[RayCluster]:
    """A cluster with the cores of this machine; `folder` is for what it needs."""
    found = environment(folder)
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE], env=found, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address, "Ray did not start"
        yield RayCluster(process, {**found, "RAY_ADDRESS": address})
    finally:
        process.stdin.close()
        process.wait(60)
