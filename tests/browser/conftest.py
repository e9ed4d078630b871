"""A small library, its pages without a browser and with one, and what is kept of a browser when a test fails."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import browser
import indexing
import pytest
import serving
from pages import APP, DRAWN, HOSTILE
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from streamlit.testing.v1 import AppTest

from indexer.demo.pictures import write_pictures
from sightline.models.loaded import Encoders
from sightline.searcher import Searcher
from store.library import Library


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what drives a browser, so that none is forgotten."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Keep what a browser shows when a test fails: fixtures still hold it, and hear of the failure only later."""
    report = yield
    if report.failed and browser.VISITED:
        browser.keep_evidence()
    return report


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos/`, drawn by the demo, and the `library/` of them; more than a page. Not to be changed."""
    folder = tmp_path_factory.mktemp("pages")
    photos = folder / "photos"
    drawn = write_pictures(photos, DRAWN, 0, (320, 240))
    boats = next(picture for picture in drawn if "two red boats" in " ".join(picture.captions))
    with Image.open(photos / boats.path) as image:
        image.convert("RGB").save(photos / "again.jpg", quality=60)
    for name, size in (("panorama.jpg", (900, 120)), ("strip.jpg", (60, 400)), (HOSTILE, (320, 240))):
        Image.linear_gradient("L").resize(size).convert("RGB").save(photos / name)
    (photos / "zz _broken_ [x](y).jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    indexing.add(folder / "library", photos, "demo")
    return folder


@pytest.fixture(scope="module")
def made(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for one module, with a library of its own to change; `photos/` are those of all."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(indexed / "library", folder / "library")
    (folder / "photos").symlink_to(indexed / "photos")
    return folder


@pytest.fixture(scope="module")
def searcher(made: Path) -> Iterator[Searcher]:
    """The same library as the page shows, searched beside it."""
    with Library.open(made / "library") as library:
        yield Searcher(library, Encoders(offline=True))


@pytest.fixture
def app(made: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(made / "library"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return AppTest.from_file(str(APP), default_timeout=60)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser, for one module: it keeps an event loop running, which tests of other modules could not have."""
    path = browser.chromium()
    with sync_playwright() as playwright:
        # --no-sandbox: in a container the browser runs as root. --disable-gpu-rasterization: Debian's Chromium turns it
        # on, and where there is no GPU, drawing through an emulated one takes a quarter more of a test's time.
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu-rasterization"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def url(made: Path) -> Iterator[str]:
    with serving.running(made / "library", made / "server.log") as address:
        # The model is loaded when the tests begin.
        serving.warm_up(address)
        yield address
    log = (made / "server.log").read_text()
    assert "Traceback" not in log, log


@pytest.fixture
def page(chromium: Browser, url: str) -> Iterator[Page]:
    with browser.visiting(chromium, url) as page:
        yield page
