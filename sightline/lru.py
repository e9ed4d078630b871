"""A cache that drops what was not used for longest."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lru(Generic[K, V]):
    """Values by key, bounded by number, by total cost, or by both. Safe for use from several threads.

    Values are never None. `functools.lru_cache` can't be asked whether it holds a key, nor drop some of them.
    """

    def __init__(
        self, max_entries: int | None = None, *, max_cost: int | None = None, cost: Callable[[V], int] = lambda _: 0,
        min_entries: int = 1, pinned: Callable[[V], bool] = lambda _: False,
    ) -> None:  # fmt: skip
        """Make an empty cache.

        Args:
            max_entries: how many values stay.
            max_cost: what all of them may cost together, such as bytes.
            cost: what one costs; the same whenever it is asked.
            min_entries: so many stay whatever they cost.
            pinned: whether a value must stay, whatever the bounds; asked at each eviction.
        """
        self._max_entries, self._max_cost, self._min_entries = max_entries, max_cost, min_entries
        self._cost, self._pinned = cost, pinned
        self._values: OrderedDict[K, V] = OrderedDict()  # least recently used first
        self._total = 0
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value of a key, which is then the one used last; None where there is none."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep a value, in place of what the key had."""
        with self._lock:
            self._remove(key)
            self._add(key, value)

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key, made where there is none.

        Nobody waits while it is made. Where two threads make it at once, both get that of the first to finish.
        """
        value = self.get(key)
        if value is None:
            made = make()
            with self._lock:
                value = self._values.get(key)
                if value is None:
                    value = made
                    self._add(key, made)
        return value

    def drop(self, unwanted: Callable[[K], bool]) -> None:
        """Drop the values of all keys of which `unwanted` is true."""
        with self._lock:
            for key in [key for key in self._values if unwanted(key)]:
                self._remove(key)

    def items(self) -> list[tuple[K, V]]:
        """What is held, least recently used first; looking counts as no use."""
        with self._lock:
            return list(self._values.items())

    def _add(self, key: K, value: V) -> None:
        self._values[key] = value
        self._total += self._cost(value)
        while self._is_over():
            oldest = next((key for key, each in self._values.items() if not self._pinned(each)), None)
            if oldest is None:
                break
            self._remove(oldest)

    def _remove(self, key: K) -> None:
        if key in self._values:
            self._total -= self._cost(self._values.pop(key))

    def _is_over(self) -> bool:
        if self._max_entries is not None and len(self._values) > self._max_entries:
            return True
        return self._max_cost is not None and self._total > self._max_cost and len(self._values) > self._min_entries
