"""Connections, bounded: how many there are, and how long one may ask for and take nothing.

The server (uvicorn) ends a connection that is idle after an answer. It does not end one that never asks, that sends its
headers a byte a minute, or that does not take its answer: each of these holds a file handle for good.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS: Final = 15.0
"""So long a request may take until its headers are there, from the connection or its first byte on."""

STALLED_SECONDS: Final = 300.0
"""So long a client may take nothing of an answer."""

FLUSH_SECONDS: Final = 10.0
"""So long a client may leave the end of an answer, when the connection is to be closed."""


def guarded(limit: int, pages: int) -> type[H11Protocol]:
    """The protocol of a server with at most `limit` connections of HTTP, besides those of `pages`."""
    return cast("type[H11Protocol]", type("Guarded", (_Guarded,), {"limit": limit, "pages": pages}))


class _Guarded(H11Protocol):
    limit = pages = 0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._since = self.loop.time()
        self._has_ended = False

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request, or for the rest of one's headers."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self.limit:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._has_left:
            return
        if not self.is_idle:
            self._since = self.loop.time()
            self._forget()
        elif self._timer is None:
            self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_SECONDS, self._end)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.loop.call_later(FLUSH_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)
        if self._stalled is not None:
            self._stalled.cancel()

    @property
    def _has_left(self) -> bool:
        """Whether the connection was handed on to a WebSocket."""
        return self.transport.get_protocol() is not self

    def _make_room(self) -> None:
        """End the one that waits for longest; where all are being answered, this one is too many."""
        # One that was ended is among them until the next turn of the event loop. To end it again would make no room.
        plain = [each for each in self.connections if isinstance(each, _Guarded) and not each._has_ended]
        pages = sum(not isinstance(each, _Guarded) for each in self.connections)
        if len(plain) > self.limit or len(plain) + pages > self.limit + self.pages:
            min((each for each in plain if each.is_idle), key=lambda each: each._since, default=self)._end()

    def _watch(self) -> None:
        self._timer = self.loop.call_later(HEADER_SECONDS, self._expire)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if self.is_idle and not self._has_left:
            self._end()

    def _end(self) -> None:
        self._has_ended = True
        self.transport.abort()
