"""Our gallery against the same page of stock widgets, in a real browser: seconds, and socket bytes.

    python benchmarks/page.py [--hits 60,200,500,2000] [--rounds 5] [--patience 60]

Both pages are scripts that this one writes into a temporary folder, served by one server with the search page's own
routes. Both show the same pictures under the same names, with a star to press: ours by one component, the
other by `st.columns`, an `st.image` of the same address and an `st.button` for each. A star is kept in the session and
changes what the page says, so a click is answered when the page says it.

Each round loads and clicks both, one after the other, in a browser that has nothing in its cache; the ratio is the
median of the rounds' ratios: on a shared machine only that means anything. First draw is from the request to the last
element of the page that can be seen, with a picture in the window that is not empty; thumbnails are those that were
fetched until nothing was asked for half a second. A page that takes longer than --patience is left out from then on.

A second table is of the real Search page over the same library: what comes over the socket for the first drawing, for a
query, and for a rerun of the script that changes nothing but a star.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from shutil import which
from urllib.error import URLError
from urllib.request import urlopen

import click
from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright
from search import numbers

from indexer.commands import run as run_indexer
from indexer.demo.pictures import write_pictures

PICTURES = 600
CLICKS = 5
TOKEN = secrets.token_urlsafe(32)
SERVER = """
import sys, uvicorn
from streamlit.starlette import App
from search_ui.server.asgi import configure, middleware
app = App(sys.argv[1], middleware=middleware())
configure("127.0.0.1", int(sys.argv[2]))
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
"""
# What both pages share: the pictures of the library again and again, each time under another id and name.
COMMON = """
import streamlit as st
from search_ui.runtime.services import services
st.set_page_config(layout="wide")
said = st.session_state
said.setdefault("stars", frozenset())
@st.cache_resource
def pictures():
    return list(services().searcher().recent(600))
photos = pictures()
hits = [(number + 1, photos[number % len(photos)]) for number in range(int(st.query_params["hits"]))]
def star(id_):
    said.stars = said.stars ^ {id_}
"""
OURS = """
from search_ui.components.gallery import gallery
from search_ui.components.event_queue import apply
apply("gallery", said.get("gallery", {}).get("favourites"), lambda event: star(event["id"]))
gallery(
    [{"title": "", "fold": "", "tiles": [
        {"id": id_, "hash": photo.hash.hex(), "folder": "", "name": f"{id_}.jpg",
         "ratio": photo.facts["width"] / photo.facts["height"], "colour": "#808080", "folded": 0,
         "favourite": id_ in said.stars, "asked": ""} for id_, photo in hits]}],
    key="gallery", query="boat", is_unfolded=False, on_open=lambda: None, on_like=lambda: None, on_dislike=lambda: None,
    may_star=True, on_fold=lambda: None, on_select=lambda: None,
)
st.caption(f"{len(hits)} shown, stars: {sorted(said.stars)}.")
"""
STOCK = """
columns = st.columns(5)
for place, (id_, photo) in enumerate(hits):
    with columns[place % 5]:
        st.image(services().library().thumbnails.read(photo.hash), caption=f"{id_}.jpg {1 / id_:.3f}")
        st.button("★" if id_ in said.stars else "☆", key=f"star-{id_}", on_click=star, args=[id_])
st.caption(f"{len(hits)} shown, stars: {sorted(said.stars)}.")
"""
PAGES = {"ours": OURS, "stock": STOCK}
MATCHES = re.compile(r"^\d+ match")
STARS = {"ours": '.tile button.star[data-id="2"]', "stock": ".st-key-star-2 button"}
# In the page itself, at every frame: what drives it from outside looks less and less often. Into components too.
LOOKING = """
const roots = () => [document, ...[...document.querySelectorAll("*")].map(node => node.shadowRoot).filter(Boolean)]
const all = selector => roots().flatMap(root => [...root.querySelectorAll(selector)])
const says = text => all("[data-testid=stCaptionContainer]").some(node => node.textContent.includes(text))
"""
# One call that waits by itself: the page's content security policy lets nothing be evaluated in it again and again.
DRAWN = f"""([text, last, patience]) => {{
  {LOOKING}
  const isSeen = image => image.complete && image.naturalWidth > 50 && image.getBoundingClientRect().top < innerHeight
  const until = performance.now() + patience * 1000
  return new Promise(done => {{
    const look = () => {{
      const isDrawn = says(text) && all(last).length > 0 && all("img").some(isSeen)
      if (isDrawn || performance.now() > until) done(isDrawn)
      else requestAnimationFrame(look)
    }}
    look()
  }})
}}"""
PRESS = f"""([star, text]) => {{
  {LOOKING}
  const begun = performance.now()
  all(star)[0].click()
  return new Promise(done => {{
    const look = () => says(text) ? done((performance.now() - begun) / 1000) : requestAnimationFrame(look)
    look()
  }})
}}"""


@dataclass
class Visit:
    """What one visit of a page took: seconds, bytes that came over the socket, thumbnails fetched."""

    draw: float = 0.0
    clicks: list[float] = field(default_factory=list)
    first_bytes: int = 0
    click_bytes: list[int] = field(default_factory=list)
    thumbnails: int = 0


@contextmanager
def served(folder: Path, name: str) -> Iterator[str]:
    """The address of a page while it is served: one of `PAGES`, or `search`, the real one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    if name in PAGES:
        script = folder / f"{name}.py"
        script.write_text(COMMON + PAGES[name], encoding="utf-8")
        command = ["-c", SERVER, str(script), str(port)]
    else:
        command = ["-m", "search_ui", "--port", str(port), "--no-browser"]
    environment = {**os.environ, "SIGHTLINE_LIBRARY": str(folder / "library"), "HF_HUB_OFFLINE": "1"}
    environment["SIGHTLINE_TOKEN"] = TOKEN
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, *command], env=environment, stdout=output, stderr=output)
    try:
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"the server of {name} ended:\n{log.read_text()}")
            try:
                urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).read()
                break
            except (URLError, OSError):
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def visit(browser: Browser, url: str, name: str, hits: int, patience: float) -> Visit:
    """Load a page, press a star several times, and measure it.

    Raises:
        TimeoutError: it took longer than `patience` seconds.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.request.get(f"{url}/?token={TOKEN}", max_redirects=0)
    page = context.new_page()
    page.set_default_timeout(patience * 1000)
    made = Visit()
    received = [0]
    page.on(
        "websocket",
        lambda opened: opened.on("framereceived", lambda frame: received.append(received.pop() + len(frame))),
    )
    fetched: list[float] = []
    page.on(
        "response",
        lambda answer: (
            fetched.append(time.perf_counter()) if "/thumb/" in answer.url or "/media/" in answer.url else None
        ),
    )
    try:
        begun = time.perf_counter()
        page.goto(f"{url}/?hits={hits}")
        # Streamlit draws an element when it comes; the last one says that all are there.
        last = ".tile" if name == "ours" else f".st-key-star-{hits} button"
        if not page.evaluate(DRAWN, [f"{hits} shown, stars: [].", last, patience]):
            raise TimeoutError(f"the page of {hits} was not drawn in {patience:g} s")
        made.draw = time.perf_counter() - begun
        made.first_bytes = received[0]
        until = time.perf_counter() + patience
        while time.perf_counter() < until and time.perf_counter() - max(fetched, default=begun) < 0.5:
            page.wait_for_timeout(100)
        made.thumbnails = len(fetched)
        press(page, STARS[name], made, received)
    finally:
        context.close()
    return made


def press(page: Page, star: str, made: Visit, received: list[int]) -> None:
    """Press a star several times, each until the page says so and the star shows it."""
    for number in range(CLICKS):
        before = received[0]
        made.clicks.append(page.evaluate(PRESS, [star, f"stars: {'[2]' if number % 2 == 0 else '[]'}."]))
        page.wait_for_timeout(300)
        made.click_bytes.append(received[0] - before)


def rerun(browser: Browser, url: str, patience: float) -> list[int]:
    """Bytes over the socket of the Search page: the first drawing, a query, a star."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.request.get(f"{url}/?token={TOKEN}", max_redirects=0)
    page = context.new_page()
    page.set_default_timeout(patience * 1000)
    received = [0]
    page.on(
        "websocket",
        lambda opened: opened.on("framereceived", lambda frame: received.append(received.pop() + len(frame))),
    )
    made: list[int] = []

    def note() -> None:
        page.wait_for_timeout(2_000)  # what comes after, such as a second drawing, belongs to it
        made.append(received[0] - sum(made))

    try:
        page.goto(url)
        page.locator(".tile").first.wait_for()
        note()
        box = page.get_by_role("textbox", name="Search").first
        box.fill("a red boat")
        box.press("Enter")
        page.get_by_text(MATCHES).first.wait_for()
        note()
        page.locator(".tile").first.hover()
        page.locator(".tile button.star").first.click()
        note()
    finally:
        context.close()
    return made


def chromium() -> str | None:
    """The system's browser; None: playwright's own."""
    return next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := which(name))), None)


def report(hits: int, visits: dict[str, list[Visit]]) -> None:
    """Print a row for each page: medians, and how many times as long as ours the other took."""
    ours = visits["ours"]
    for name, made in visits.items():
        if not made:
            print(f"| {hits:,} | {name} | left out | | | | | | |", flush=True)
            continue
        draws = statistics.median(one.draw / other.draw for one, other in zip(made, ours, strict=False))
        answers = statistics.median(
            statistics.median(one.clicks) / statistics.median(other.clicks)
            for one, other in zip(made, ours, strict=False)
        )
        middle = statistics.median
        print(
            f"| {hits:,} | {name} | {middle(one.draw for one in made):.2f} | {draws:.1f} | "
            f"{1e3 * middle(middle(one.clicks) for one in made):.0f} | {answers:.1f} | "
            f"{middle(one.first_bytes for one in made) / 1e3:,.0f} | "
            f"{middle(middle(one.click_bytes) for one in made) / 1e3:,.1f} | "
            f"{middle(one.thumbnails for one in made):.0f} |",
            flush=True,
        )  # fmt: skip


@click.command()
@click.option("--hits", default="60,200,500,2000", show_default=True, callback=numbers, help="Pictures on the page.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Visits of each page.")
@click.option("--patience", default=60.0, show_default=True, help="Seconds after which a page is given up.")
def main(hits: list[int], rounds: int, patience: float) -> None:
    """Measure both pages and print a Markdown table."""
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        folder = Path(made)
        write_pictures(folder / "photos", PICTURES, 0, (640, 480))
        code = run_indexer([str(folder / "photos"), "--library", str(folder / "library"), "--space", "demo", "--quiet"])
        if code:
            raise click.ClickException(f"the indexer ended with {code}")
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        print(
            f"{os.cpu_count()} cores, {platform.machine()}, Streamlit {version('streamlit')}, Chromium "
            f"{browser.version}; {rounds} rounds of one visit and {CLICKS} clicks\n"
        )
        print("| hits | page | first draw, s | to ours | click, ms | to ours | first, kB | a click, kB | thumbnails |")
        print("|---|---|---|---|---|---|---|---|---|")
        with served(folder, "ours") as ours, served(folder, "stock") as stock:
            urls = {"ours": ours, "stock": stock}
            for name, url in urls.items():
                visit(browser, url, name, 10, patience)  # imports, and the browser's own first steps
            for count in hits:
                visits: dict[str, list[Visit]] = {name: [] for name in urls}
                wanted = list(urls)
                for _ in range(rounds):
                    for name in list(wanted):
                        try:
                            visits[name].append(visit(browser, urls[name], name, count, patience))
                        except TimeoutError:
                            wanted.remove(name)
                report(count, visits)
        with served(folder, "search") as search:
            rerun(browser, search, patience)
            reruns = [rerun(browser, search, patience) for _ in range(rounds)]
        first, query, star = (statistics.median(each) / 1e3 for each in zip(*reruns, strict=True))
        print("\n| the Search page | over the socket, kB |\n|---|---|")
        print(f"| first drawing | {first:,.1f} |\n| a query | {query:,.1f} |\n| a rerun for a star | {star:,.1f} |")
        browser.close()


if __name__ == "__main__":
    main()
