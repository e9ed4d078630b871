"""Limits of every request: how many at once, how long each and its body may take, how many pages.

Work is done in threads, which can't be ended from outside. So it looks at the clock itself and stops
(`store.time_limit`); what can't, such as a model that is being loaded, is not waited for any longer: the answer is 503,
and the place of the request in its queue stays taken until the work is done. Short requests have a queue of their own,
and never wait behind searches.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search_ui.server import budget
from search_ui.server.api.problems import Problem
from search_ui.server.queueing import BusyError, Gate
from search_ui.server.responses import error_response
from store.time_limit import lift, restart, time_limit

GRACE_SECONDS: Final = 5.0
"""So much longer than its limit a request is waited for that does not look at the clock."""

BODY_SECONDS: Final = 20.0
"""So long a body may take, and a second more for each `BODY_RATE` bytes that came. Routes bound its size."""

BODY_RATE: Final = 25_000

RETRY_AFTER: Final = {"Retry-After": "5"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of requests.

    Attributes:
        name: of the kind.
        places: how many are worked on at once. All kinds together need fewer threads than the server has: Streamlit
            sets 28.
        waiting: how many wait; more are refused.
        seconds: how long one may take, once it is worked on.
    """

    name: str
    places: int
    waiting: int
    seconds: float


SHORT: Final = Kind("short", 8, 256, 15)
"""What a page is made of: thumbnails, points of a map."""

FILES: Final = Kind("files", 4, 64, 30)
"""What is read from the user's own files, and decoded."""

SEARCHES: Final = Kind("searches", 6 if (os.cpu_count() or 1) >= 6 else 4, 128, 30)
"""The JSON interface, and the order of a slideshow."""

BODIES: Final = Kind("bodies", 4, 64, 30)
"""Whatever has a body: it may be long in coming."""

STATE: Final = Kind("state", 3, 16, 15)
"""Health and metrics: whatever else there is to do."""

KINDS: Final = (SHORT, FILES, SEARCHES, BODIES, STATE)

_LATE_BODY: Final = "The body took too long to come. Send it faster, or less."
_FILES: Final = frozenset({"preview", "tile", "original", "failed", "zip"})
_STATE: Final = frozenset({"healthz", "metrics"})


class Limits:
    """The limits of one server. For one event loop."""

    def __init__(self) -> None:
        self._gates = {
            kind: Gate(kind.places, waiting=kind.waiting) for kind in (SHORT, FILES, SEARCHES, BODIES, STATE)
        }
        self._late: set[asyncio.Task[None]] = set()
        self._pages = 0
        self._sessions = budget.Sessions()

    async def answer(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the routes of Sightline answer a request, when it is its turn, in its time."""
        kind, client = _kind(scope), _client(scope)
        gate = self._gates[kind]
        try:
            await gate.enter(client)
        except BusyError:
            message = "The server has too much to do just now. Ask again in some seconds."
            await _refusal(scope, 503, message)(scope, receive, send)
            return
        body, answer = _Body(scope, receive), _Answer(send, lambda: gate.leave(client))
        with time_limit(kind.seconds):  # the task keeps it, and so do the threads that work for it
            task = asyncio.create_task(_run(app, scope, body, answer))
        task.add_done_callback(lambda _: answer.release())
        await self._wait(task, body, answer, kind)
        if body.is_late:
            await answer.instead(_refusal(scope, 408, _LATE_BODY), scope)
        elif not task.done():
            message = f"This took longer than the {kind.seconds:g} seconds it may take. Ask for less, or ask again."
            await answer.instead(_refusal(scope, 503, message), scope)

    async def _wait(self, task: asyncio.Task[None], body: _Body, answer: _Answer, kind: Kind) -> None:
        """Wait for an answer, or until it is too late for one."""
        try:
            while not task.done():
                # A body may take longer than the work: the time counts from its end.
                left = body.ended + kind.seconds + GRACE_SECONDS - time.monotonic()
                if left <= 0 and not answer.has_begun:
                    # Kept until it ends, or nothing would hold it.
                    self._late.add(task)
                    task.add_done_callback(self._late.discard)
                    return
                await asyncio.wait({task}, timeout=None if answer.has_begun else left)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not body.is_late:
            task.result()

    async def page(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let Streamlit answer a request, whose body must come in time."""
        body, answer = _Body(scope, receive), _Answer(send, lambda: None)
        try:
            await app(scope, body, answer)
        except Exception:
            if not body.is_late:
                raise
        if body.is_late:
            await answer.instead(_refusal(scope, 408, _LATE_BODY), scope)

    async def session(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let Streamlit talk to an open page, unless too many are open already."""
        if self._pages >= budget.most_pages() or not self._sessions.has_room():
            await receive()
            await send({"type": "websocket.close", "code": 1013, "reason": "Too many pages are open."})
            return
        self._pages += 1
        try:
            await app(scope, receive, send)
        finally:
            self._pages -= 1
            self._sessions.tidy()


class _Body:
    """What a client sends, as far as it comes in time; after that it is as if the client had left."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.is_late = False
        self.ended = self._began = time.monotonic()
        # Without a body, nothing is late: what is asked for first may be whether the client has left.
        self._receive, self._is_open, self._size = receive, _has_body(Headers(scope=scope)), 0

    async def __call__(self) -> Message:
        if not self._is_open:
            return await self._receive()
        allowed = BODY_SECONDS + self._size / BODY_RATE
        try:
            message = await asyncio.wait_for(self._receive(), self._began + allowed - time.monotonic())
        except TimeoutError:
            self.is_late = True
            return {"type": "http.disconnect"}
        self._size += len(message.get("body", b""))
        self._is_open = message.get("more_body", False)
        self.ended = time.monotonic()
        restart()
        return message


class _Answer:
    """What is sent to a client; once something else was sent instead, nothing more."""

    def __init__(self, send: Send, release: Any) -> None:
        self.has_begun = False
        self._send, self._release, self._is_replaced = send, release, False

    async def __call__(self, message: Message) -> None:
        if self._is_replaced:
            return
        self.has_begun = True
        # The work is done. Sending it to a slow client keeps no other one waiting, and is not limited: an archive is
        # made while it is sent.
        self.release()
        lift()
        await self._send(message)

    async def instead(self, response: Response, scope: Scope) -> None:
        """Send this, unless the answer has begun."""
        if not self.has_begun:
            self._is_replaced = True
            await response(scope, _nothing, self._send)

    def release(self) -> None:
        """Give the request's place to the next one, once."""
        release, self._release = self._release, lambda: None
        release()


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def _kind(scope: Scope) -> Kind:
    headers, name = Headers(scope=scope), str(scope.get("path", "")).lstrip("/").split("/")[0]
    if name in _STATE:
        return STATE
    if _has_body(headers):
        return BODIES
    if name == "api":
        return SHORT if str(scope["path"]).endswith("/thumbnail") else SEARCHES
    if scope["path"] == "/slides/order":
        return SEARCHES
    return FILES if name in _FILES else SHORT


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _client(scope: Scope) -> str:
    """Who asks, as far as it can be told: on one machine, programs and browsers by what they say they are."""
    host = (scope.get("client") or ("",))[0]
    return f"{host} {Headers(scope=scope).get('user-agent', '')[:200]}"


def _refusal(scope: Scope, status: int, message: str) -> Response:
    headers: Mapping[str, str] = RETRY_AFTER if status == 503 else {"Connection": "close"}
    if str(scope.get("path", "")).startswith("/api"):
        return Problem(status, message, headers=headers).response()
    return error_response(status, message, headers)
