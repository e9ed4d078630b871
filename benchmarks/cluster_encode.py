"""Encoding by workers of a Ray cluster beside a run of one process: for cluster.py.

A cluster of this machine is started once. Each round indexes all pictures into a new library: in one process with all
cores, by two workers of one core each, and by one of these. Pictures per second are those of the run's own summary,
without what it takes to start and to load the model; processor time is that of all processes together, the cluster's
own among them. On a shared machine only ratios of the same round mean anything, and best those of processor time.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from processes import family
from tables import table

ROOT: Final = Path(__file__).parent.parent
WAYS: Final = {
    "one process": (),
    "Ray, 2 workers": ("--on", "ray", "--on-workers", "2", "--on-cpus", "1"),
    "Ray, 1 worker": ("--on", "ray", "--on-workers", "1", "--on-cpus", "1"),
}
# Pictures that go first, of each way: they make what is made once for a model, and fill the system's caches.
WARM: Final = 48
_SERVE: Final = """
import sys
from indexer.on_ray.cluster import Cluster
from indexer.options import OnRay

cluster = Cluster(OnRay("ray"))
print(cluster.ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
cluster.close()
"""


def report(pictures: Path, space: str, rounds: int) -> str:
    """Measure, and return tables in Markdown.

    Args:
        pictures: a folder of them.
        space: the model.
        rounds: how many.
    """
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    with (
        _cluster() as (process, environment), _watched(process) as processor, tempfile.TemporaryDirectory() as folder,
    ):  # fmt: skip
        warm = Path(folder, "warm")
        warm.mkdir()
        for number, path in enumerate([path for path in sorted(pictures.rglob("*")) if path.is_file()][:WARM]):
            (warm / f"{number}{path.suffix}").symlink_to(path.absolute())
        for number in range(-1, rounds):
            for name, options in WAYS.items():
                spent = processor()
                what = (warm, "--follow-symlinks") if number < 0 else (pictures,)
                made = _run([*map(str, what), *options], Path(folder, f"{name} {number}"), space, environment)
                if number >= 0:
                    rows[name].append(made | {"cpu": processor() - spent})
    return _tables(rows)


def _tables(rows: dict[str, list[dict[str, float]]]) -> str:
    own, two, one = rows.values()
    shown = [
        [
            name, f"{_median(each, 'rate'):.1f}", f"{_median(each, 'loading'):.1f}",
            f"{1e3 * statistics.median(row['cpu'] / row['encoded'] for row in each):.0f}",
        ]
        for name, each in rows.items()
    ]  # fmt: skip
    ratios = [
        ["Ray, 2 workers / one process", f"{_ratio(two, own):.2f}", "0.8"],
        ["Ray, 2 workers / 1 worker", f"{_ratio(two, one):.2f}", "1.7"],
    ]
    made = table(["", "pictures/s", "start, s", "processor a picture, ms"], shown)
    return f"{int(own[0]['encoded'])} pictures\n\n{made}\n\n{table(['pictures/s', 'ratio', 'aim'], ratios)}\n"


def _median(rows: list[dict[str, float]], name: str) -> float:
    return statistics.median(row[name] for row in rows)


def _ratio(rows: list[dict[str, float]], others: list[dict[str, float]]) -> float:
    """The median of the rounds' ratios of pictures per second."""
    return statistics.median(row["rate"] / other["rate"] for row, other in zip(rows, others, strict=True))


def _run(arguments: list[str], library: Path, space: str, environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "indexer", *arguments, "--library", str(library), "--space", space, "--json"]
    done = subprocess.run(command, env=environment, cwd=ROOT, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    made = json.loads(done.stdout)
    assert isinstance(made, dict)
    return {name: made[name] for name in ("rate", "loading", "encoded")}


@contextmanager
def _watched(cluster: int) -> Iterator[Callable[[], float]]:
    """Asks for the seconds of processor time of the runs that ended and of a cluster.

    Ray leaves nobody the time of workers that it ended, so its processes are looked at ten times a second.
    """
    seen: dict[int, float] = {}
    is_over = threading.Event()

    def look() -> None:
        for pid in family(cluster):
            with suppress(OSError):  # it ended meanwhile
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                seen[pid] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def watch() -> None:
        while not is_over.wait(0.1):
            look()

    def processor() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime + sum(list(seen.values()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield processor
    finally:
        is_over.set()
        thread.join()


@contextmanager
def _cluster() -> Iterator[tuple[int, dict[str, str]]]:
    """A cluster of this machine: the process that holds it, and the environment with which runs find it."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {
        **os.environ, "PYTHONPATH": paths, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.urandom(32).hex(),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "SIGHTLINE_NICE": "0",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE], env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        if not address:
            raise SystemExit("Ray did not start")
        yield process.pid, {**environment, "RAY_ADDRESS": address}
    finally:
        process.stdin.close()
        process.wait(60)
