"""The server of the page as a process of its own."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request
from urllib.request import urlopen as plain_urlopen

from support import ROOT


def header() -> dict[str, str]:
    """The header that lets a program in."""
    return {"Authorization": f"Bearer {os.environ['SIGHTLINE_TOKEN']}"}


def urlopen(asked: str | Request, timeout: float = 60) -> Any:
    """Ask a server of ours, with its token."""
    request = asked if isinstance(asked, Request) else Request(asked)
    for name, value in header().items():
        request.add_header(name, value)
    return plain_urlopen(request, timeout=timeout)


def warm_up(address: str) -> None:
    """Search, so that the model is loaded; while a busy machine loads it, searches may be refused by 503."""
    until = time.monotonic() + 180
    while True:
        try:
            urlopen(f"{address}/api/v1/search?q=warm", timeout=120).read()
        except HTTPError as error:
            if error.code != 503 or time.monotonic() > until:
                raise
            time.sleep(int(error.headers["Retry-After"]))
        else:
            return


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# The server of the page, with another script in its place.
STAGE = """
import sys, uvicorn
from streamlit.starlette import App
from search_ui.server.asgi import configure, middleware
script, port = sys.argv[1], int(sys.argv[2])
app = App(script, middleware=middleware())
configure("127.0.0.1", port)
uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
"""


@contextmanager
def running(library: Path, log: Path, *more: str, handles: int | None = None) -> Iterator[str]:
    """The real server as a process of its own, with `more` options; gives its address.

    It may have so many files open, and no more.
    """
    port = free_port()
    command = ["-m", "search_ui", "--library", str(library), "--port", str(port), "--no-browser", "--offline", *more]
    # STREAMLIT_SERVER_ADDRESS must not open the server to the network.
    environment = {"STREAMLIT_SERVER_ADDRESS": "0.0.0.0", "STREAMLIT_SERVER_PORT": "1"}
    with served(command, port, log, handles=handles, **environment) as url:
        yield url


@contextmanager
def staged(script: Path, library: Path, log: Path) -> Iterator[str]:
    """The server with a script of the tests in the place of the pages; gives its address."""
    port = free_port()
    command = ["-c", STAGE, str(script), str(port)]
    with served(command, port, log, SIGHTLINE_LIBRARY=str(library), HF_HUB_OFFLINE="1") as url:
        yield url
    assert "Traceback" not in log.read_text(), log.read_text()


@contextmanager
def served(
    command: list[str], port: int, log: Path, *, handles: int | None = None, **environment: str
) -> Iterator[str]:  # fmt: skip
    def limit() -> None:
        if handles is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (handles, handles))

    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
            preexec_fn=limit,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise AssertionError(f"the server ended with {process.returncode}:\n{log.read_text()}")
            try:
                plain_urlopen(f"{url}/healthz", timeout=5).read()
                break
            except (URLError, OSError):
                time.sleep(0.1)
        else:
            raise AssertionError(f"the server did not answer:\n{log.read_text()}")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)
