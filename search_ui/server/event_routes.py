"""The stream of Server-Sent Events that open pages listen to, and the watcher behind all streams.

The watcher looks at the times of a few files, and only while somebody listens. It sends what `parts.live_state` says,
when that has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import json
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Send

from search_ui.parts.live_state import LiveState, live_state
from search_ui.runtime.services import services
from search_ui.server import budget
from search_ui.server.headers import SAFE
from search_ui.server.responses import error_response
from store.lock import RUN
from store.remote import DATABASE, remote_of

NAMES: Final = ("events",)
EACH: Final = 1.0
"""Seconds between two looks while nothing runs."""
EACH_BUSY: Final = 0.25
"""Seconds between two looks during a run."""
BEAT: Final = 25.0
"""Seconds until something is sent all the same: so it is noticed who has left, and proxies keep the connection."""
MOST: Final = 64
"""So many streams at most; fewer where there are few file handles."""

_Marks = tuple[tuple[int, int, int] | None, ...]


class Watcher:
    """Looks for what is new, for all streams at once. For one event loop."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()
        self._watch: asyncio.Task[None] | None = None
        self._message = ""
        self._is_closed = False

    @property
    def is_full(self) -> bool:
        """Whether there are as many streams as there may be."""
        return len(self._listeners) >= min(MOST, budget.most_streams())

    async def stream(self) -> AsyncGenerator[str, None]:
        """Yield events, as they are sent: what is so now, and then what has changed."""
        changed = asyncio.Event()
        self._listeners.add(changed)
        try:
            if self._watch is None:
                # In a context of its own: it outlives the request that it begins with, and that one's limit of time.
                self._watch = asyncio.create_task(self._run(), context=contextvars.Context())
            sent = ""
            while not self._is_closed:
                changed.clear()
                if self._message != sent:
                    sent = self._message
                    yield f"data: {sent}\n\n"
                try:
                    await asyncio.wait_for(changed.wait(), BEAT)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._listeners.discard(changed)
            if not self._listeners and self._watch is not None:
                self._watch.cancel()
                self._watch, self._message = None, ""

    def close(self) -> None:
        """End all streams: the server stops."""
        self._is_closed = True
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener.set()

    async def _run(self) -> None:
        marks: object = None
        state: LiveState | None = None
        while True:
            # A library may lie on a drive that is slow to answer.
            seen = await asyncio.to_thread(_marks)
            if state is None or state["run"] is not None or seen != marks:
                marks = seen
                found = await asyncio.to_thread(live_state, services())
                if state is None or {**found, "at": state["at"]} != state:
                    state = found
                    self._message = json.dumps(found, ensure_ascii=False)
                    self._tell()
            await asyncio.sleep(EACH_BUSY if state["run"] is not None else EACH)


class _Stream(StreamingResponse):
    """Sends events, and ends their generator also where the client leaves while something is sent."""

    def __init__(self, events: AsyncGenerator[str, None], headers: Mapping[str, str]) -> None:
        super().__init__(events, headers=headers, media_type="text/event-stream")
        self._events = events

    async def stream_response(self, send: Send) -> None:
        async with contextlib.aclosing(self._events):
            await super().stream_response(send)


@functools.cache
def watcher() -> Watcher:
    """The watcher of this process."""
    return Watcher()


def routes() -> list[Route]:
    """The routes of this module."""
    return [Route("/events", _events)]


async def _events(request: Request) -> Response:
    """GET /events: a stream of JSON objects, see `LiveState`."""
    if watcher().is_full:
        return error_response(503, "Too many pages listen already. Close some.", {"Retry-After": "5"})
    # nginx would keep small parts back.
    headers = {**SAFE, "X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(headers=headers, media_type="text/event-stream")
    return _Stream(watcher().stream(), headers)


def _marks() -> tuple[_Marks, str]:
    """What changes with each commit and each run, and costs next to nothing to look at."""
    path, run = services().path, services().runner.run
    if remote_of(path).database is not None:
        return (), str(time.monotonic())  # it is asked each time: other machines commit, too
    files = tuple(_mark(path / name) for name in (DATABASE, f"{DATABASE}-wal", RUN))
    return files, "" if run is None else f"{run.pid} {run.state}"


def _mark(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
