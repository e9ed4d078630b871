"""Take docs/page*.png of the real pages over the demo: python docs/screenshot.py [NAME...]."""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.error import URLError
from urllib.request import urlopen

import torch
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
MODEL = HERE.parent / "sightline" / "models" / "demo"
TOKEN = secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Shot:
    """A picture of a page: its name, the address, what to wait for, and what to do before it is taken."""

    name: str
    address: str
    ready: str
    act: Callable[[Page], None] = lambda page: None
    scheme: Literal["light", "dark"] = "light"


def open_first(page: Page) -> None:
    """Open the first picture, and wait for its preview."""
    page.locator(".tile .open").first.click()
    page.locator("[role=dialog] .facts").wait_for()


def select_three(page: Page) -> None:
    """Select the first three pictures by keyboard."""
    page.locator(".tile .open").first.focus()
    for key in ("Space", "ArrowRight", "Space", "ArrowRight", "Space"):
        page.keyboard.press(key)
    page.locator(".st-key-selection").wait_for()


def until_arranged(page: Page) -> None:
    """Wait until the map is no longer the first, quick one."""
    page.get_by_role("progressbar").wait_for(state="hidden", timeout=300_000)


SHOTS = (
    Shot("page", "/?q=two+red+boats+at+sunset", "text=/^\\d+ match/"),
    Shot("page-dark", "/?q=boat+OR+bridge+-snow", "text=/^\\d+ match/", select_three, "dark"),
    Shot("page-photo", "/?q=two+red+boats+at+sunset", "text=/^\\d+ match/", open_first),
    Shot("page-library", "/library", "text=/checked/"),
    Shot("page-duplicates", "/duplicates?kind=near", "text=set aside"),
    Shot("page-map", "/map", "canvas", until_arranged),
    Shot("page-compare", "/compare?q=a+red+boat&a=demo", "text=/overlap/i"),
)


def main(names: list[str]) -> None:
    """Draw, index, serve, and look."""
    shots = [shot for shot in SHOTS if not names or shot.name in names]
    with tempfile.TemporaryDirectory() as scratch:
        library = make_library(Path(scratch))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "search_ui", "--library", str(library), "--port", str(port), "--no-browser"]
        with subprocess.Popen(command, env={**os.environ, "SIGHTLINE_TOKEN": TOKEN}) as server:
            try:
                shoot(f"http://127.0.0.1:{port}", shots)
            finally:
                server.terminate()


def make_library(scratch: Path) -> Path:
    """A library of demo pictures, some of them twice, resized or broken, in two spaces."""
    photos, library = scratch / "photos", scratch / "library"
    run("indexer.demo", str(photos))
    copies = photos / "copies"
    copies.mkdir()
    for number, path in enumerate(sorted(photos.glob("*/*.jpg"))[::37]):
        shutil.copy(path, copies / path.name)
        with Image.open(path) as image:
            small = image.resize((image.width * 2 // 3, image.height * 2 // 3))
            small.save(copies / f"{path.stem} (small).jpg", quality=70 - number % 20)
    (copies / "cut off.jpg").write_bytes((copies / path.name).read_bytes()[:900])
    run("indexer", str(photos), "--library", str(library), "--space", f"local-dir:{other_model(scratch / 'other')}")
    run("indexer", str(photos), "--library", str(library), "--space", "demo")
    return library


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
    for _ in range(240):
        try:
            with urlopen(f"{address}/healthz", timeout=2) as answer:
                json.load(answer)
            break
        except (URLError, OSError):
            time.sleep(0.25)
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for shot in shots:
            page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=shot.scheme)
            page.context.request.get(f"{address}/?token={TOKEN}", max_redirects=0)
            page.goto(f"{address}{shot.address}")
            page.locator(shot.ready).first.wait_for(timeout=120_000)
            page.wait_for_timeout(1_500)
            shot.act(page)
            page.wait_for_timeout(2_000)  # the pictures fade in
            seen = Image.open(io.BytesIO(page.screenshot()))
            # 256 colours look the same at this size, in a third of the bytes that everyone who clones gets.
            seen.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT).save(
                HERE / f"{shot.name}.png", optimize=True
            )
            page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
