"""The page's end of a component's outbox: each change that a person made is heeded once, however often it comes.

Streamlit gives a run only the newest word of a component, and clicks can be quicker than runs. So components send all
changes that the page has not confirmed, as a state (outbox.js), and here those that came before are left out.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final, TypedDict

import streamlit as st

_KEPT: Final = "outbox"


class Heard(TypedDict):
    """What a component is told: a name for this session's changes, and the number of the last that arrived."""

    of: str
    seen: int


def heard(key: str) -> Heard:
    """What the component under a key is to be told of its changes."""
    told: Heard = st.session_state.setdefault(f"{_KEPT}-{key}", {"of": secrets.token_hex(8), "seen": 0})
    return told


def unheard(key: str, said: Any) -> list[dict[str, Any]]:
    """The changes among those said by a component that are news, oldest first.

    Args:
        key: of the component.
        said: what it sent: a list of changes with their session `of` and their number `n`. What is not of that shape,
            or of another session, such as one before the server was started again, is left out.
    """
    known = heard(key)
    changes = [each for each in said if _is_new(each, known)] if isinstance(said, list) else []
    return sorted(changes, key=lambda each: int(each["n"]))


def heed(key: str, said: Any, do: Callable[[dict[str, Any]], object]) -> None:
    """Do what each change that is news says.

    A change is heeded once it is done, or can't be. A click meanwhile may end this run at any use of the session, and
    then the next one does it again: so `do` sets something, and never turns it over.

    Args:
        key: of the component.
        said: what it sent, as for `unheard`.
        do: with a change: what follows from it.

    Raises:
        Exception: whatever `do` raises; the changes are then forgotten, as they would fail again with every click.
    """
    told = heard(key)  # before anything is done; after it the session is not asked again
    changes = unheard(key, said)
    for change in changes:
        try:
            do(change)
        except Exception:
            told["seen"] = changes[-1]["n"]
            raise
        told["seen"] = change["n"]


def _is_new(change: Any, known: Heard) -> bool:
    if not isinstance(change, dict) or change.get("of") != known["of"]:
        return False
    number = change.get("n")
    return isinstance(number, int) and number > known["seen"]
