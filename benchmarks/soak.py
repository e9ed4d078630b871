"""Mixed work on one server for a long time: whether memory, handles and answers stay as they were.

    python benchmarks/soak.py [--minutes 30] [--pictures 300] [--ratio 10]

A library of drawn pictures is served on the loopback. Searches are timed while nothing else happens. Then programs
search by text and picture, pages are opened on the socket, files are looked at and exported, marks are set, pictures
are uploaded, and an indexer adds, changes and prunes files, all at once. Printed are the times of searches in both
cases, answers by their status, and what the server and its children hold over time: first, last, peak, and the growth
over the second half of the time.

Ends with 1 when a bound is broken: an answer of 500, an exception on a page, a run that fails, growth of memory by more
than a tenth and 48 MB, of handles or threads by more than 16, or searches whose 95th percentile is more than `--ratio`
times the idle one. Linux only: it reads /proc.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import click
import httpx
from processes import Sample, Watch, growth
from tables import table
from visitors import Visitors

from indexer.demo.pictures import write_pictures

ROOT = Path(__file__).parent.parent
IDLE = 120  # searches that are timed before the load
MB = 1 << 20


def served(library: Path, log: Path) -> tuple[subprocess.Popen[bytes], str, str]:
    """A server of the library as a process of its own, its address, and the token that it asks for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    token = secrets.token_urlsafe(32)
    command = [
        sys.executable,
        "-m",
        "search_ui",
        "--library",
        str(library),
        "--port",
        str(port),
        "--no-browser",
        "--offline",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=ROOT, env={**os.environ, "SIGHTLINE_TOKEN": token}
        )
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}: {log.read_text()}")
        try:
            httpx.get(f"{url}/healthz", timeout=5)
            return process, url, token
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit("the server did not answer within a minute")


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """The median and the 95th percentile, in milliseconds."""
    if len(seconds) < 2:
        raise SystemExit("Too few searches were answered; say more --minutes.")
    return 1e3 * statistics.median(seconds), 1e3 * statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def held(samples: list[Sample]) -> tuple[list[list[str]], list[str]]:
    """Rows of what the server held, and what grew beyond its bound, over the second half of the time."""
    half = samples[len(samples) // 2 :]
    rows, broken = [], []
    for name, unit, values in (
        ("memory, RSS, MB", MB, [float(one.rss) for one in samples]),
        ("memory, PSS, MB", MB, [float(one.pss) for one in samples]),
        ("handles", 1, [float(one.handles) for one in samples]),
        ("threads", 1, [float(one.threads) for one in samples]),
        ("processes", 1, [float(one.processes) for one in samples]),
    ):
        late = values[len(samples) // 2 :]
        grew = growth([one.at for one in half], late)
        bound = max(0.1 * statistics.median(late), 48 * MB) if unit == MB else 16
        rows.append([name, *(f"{value / unit:,.0f}" for value in (values[0], values[-1], max(values), grew))])
        if grew > bound:
            broken.append(f"{name} grew by {grew / unit:,.0f}, and may by {bound / unit:,.0f}")
    return rows, broken


@click.command()
@click.option("--minutes", default=30.0, show_default=True, type=click.FloatRange(0.2, 24 * 60), help="Under load.")
@click.option("--pictures", default=300, show_default=True, type=click.IntRange(100, 20_000), help="In the library.")
@click.option("--ratio", default=10.0, show_default=True, type=click.FloatRange(1), help="Of the 95th percentiles.")
def main(minutes: float, pictures: int, ratio: float) -> None:
    """Print Markdown tables; exit 1 when a bound is broken."""
    with tempfile.TemporaryDirectory(prefix="sightline-soak-") as name:
        scratch = Path(name)
        photos, library, spare, log = (scratch / part for part in ("photos", "library", "spare", "server.log"))
        write_pictures(photos, pictures, 3, (640, 480))
        write_pictures(spare, 40, 4, (1600, 1200))
        command = [sys.executable, "-m", "indexer", "index", str(photos), "--library", str(library)]
        subprocess.run([*command, "--space", "demo", "--quiet"], check=True, cwd=ROOT)
        process, url, token = served(library, log)
        try:
            visitors = Visitors(url, token, photos, library, spare)
            chance = Random(0)
            with visitors.client() as client:
                for act in (visitors.search, visitors.upload, visitors.look, visitors.page):
                    act(client, chance)  # whatever is loaded once, is loaded now
                time.sleep(8)  # so is what a start puts off
                visitors.tally.took.clear()
                for _ in range(IDLE):
                    visitors.search(client, chance)
                    time.sleep(0.05)
            idle = visitors.tally.took.pop("search")
            visitors.tally.answers.clear()
            watch = Watch(process.pid, max(2.0, minutes * 60 / 400))
            watch.start()
            threads = visitors.start()
            ends = time.monotonic() + minutes * 60
            while time.monotonic() < ends and process.poll() is None:
                time.sleep(0.5)
            visitors.over.set()
            for thread in threads:
                thread.join(120)
            samples = watch.stop()
            broken = visitors.tally.wrong[:20]
            if process.poll() is not None:
                broken.append(f"the server ended with {process.returncode}")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        if "Traceback" in (said := log.read_text(errors="replace")):
            broken.append(f"the server's log has a traceback: {said[said.index('Traceback') :][:2000]}")
    report(minutes, idle, visitors, samples, broken, ratio)


def report(
    minutes: float, idle: list[float], visitors: Visitors, samples: list[Sample], broken: list[str], ratio: float
) -> None:
    """Print what came out; exit 1 when a bound is broken."""
    took = visitors.tally.took
    rows = []
    p95 = {}
    for name, own in (("searches, idle", idle), ("searches, under load", took["search"])):
        median, p95[name] = percentiles(own)
        rows.append([name, f"{len(own):,}", f"{median:.1f}", f"{p95[name]:.1f}"])
    times = p95["searches, under load"] / p95["searches, idle"]
    rows.append(["ratio", "", "", f"{times:.1f}"])
    for kind in sorted(took.keys() - {"search"}):
        if len(took[kind]) > 1:
            median, last = percentiles(took[kind])
            rows.append([kind, f"{len(took[kind]):,}", f"{median:.1f}", f"{last:.1f}"])
    print(f"{minutes:g} minutes of mixed work.\n")
    print(table(["what", "count", "median, ms", "p95, ms"], rows))
    answers: Counter[str] = Counter()
    for (_, answer), count in visitors.tally.answers.items():
        answers[answer] += count
    print(f"\nAnswers: {', '.join(f'{count:,} x {answer}' for answer, count in sorted(answers.items()))}.\n")
    more, grown = held(samples)
    print(table(["the server and its children", "first", "last", "peak", "growth in the second half"], more))
    broken += grown
    if times > ratio:
        broken.append(f"searches take {times:.1f} times as long under load (95th percentile), and may take {ratio:g}")
    shed = answers["503"] / max(1, sum(answers.values()))
    if shed > 0.05:
        broken.append(f"{shed:.0%} of all answers were 503")
    for line in broken:
        print(f"broken: {line}", file=sys.stderr)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
