"""Thumbnails that are sent to a store of objects while others are decoded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar

AT_ONCE: Final = 16
"""Of one upload, a store waits longer than it receives."""


class _Read(Protocol):
    """What was read of a file: see `indexer.file_reader.ReadResult`."""

    @property
    def hash(self) -> bytes: ...


_R = TypeVar("_R", bound=_Read)


class Uploads:
    """Uploads in threads of their own: what was read is handed on once its thumbnail is in the store."""

    def __init__(self) -> None:
        """Start no thread yet."""
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload")
        self._lock = threading.Lock()
        self._sent: dict[bytes, Future[None]] = {}

    def send(self, digest: bytes, write: Callable[[], None]) -> None:
        """Have the thumbnail of a content written."""
        sent = self._pool.submit(write)
        with self._lock:
            self._sent[digest] = sent

    def after(self, read: Future[_R]) -> Future[_R]:
        """The same result, once the upload that belongs to it is done; it raises what that raised."""
        whole: Future[_R] = Future()
        read.add_done_callback(lambda done: self._is_read(done, whole))
        return whole

    def close(self) -> None:
        """Drop what is not yet begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _is_read(self, read: Future[_R], whole: Future[_R]) -> None:
        if _has_failed(read, whole):
            return
        result = read.result()
        with self._lock:
            sent = self._sent.pop(result.hash, None)
        if sent is None:
            whole.set_result(result)
            return

        def hand_on(done: Future[None]) -> None:
            if not _has_failed(done, whole):
                whole.set_result(result)

        sent.add_done_callback(hand_on)


def _has_failed(done: Future[Any], whole: Future[Any]) -> bool:
    if done.cancelled():
        whole.cancel()
    elif (error := done.exception()) is not None:
        whole.set_exception(error)
    else:
        return False
    return True
