"""The process that forks workers, kept for a minute after its pool was closed, for the next run."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Final

from sightline.images.limits import Limits
from sightline.images.python_process import import_path
from sightline.images.worker_process import ForkServer

_SECONDS: Final = 60.0

_State = tuple[object, ...]
_lock = threading.Lock()
_kept: tuple[ForkServer, _State, threading.Timer] | None = None


def fork_server(limits: Limits) -> ForkServer:
    """The kept process, where one with these limits would be as one that is started now; else another.

    Raises:
        WorkerError: it can't be started.
    """
    server = _taken(limits)
    return ForkServer(limits) if server is None else server


def keep(server: ForkServer) -> None:
    """Keep a process that has no workers, in place of the one kept before."""
    global _kept
    timer = threading.Timer(_SECONDS, _expire, [server])
    timer.daemon = True
    with _lock:
        before, _kept = _kept, (server, _state(), timer)
    timer.start()
    if before is not None:
        _end(before)


def _taken(limits: Limits) -> ForkServer | None:
    global _kept
    with _lock:
        found, _kept = _kept, None
    if found is None:
        return None
    server, state, timer = found
    if server.limits == limits and state == _state() and server.is_alive:
        timer.cancel()
        return server
    _end(found)
    return None


def _state() -> _State:
    """What a process takes along from the one that starts it."""
    if not hasattr(os, "getpriority"):
        return ()
    import resource

    limits = [resource.getrlimit(each) for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS, resource.RLIMIT_NPROC)]
    user = os.geteuid(), os.getegid(), tuple(os.getgroups())
    return user, limits, os.getpriority(os.PRIO_PROCESS, 0), dict(os.environ), import_path()


def _expire(server: ForkServer) -> None:
    global _kept
    with _lock:
        if _kept is None or _kept[0] is not server:
            return
        found, _kept = _kept, None
    _end(found)


def _end(kept: tuple[ForkServer, _State, threading.Timer]) -> None:
    server, _, timer = kept
    timer.cancel()
    server.close()


def close() -> None:
    """End the kept process, if there is one: what it took is counted as of this process then."""
    global _kept
    with _lock:
        found, _kept = _kept, None
    if found is not None:
        _end(found)


def _forget() -> None:
    """In a process that was forked from this one: `ForkServer` is abandoned there."""
    global _kept, _lock
    _kept, _lock = None, threading.Lock()


atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
