"""Queues of requests: how many are worked on at once, how many wait, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from typing import Final

WAIT_SECONDS: Final = 30.0
"""So long a request waits for its turn."""


class BusyError(Exception):
    """There is no place for a request now."""


class Gate:
    """Lets so many requests in at once; the others wait, and clients take turns.

    A client has at most all places but one, so that another never waits for all that it asked. For one event loop.
    """

    def __init__(self, places: int, *, waiting: int) -> None:
        """Make a gate with all its places free.

        Args:
            places: how many are let in at once, 2 or more.
            waiting: how many may wait; more are refused.
        """
        self._places, self._waiting = places, waiting
        self._inside = Counter[str]()
        self._queues = OrderedDict[str, deque[asyncio.Future[None]]]()

    async def enter(self, client: str) -> None:
        """Wait for a place. Who has one gives it back by `leave`.

        Raises:
            BusyError: too many wait already, or no place was free in `WAIT_SECONDS`.
        """
        if self._has_place(client):
            self._inside[client] += 1
            return
        if sum(map(len, self._queues.values())) >= self._waiting:
            raise BusyError
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(client, deque()).append(turn)
        try:
            await asyncio.wait_for(asyncio.shield(turn), WAIT_SECONDS)
        except BaseException as error:
            self._give_up(client, turn)
            if isinstance(error, TimeoutError):
                raise BusyError from None
            raise

    def leave(self, client: str) -> None:
        """Give a place back."""
        self._inside[client] -= 1
        if not self._inside[client]:
            del self._inside[client]
        self._let_in()

    def _has_place(self, client: str) -> bool:
        return self._inside.total() < self._places and self._inside[client] < self._places - 1

    def _give_up(self, client: str, turn: asyncio.Future[None]) -> None:
        if turn.done():  # its turn came at the same moment
            self.leave(client)
            return
        queue = self._queues[client]
        queue.remove(turn)
        if not queue:
            del self._queues[client]

    def _let_in(self) -> None:
        while (client := next(filter(self._has_place, self._queues), None)) is not None:
            queue = self._queues.pop(client)
            self._inside[client] += 1
            queue.popleft().set_result(None)
            if queue:
                self._queues[client] = queue  # last: the others first
