"""What the page costs: until its search box, until the first answer to words, after ten searches."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from cold_parts import Goal, Part, Scene, Sides, Tree, make_library
from cold_process import MB, ColdError, processor_time
from page import chromium
from playwright.sync_api import Browser, TimeoutError, sync_playwright
from processes import sample

PATIENCE: Final = 120.0
BETWEEN: Final = 1.0  # seconds from an answer to the next words: the thumbnails are fetched
REST: Final = 3.0  # seconds after the last search until its memory is looked at
# Over the pictures, once words were answered. Above it, while the model is loading, the page shows what it has anyway.
_ANSWERED: Final = re.compile(r"^[\d,]+ (match|possible)|^No clear matches|Closest pictures:$")
WORDS: Final = (
    "a red boat", "two dogs on a beach", "sunset over hills", "old wooden door", "children playing", "street at night",
    "mountain lake", "a bowl of fruit", "yellow flowers", "people in the rain",
)  # fmt: skip


class PageCost(NamedTuple):
    """What the server of the page and its descendants took.

    Attributes:
        box: seconds of the processor until the search box can be typed into.
        answer: seconds of the processor until the first words are answered.
        box_clock, answer_clock: the same, by the clock.
        memory: MB after ten searches, with what several processes share counted once.
    """

    box: float
    answer: float
    box_clock: float
    answer_clock: float
    memory: float


def page(scene: Scene) -> Sides:
    """The page, from its start: the search box, words, and nine other words."""
    make_library(scene)

    def side(tree: Tree) -> Callable[[int], PageCost]:
        return lambda number: visit(tree, number)

    return {tree.name: side(tree) for tree in scene.trees}


def visit(tree: Tree, number: int) -> PageCost:
    """Start a tree's server, search its page in a browser for words with a number, and end it.

    Raises:
        ColdError: it did not answer.
    """
    folder = tree.home
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    url, token, log = f"http://127.0.0.1:{port}", secrets.token_urlsafe(32), folder / "server.log"
    begun = time.perf_counter()
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "search_ui", "--library", folder / "library", "--port", str(port), "--no-browser",
             "--offline"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, **tree.environment(), "SIGHTLINE_TOKEN": token},
        )  # fmt: skip
    try:
        _wait(server, url, log)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            try:
                return _search(browser, server.pid, f"{url}/?token={token}", number, begun)
            finally:
                browser.close()
    except TimeoutError as error:
        raise ColdError(f"the page of {tree.name} did not answer: {error}\n{log.read_text()[-800:]}") from error
    finally:
        server.terminate()
        server.wait(timeout=60)


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    while True:
        if server.poll() is not None:
            raise ColdError(f"the server ended with {server.returncode}: {log.read_text()[-800:]}")
        try:
            urlopen(f"{url}/healthz", timeout=5).read()
            return
        except (URLError, OSError):
            time.sleep(0.1)


def _search(browser: Browser, server: int, url: str, round_: int, begun: float) -> PageCost:
    shown = browser.new_page(viewport={"width": 1280, "height": 900})
    shown.set_default_timeout(PATIENCE * 1000)
    shown.goto(url)
    box = shown.get_by_role("textbox", name="Search").first
    box.wait_for()
    usable, usable_clock = processor_time(server), time.perf_counter() - begun
    answer = answer_clock = 0.0
    for number, words in enumerate(WORDS):
        box.fill(f"{words} {round_ + 2}")  # what was asked before is known
        box.press("Enter")
        shown.get_by_text(_ANSWERED).first.wait_for()
        if number == 0:
            answer, answer_clock = processor_time(server), time.perf_counter() - begun
        shown.wait_for_timeout(BETWEEN * 1000)
    shown.wait_for_timeout(REST * 1000)
    return PageCost(usable, answer, usable_clock, answer_clock, sample(server, begun).pss / MB)


PAGE: Final = Part(
    "page", "`python -m search_ui`", page,
    [
        Goal("box", unit="processor until the search box, s"),
        Goal("answer", 0.4, unit="processor until the first answer to words, s"),
        Goal("box_clock", unit="clock until the search box, s"),
        Goal("answer_clock", unit="clock until that answer, s"),
        Goal("memory", 0.5, unit="memory after ten searches, MB"),
    ],
)  # fmt: skip
