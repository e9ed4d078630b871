"""The page in order of time, in a browser: frame times while it scrolls, milliseconds to a date.

    python benchmarks/timeline.py [--pictures 100000] [--jumps 20] [--seconds 8] [--keep FOLDER]

The library is made up: fifteen years of pictures in bursts, each drawn on 96 pixels, one in fifty without a date. They
have vectors of 16 numbers, which no query here compares. The page is the program's own, served as it is.

- list: from asking for the page's list of pictures to its last byte, by fetch in the page, with what the server keeps.
- frames: a frame of scrolling by a wheel's steps, 1,200 pixels every 100 ms, and by dragging the rail from end to end;
  from one requestAnimationFrame to the next. A frame of 60 a second takes 16.7 ms.
- jump: from the press on the rail to the frames of that date's pictures being laid out, in the same task and until the
  next frame was painted; and until the first of its thumbnails is there.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import random
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from shutil import which
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import click
import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from tables import table

from store.checked_files import sealed
from store.library import Library
from store.lock import locked
from store.tables.writer import File, Indexed, SpaceIdentity, Writer

TOKEN = secrets.token_urlsafe(32)
BATCH = 2_000
SHAPES = ((4000, 3000), (3000, 4000), (4000, 2667), (2667, 4000), (4000, 2250), (3000, 3000))

# In the page. `tiles`: those whose frames lie in the window.
LOOKING = """
const host = [...document.querySelectorAll("*")].find((node) => node.shadowRoot?.querySelector(".sections"))
const root = (host?.shadowRoot ?? document).querySelector(".sections")
const rail = root.parentNode.querySelector(".rail")
const tiles = () => [...root.querySelectorAll(".tile")].filter((tile) => {
  const { top, bottom } = tile.getBoundingClientRect()
  return bottom > 60 && top < innerHeight
})
const frame = () => new Promise(requestAnimationFrame)
"""
JUMP = f"""async (share) => {{
  {LOOKING}
  const {{ left, top, width, height }} = rail.getBoundingClientRect()
  const at = {{ clientX: left + width / 2, clientY: top + share * height, pointerId: 1, button: 0, bubbles: true }}
  rail.setPointerCapture = () => {{}}
  const begun = performance.now()
  rail.dispatchEvent(new PointerEvent("pointerdown", at))
  const count = tiles().length
  const laid = performance.now() - begun
  await frame()
  await frame()
  const painted = performance.now() - begun
  rail.dispatchEvent(new PointerEvent("pointerup", at))
  while (!tiles().some((tile) => tile.classList.contains("loaded")) && performance.now() - begun < 20000) await frame()
  return {{ count, laid, painted, seen: performance.now() - begun }}
}}"""
FRAMES = f"""async ([how, seconds]) => {{
  {LOOKING}
  const {{ left, top, width, height }} = rail.getBoundingClientRect()
  const isScroller = (node) => node instanceof Element && /auto|scroll/.test(getComputedStyle(node).overflowY)
  let scroller = root
  while (!isScroller(scroller)) scroller = scroller.parentNode ?? scroller.host
  rail.setPointerCapture = () => {{}}
  rail.hasPointerCapture = () => true
  const place = {{ clientX: left + width / 2, pointerId: 1, button: 0, bubbles: true }}
  const at = (share) => ({{ ...place, clientY: top + share * height }})
  const times = []
  if (how === "wheel") scroller.scrollTop = 0
  else rail.dispatchEvent(new PointerEvent("pointerdown", at(0)))
  await frame()
  const begun = await frame()
  let last = begun
  let steps = 0
  while (last - begun < seconds * 1000) {{
    // What a wheel's step scrolls, spread over its tenth of a second as browsers do.
    if (how === "wheel") scroller.scrollTop += Math.min(200, 12 * (performance.now() - last) + 200 / 60)
    else rail.dispatchEvent(new PointerEvent("pointermove", at((last - begun) / (seconds * 1000))))
    const now = await frame()
    times.push(now - last)
    last = now
    steps += 1
  }}
  if (how !== "wheel") rail.dispatchEvent(new PointerEvent("pointerup", at(1)))
  return times
}}"""
LIST = """async () => {
  const before = performance.getEntriesByType("resource").find((entry) => /timeline.*bin/.test(entry.name))
  const begun = performance.now()
  const data = await (await fetch(before.name)).arrayBuffer()
  return { again: performance.now() - begun, first: before.duration, bytes: data.byteLength }
}"""


def build(folder: Path, pictures: int) -> None:
    """Write a library with so many made-up pictures and their thumbnails."""
    pick = random.Random(0)
    drawn: dict[tuple[int, int], list[bytes]] = {}
    for shape in SHAPES:
        for _ in range(20):
            data = io.BytesIO()
            pixels = np.random.default_rng(pick.randrange(10**6)).integers(0, 256, (3, 4, 3), dtype=np.uint8)
            size = (96, 96 * shape[1] // shape[0])
            Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(data, "jpeg", quality=70)
            drawn.setdefault(shape, []).append(data.getvalue())
    with locked(folder), Library.create(folder) as library:
        writer = Writer(library.catalog.engine)
        space = writer.add_space(SpaceIdentity("made", "made", "made", "", "{}", 16, False))
        root = writer.add_root(b"/photos")
        run = writer.start_run(space)
        vectors = np.random.default_rng(0).standard_normal((pictures, 16), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        taken = datetime(2009, 1, 1)
        batch: list[Indexed] = []
        for number in range(pictures):
            # A walk: bursts of minutes, then days of nothing.
            step = timedelta(minutes=pick.random() * 4) if pick.random() < 0.97 else timedelta(days=pick.random() * 3.6)
            taken += step * (100_000 / pictures)
            shape = pick.choice(SHAPES)
            content = hashlib.sha256(f"{number}".encode()).digest()
            facts: dict[str, Any] = {
                "width": shape[0], "height": shape[1], "format": "JPEG", "orientation": 1, "colour": 0x808080,
                "taken_at": None if number % 50 == 0 else taken.isoformat(timespec="seconds"),
            }  # fmt: skip
            path = f"{taken.year}/{taken.month:02}/img_{number:06}.jpg".encode()
            batch.append(Indexed(File(root, path, 4_000_000, 1), content, facts, {space: vectors[number]}))
            target = library.thumbnails.path(content)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(sealed(pick.choice(drawn[shape]), b"thumbnail" + content))
            if len(batch) == BATCH or number == pictures - 1:
                writer.commit(batch, [])
                batch = []
        writer.finish_run(run, "done", {})
        writer.make_default(space)


@contextmanager
def served(library: Path) -> Iterator[str]:
    """The address of the page of a library while it is served."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
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
    with (library.parent / "server.log").open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, "SIGHTLINE_TOKEN": TOKEN}, stdout=output, stderr=output)
    try:
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended:\n{(library.parent / 'server.log').read_text()}")
            try:
                urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).read()
                break
            except (URLError, OSError):
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def percentile(values: list[float], share: float) -> float:
    """The value that this share of all is at most."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(page: Page, jumps: int, seconds: int) -> list[list[str]]:
    """Rows of a table: what was measured, median, 95th percentile, worst."""
    listed = page.evaluate(LIST)
    # The middle first, so that no jump goes where the page is already.
    done = [page.evaluate(JUMP, (number * 0.618) % 1) for number in range(1, jumps + 1)]
    assert all(each["count"] > 0 for each in done), "a date without pictures"
    found = {f"jump, {name}, ms": [each[key] for each in done] for name, key in (
        ("laid out", "laid"), ("painted", "painted"), ("first thumbnail", "seen"),
    )}  # fmt: skip
    for how in ("wheel", "rail"):
        found[f"frame, {how}, ms"] = page.evaluate(FRAMES, [how, seconds])
    rows = [
        [f"list of {listed['bytes'] / 1e6:.2f} MB, ms", f"{listed['again']:.0f}", "", f"{listed['first']:.0f} (first)"]
    ]
    for name, times in found.items():
        rows.append([name, f"{statistics.median(times):.1f}", f"{percentile(times, 0.95):.1f}", f"{max(times):.1f}"])
    return rows


@click.command()
@click.option("--pictures", default=100_000, show_default=True, type=click.IntRange(1_000))
@click.option("--jumps", default=20, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=8, show_default=True, type=click.IntRange(1), help="Of each scrolling.")
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep the library here, or use it again."
)
def main(pictures: int, jumps: int, seconds: int, keep: Path | None) -> None:
    """Print a Markdown table."""
    with nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library"
        if not library.exists():
            Path(folder).mkdir(parents=True, exist_ok=True)
            build(library, pictures)
        with served(library) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=which("chromium"), args=["--no-sandbox", "--disable-gpu-rasterization"]
            )
            context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=url)
            context.request.get(f"{url}/?token={TOKEN}", max_redirects=0)
            page = context.new_page()
            page.goto("/?q=sort:newest")
            page.wait_for_selector(".rail", state="attached", timeout=120_000)
            page.wait_for_selector(".tile.loaded", timeout=60_000)
            rows = measure(page, jumps, seconds)
            print(f"{pictures:,} pictures, {os.cpu_count()} cores, {platform.machine()}, Chromium {browser.version}\n")
            browser.close()
    print(table(["what", "median", "95 %", "worst"], rows))


if __name__ == "__main__":
    main()
