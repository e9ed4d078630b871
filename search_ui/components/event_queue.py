"""The server side of a component's event queue: applies each event once, however often it comes.

Delivery is at least once: components send every event that the page has not acknowledged (event_queue.js). Sequence
numbers for each session tell which are new. docs/internals/streamlit.md says why this is needed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final, TypedDict

import streamlit as st

_KEY: Final = "events"


class Acknowledged(TypedDict):
    """What a component is told: the name of this session's events, and the number of the last one applied."""

    of: str
    seen: int


def acknowledged(key: str) -> Acknowledged:
    """Return how far the events of the component under a key were applied."""
    state: Acknowledged = st.session_state.setdefault(f"{_KEY}-{key}", {"of": secrets.token_hex(8), "seen": 0})
    return state


def pending(key: str, sent: Any) -> list[dict[str, Any]]:
    """Return the events that were not applied yet, oldest first.

    Args:
        key: of the component.
        sent: what it sent: a list of events with their session `of` and their number `n`. What is not of that shape,
            or is of another session, such as one before the server was started again, is left out.
    """
    known = acknowledged(key)
    events = [each for each in sent if _is_new(each, known)] if isinstance(sent, list) else []
    return sorted(events, key=lambda each: int(each["n"]))


def apply(key: str, sent: Any, handle: Callable[[dict[str, Any]], object]) -> None:
    """Apply each event that is new.

    An event is acknowledged once it is applied, or fails. A click may end this run at any use of the session, and then
    the next run applies the event again: so `handle` must be idempotent.

    Args:
        key: of the component.
        sent: what it sent, as for `pending`.
        handle: applies one event.

    Raises:
        Exception: whatever `handle` raises. All events are then acknowledged: they would fail again with every click.
    """
    state = acknowledged(key)  # before anything is applied; after it the session is not asked again
    events = pending(key, sent)
    for event in events:
        try:
            handle(event)
        except Exception:
            state["seen"] = events[-1]["n"]
            raise
        state["seen"] = event["n"]


def _is_new(event: Any, known: Acknowledged) -> bool:
    if not isinstance(event, dict) or event.get("of") != known["of"]:
        return False
    number = event.get("n")
    return isinstance(number, int) and number > known["seen"]
