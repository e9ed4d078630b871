"""Take docs/page*.webp of the real pages, at three widths: python docs/screenshot.py [NAME...].

The library holds free photographs, see `photographs.py`, and the drawn pictures of the demo, which the small model
knows. NAME: of `SHOTS`. Needs the extra `test`, a Chromium, and pip's index.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import torch
from photographs import write_photographs
from PIL import Image
from playwright.sync_api import Locator, Page, ViewportSize, expect, sync_playwright
from safetensors.torch import load_file, save_file

import sightline
from indexer.demo.draw import render
from indexer.demo.world import scene_at

HERE = Path(__file__).parent
MODEL = HERE.parent / "sightline" / "models" / "demo"
TOKEN = secrets.token_urlsafe(32)
# The widest has the name of the page alone.
SIZES: tuple[ViewportSize, ...] = (
    {"width": 1400, "height": 900}, {"width": 768, "height": 1024}, {"width": 390, "height": 844},
)  # fmt: skip
MOST_BYTES = 150_000
WORDS = "two red boats at sunset"
SMALL = 'a duck folder:"far away"'
TAUGHT = "our-boat"  # by pictures: boats of one colour, and not of others
A_PICTURE = re.compile(r"\.jpg\b")
# How many pictures in the window are not there yet; those of components lie in shadow trees.
MISSING = """() => {
  const roots = [document, ...[...document.querySelectorAll("*")].map(node => node.shadowRoot).filter(Boolean)]
  const isSeen = box => box.width > 0 && box.top < innerHeight && box.bottom > 0
  const images = roots.flatMap(root => [...root.querySelectorAll("img")])
  return images.filter(image => !image.complete && isSeen(image.getBoundingClientRect())).length
}"""
# Below this a window has the layout of a phone.
NARROW = 600


def pictures(page: Page) -> Locator:
    """The pictures of the grid."""
    return page.get_by_role("button", name=A_PICTURE)


def answer(page: Page) -> Locator:
    """The line that says how much was found by words: the model is loaded by then."""
    return page.get_by_text(re.compile(r"^\d+ match"))


def look_closer(page: Page) -> Locator:
    """The button that looks for small things; likewise."""
    return page.get_by_role("button", name="Look closer")


def nothing(page: Page) -> None:
    """Do nothing before the picture is taken."""


def open_first(page: Page) -> None:
    """Open the first picture, and wait for what is known about it."""
    pictures(page).first.click()
    page.get_by_role("dialog").first.wait_for()


def show_why(page: Page) -> None:
    """Open the first picture, and wait for the map of what the words found."""
    open_first(page)
    page.get_by_role("button", name="Show why").click()
    page.locator("canvas.heat").wait_for()


def show_part(page: Page) -> None:
    """Look closer, and open the first picture that was found by a part of it."""
    look_closer(page).click()
    page.get_by_text("Looked closer at").wait_for()
    part = page.get_by_role("img", name="Found by this part").first
    part.locator("xpath=..").get_by_role("button").first.click()
    page.get_by_role("dialog").first.wait_for()


def open_filters(page: Page) -> None:
    """Open the filters, and wait for the words that were taught."""
    page.get_by_role("button", name="Filters").click()
    page.get_by_text("Taught words").wait_for()


def select_three(page: Page) -> None:
    """Select the first three pictures by keyboard."""
    pictures(page).first.focus()
    for key in ("Space", "ArrowRight", "Space", "ArrowRight", "Space"):
        page.keyboard.press(key)
    page.get_by_text("3 selected").first.wait_for()


def until_loaded(page: Page) -> None:
    """Wait until the pictures that can be seen are there, for ten seconds at most."""
    for _ in range(40):
        if page.evaluate(MISSING) == 0:
            return
        page.wait_for_timeout(250)


def until_arranged(page: Page) -> None:
    """Wait until the map is no longer the first, quick one."""
    expect(page.get_by_role("progressbar")).to_have_count(0, timeout=300_000)


@dataclass(frozen=True)
class Shot:
    """A picture of a page: its name, the address, what to wait for, and what to do before it is taken."""

    name: str
    address: str
    ready: Callable[[Page], Locator]
    act: Callable[[Page], None] = nothing
    scheme: Literal["light", "dark"] = "light"


SHOTS = (
    Shot("page", f"/?q={WORDS.replace(' ', '+')}", answer),
    Shot("page-photographs", "/?q=folder:photographs+sort:newest", pictures),
    Shot("page-dark", "/?q=folder:photographs", pictures, select_three, "dark"),
    Shot("page-photo", "/?q=name:chelsea", pictures, open_first),
    Shot("page-why", f"/?q={WORDS.replace(' ', '+')}", answer, show_why),
    Shot("page-part", f"/?{urlencode({'q': SMALL})}", look_closer, show_part),
    Shot("page-taught", f"/?q=concept:{TAUGHT}", pictures, open_filters),
    Shot("page-library", "/library", lambda page: page.get_by_role("heading", name="Folders")),
    Shot("page-duplicates", "/duplicates?kind=near", lambda page: page.get_by_role("button", name="Look at")),
    Shot("page-map", "/map", lambda page: page.locator("canvas"), until_arranged),
    Shot("page-compare", "/compare?q=a+red+boat&a=demo", lambda page: page.get_by_role("link", name=A_PICTURE)),
)


def main(names: list[str]) -> None:
    """Fetch, draw, index, serve, and look."""
    unknown = set(names) - {shot.name for shot in SHOTS}
    if unknown:
        raise SystemExit(f"No picture is called {', '.join(sorted(unknown))}. There are: {[s.name for s in SHOTS]}")
    shots = [shot for shot in SHOTS if not names or shot.name in names]
    with tempfile.TemporaryDirectory() as scratch:
        library = make_library(Path(scratch))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "search_ui", "--library", str(library), "--port", str(port), "--no-browser"]
        with subprocess.Popen([*command, "--offline"], env={**os.environ, "SIGHTLINE_TOKEN": TOKEN}) as server:
            try:
                shoot(f"http://127.0.0.1:{port}", shots)
            finally:
                server.terminate()


def make_library(scratch: Path) -> Path:
    """A library of drawn pictures and photographs, some of them twice, smaller or broken, with two models."""
    drawn, photographs, library = scratch / "drawn", scratch / "photographs", scratch / "library"
    far = scratch / "far away"
    run("indexer.demo", str(drawn))
    draw_far_away(far)
    write_photographs(photographs)
    copies = photographs / "From the old phone"
    copies.mkdir()
    for number, path in enumerate(sorted(photographs.glob("*/*.jpg"))[::3]):
        shutil.copy(path, copies / f"IMG_{1200 + number}.jpg")
        with Image.open(path) as image:
            small = image.resize((image.width * 2 // 3, image.height * 2 // 3))
            small.save(copies / f"{path.stem} (small).jpg", quality=80, exif=image.getexif())
    (copies / "cut off.jpg").write_bytes(path.read_bytes()[:900])
    run("indexer", str(drawn), "--library", str(library), "--space", f"local-dir:{other_model(scratch / 'other')}")
    run("indexer", str(drawn), str(far), "--library", str(library), "--space", "demo")
    run("indexer", str(photographs), "--library", str(library))
    teach(library, drawn)
    return library


def draw_far_away(folder: Path) -> None:
    """Draw pictures with one small thing each, which the demo's have not."""
    folder.mkdir()
    for kind in ("boat", "duck", "umbrella"):
        scenes = (scene for scene in (scene_at(21, number) for number in itertools.count()) if scene.kind == kind)
        for number, scene in enumerate(itertools.islice(scenes, 4), 1):
            render(replace(scene, count=1), 640, 480, scale=0.3).save(folder / f"{kind} {number}.jpg", quality=90)


def teach(library: Path, drawn: Path) -> None:
    """Teach the library a word, by half of the pictures of red boats and half of those of others."""
    shown = json.loads((drawn / "captions.json").read_text())
    with sightline.Library(library) as opened:
        found = {record["path"]: record["id"] for record in opened.search("boat dedup:off", limit=500)}
        boats = [each for each in found.keys() & shown.keys() if shown[each]["kind"] == "boat"]
        red = sorted(found[each] for each in boats if shown[each]["colour"] == "red")
        others = sorted(found[each] for each in boats if shown[each]["colour"] != "red")
        opened.teach(TAUGHT, red[::2], others[::2])


def other_model(folder: Path) -> Path:
    """The demo's model a little worse: there is no other one that knows the demo's pictures."""
    shutil.copytree(MODEL, folder)
    file = next(folder.glob("*.safetensors"))
    torch.manual_seed(1)
    weights = {name: weight * (1 + 0.05 * torch.randn_like(weight)) for name, weight in load_file(file).items()}
    save_file(weights, file)
    return folder


def run(module: str, *arguments: str) -> None:
    """Run a command of ours; some files of the demo library can't be read, which is exit code 1."""
    code = subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
    if code not in (0, 1):
        raise SystemExit(f"{module} ended with {code}")


def shoot(address: str, shots: list[Shot]) -> None:
    """Wait for the server, ask, and save what is seen."""
    for _ in range(480):
        try:
            with urlopen(f"{address}/healthz", timeout=2):
                break
        except (URLError, OSError):
            time.sleep(0.25)
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for shot in shots:
            for size in SIZES:
                is_phone = size["width"] < NARROW
                page = browser.new_page(viewport=size, color_scheme=shot.scheme, has_touch=is_phone)
                page.set_default_timeout(120_000)
                page.context.request.get(f"{address}/?token={TOKEN}", max_redirects=0)
                page.goto(f"{address}{shot.address}")
                shot.ready(page).first.wait_for()
                page.wait_for_timeout(1_500)
                shot.act(page)
                until_loaded(page)
                page.wait_for_timeout(1_500)  # the pictures fade in
                name = shot.name if size is SIZES[0] else f"{shot.name}-{size['width']}"
                (HERE / f"{name}.webp").write_bytes(compressed(page.screenshot()))
                page.close()
        browser.close()


def compressed(png: bytes) -> bytes:
    """The picture as WebP, in at most `MOST_BYTES`: everyone who clones gets it."""
    with Image.open(io.BytesIO(png)) as seen:
        for quality in (85, 75, 65, 55, 45):
            made = io.BytesIO()
            seen.convert("RGB").save(made, "WEBP", quality=quality, method=6)
            if made.tell() <= MOST_BYTES:
                break
    return made.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])
