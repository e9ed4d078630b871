"""The indexer as the server's child: it stops, as with Ctrl-C, at a byte or the end of its stdin.

However the server ends (Ctrl-C, a signal, killed, out of memory), the system closes its end of the pipe. So no run
stays behind that nobody sees and no page can stop.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from typing import Final

from indexer.__main__ import main

INTERRUPTED: Final = 130


def _watch() -> None:
    # Not through sys.stdin: Python can't end while a thread reads from that.
    was_asked = False
    while os.read(0, 1):
        _interrupt()
        was_asked = True
    _mute()
    if not was_asked:
        _interrupt()


def _interrupt() -> None:
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        # To the process, not raised in this thread: it must wake the main thread from what that waits for.
        os.kill(os.getpid(), signal.SIGINT)


def _mute() -> None:
    """Discard the output: nobody reads it any more, and a failed write would end the run uncommitted."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    try:
        main()
    except KeyboardInterrupt:  # while it was still importing
        sys.exit(INTERRUPTED)
