"""Many readers at once, or one writer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Lets readers in together and a writer alone. A waiting writer goes before readers that come after it.

    Not reentrant: a reader that asks again while a writer waits would wait for itself.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._writing = False  # or waiting for the readers to leave

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Nothing is written until this ends."""
        with self._changed:
            self._changed.wait_for(lambda: not self._writing)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nobody else reads or writes until this ends."""
        with self._changed:
            self._changed.wait_for(lambda: not self._writing)
            self._writing = True
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._readers)
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
