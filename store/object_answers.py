"""Answers of stores of objects: within a time limit, and with errors that are alike for all."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from store.printing import printable

_MOST_WORDS: Final = 300


class Asked:
    """What a client of a store is asked, in a thread that nobody has to wait for.

    Attributes:
        done: is set when it has answered.
    """

    def __init__(self, ask: Callable[[], Any]) -> None:
        """Ask at once."""
        self.done = threading.Event()
        self._ask = ask
        self._answer: Any = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="object", daemon=True).start()

    def _run(self) -> None:
        try:
            self._answer = self._ask()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._error = error
        finally:
            self.done.set()

    def result(self) -> Any:
        """What it said, once `done` is set; errors as of `as_os_errors`."""
        with as_os_errors():
            if self._error is not None:
                raise self._error
        return self._answer


def answered(ask: Callable[[], Any], seconds: float) -> Any:
    """What a client says within so many seconds.

    Raises:
        TimeoutError: it does not.
        OSError: see `as_os_errors`.
    """
    asked = Asked(ask)
    if not asked.done.wait(seconds):
        raise TimeoutError(errno.ETIMEDOUT, f"its store did not answer for {seconds:g} seconds")
    return asked.result()


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Make OSErrors, with a number and a sentence, of whatever a client of a store raises."""
    try:
        yield
    except Exception as error:
        text = printable(" ".join(str(error).split()))[:_MOST_WORDS].rstrip(".") or type(error).__name__
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(errno.ENOENT, "there is no such object") from error
        if isinstance(error, PermissionError):
            raise PermissionError(errno.EACCES, f"its store denies it: {_said(error, text)}") from error
        if isinstance(error, TimeoutError):
            raise TimeoutError(errno.ETIMEDOUT, f"its store does not answer: {_said(error, text)}") from error
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise  # of this machine's disk
        if isinstance(error, NotADirectoryError):
            raise NotADirectoryError(errno.ENOTDIR, "it is no folder") from error
        raise OSError(None, f"its store says: {_said(error, text)}") from error


def _said(error: Exception, text: str) -> str:
    return printable(error.strerror) if isinstance(error, OSError) and error.strerror else text
