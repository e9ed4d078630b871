"""The switch of a folder on the Library page: the server keeps a watcher while any is on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import indexing
import pytest
from streamlit.testing.v1 import AppTest

from search_ui.runtime.services import services
from search_ui.runtime.watch_keeper import watch_keeper
from store.library import Library
from store.tables.watched_roots import watched_roots

LONG = 90.0
PAGE = """
from search_ui.parts import watch_switch
from search_ui.runtime.services import services
library = services().library()
for root in library.catalog.roots():
    watch_switch.draw(library, root)
"""


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def said(app: AppTest) -> str:
    return re.sub(r"<[^>]*>", "", "\n".join(element.proto.body for element in app.get("html")))


def watchers(library: Path) -> list[int]:
    """The processes that watch a library."""
    command = ["ps", "-ww", "-e", "-o", "pid=", "-o", "args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 1) for line in listed.splitlines())
    return [int(pid) for pid, what in rows if "watch --switched" in what and str(library) in what]


def test_a_folder_that_is_switched_on_is_watched_until_it_is_switched_off(
    photos: Path, library: Path, tiny_space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexing.add(library, photos, tiny_space)
    first = next(path for path in photos.rglob("*.jpg"))
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(library))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    app = AppTest.from_string(PAGE, default_timeout=60)
    services().manages = False
    assert not app.run().toggle  # others may reach a server that does not manage its machine
    services().manages = True
    (toggle,) = app.run().toggle
    assert not toggle.value and not watchers(library)
    app = toggle.set_value(True).run()
    assert app.toggle[0].value and said(app) == "Waiting for changes."
    with Library.open(library) as opened:
        assert watched_roots(opened.catalog.engine) == {os.fsencode(photos): True}
        before = opened.catalog.counts().photos
        try:
            until(lambda: "Watching" in watch_keeper().line(os.fsencode(photos)))
            shutil.copy(first, photos / "new.jpg")
            until(lambda: opened.catalog.counts().photos == before + 1)
            until(lambda: "1 duplicate" in said(app.run()))
            # One that is killed is started again.
            (pid,) = watchers(library)
            os.kill(pid, signal.SIGKILL)
            until(lambda: [other for other in watchers(library) if other != pid])
        finally:
            app = app.toggle[0].set_value(False).run()
        assert not app.toggle[0].value and said(app) == ""
        assert watched_roots(opened.catalog.engine) == {os.fsencode(photos): False}
        until(lambda: not watchers(library))
