"""File handles, shared out so that pages, connections and the server itself never need too many.

A process may have so many files open, and no more: 256 where macOS starts it, 4,096 elsewhere (`store.handles`). Each
bound here is a share of what the server itself leaves; all shares together are less than one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from store import handles

if TYPE_CHECKING:
    from streamlit.runtime.app_session import AppSession

# What the server needs whatever is asked. 65 are SQLite's: two for each of its 32 connections, and one for the memory
# they share. The others: standard streams, the listener and the loop (8), mapped vectors of two spaces and of their
# tiles (12, and 12 while newer ones take their place), what loads a model or decodes pictures, bodies on disk.
_NEEDED: Final = 112
_PER_PAGE: Final = 4
"""Its socket, and three for the event loop that Streamlit makes for each session."""
_PER_LEFT: Final = 3
_PER_CONNECTION: Final = 2
"""Its socket, and the file that is sent."""
_PER_ACCEPTED: Final = 3
"""Turns of the event loop from accepting a connection until one that is too many is closed."""


def _share(percent: int, each: int) -> int:
    """How many things, each of so many handles, fit into a share of the handles that are left; 1 or more."""
    return max(1, max(0, handles.raise_limit() - _NEEDED) * percent // (100 * each))


def most_pages() -> int:
    """How many pages may be open."""
    return min(200, _share(45, _PER_PAGE))


def most_left() -> int:
    """How many pages that were closed Streamlit may keep: for two minutes a browser can come back to one."""
    return _share(9, _PER_LEFT)


def most_connections() -> int:
    """How many connections of HTTP there may be, besides those of open pages."""
    return min(1_024, _share(34, _PER_CONNECTION))


def most_accepted() -> int:
    """How many connections are taken on in one turn of the event loop."""
    return min(128, _share(9, _PER_ACCEPTED))


def most_streams() -> int:
    """How many connections may be streams of events: the others are for requests."""
    return max(1, most_connections() * 2 // 3)


class Sessions:
    """Sessions of Streamlit that hold file handles: of open pages, of closed ones, and those that end.

    For the event loop's thread.
    """

    def __init__(self) -> None:
        self._held: set[AppSession] = set()

    def has_room(self) -> bool:
        """Whether a further page may be opened: sessions that end hold their handles until their script stops."""
        self.tidy()
        return len(self._held) < most_pages() + most_left()

    def tidy(self) -> None:
        """End the sessions of pages that were closed first, and those that Streamlit no longer knows."""
        from streamlit import runtime

        if not runtime.exists():
            return
        manager = runtime.get_instance()._session_mgr
        infos = manager.list_sessions()
        self._held.update(info.session for info in infos)
        left = [info.session for info in infos if info.client is None]
        for session in left[: max(0, len(left) - most_left())]:
            manager.close_session(session.id)
        known = {info.session for info in manager.list_sessions()}
        for session in self._held - known:
            session.shutdown()  # Streamlit forgets one after two minutes, and leaves its loop to the garbage collector
        self._held = {session for session in self._held if not session._script_event_loop.is_closed()}
