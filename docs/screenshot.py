"""Take docs/page.png, the README's picture, of the real page over the demo: python docs/screenshot.py"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

TARGET = Path(__file__).parent / "page.png"
QUERY = "two+red+boats+at+sunset"


def main() -> None:
    """Draw, index, serve, and look."""
    with tempfile.TemporaryDirectory() as scratch:
        photos, library = f"{scratch}/photos", f"{scratch}/library"
        subprocess.run([sys.executable, "-m", "indexer.demo", photos], check=True)
        subprocess.run([sys.executable, "-m", "indexer", photos, "--library", library, "--space", "demo"], check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "search_ui", "--library", library, "--port", str(port), "--no-browser"]
        with subprocess.Popen(command) as server:
            try:
                shoot(f"http://127.0.0.1:{port}")
            finally:
                server.terminate()


def shoot(address: str) -> None:
    """Wait for the server, ask, and save what is seen."""
    for _ in range(240):
        try:
            urlopen(f"{address}/healthz", timeout=2).close()
            break
        except (URLError, OSError):
            time.sleep(0.25)
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{address}/?q={QUERY}")
        page.get_by_text("matches, of").first.wait_for(timeout=60_000)
        page.wait_for_timeout(2_000)  # the pictures fade in
        page.screenshot(path=TARGET)
        browser.close()


if __name__ == "__main__":
    main()
