"""Widgets that show what the library holds, where something else than the widget changes it too: the viewer's keys.

A click elsewhere that was on its way meanwhile still brings what the widget showed before, and Streamlit takes that for
a choice, even of a widget that is no longer there: it would undo what was decided. So a widget is another one, by its
key, whenever the library holds something that is new to it; and only one that is to be seen is heeded.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def only(names: Collection[str]) -> None:
    """From here on these widgets alone are to be seen."""
    shown = _shown()
    for name in [*shown]:
        if name not in names:
            del shown[name]


def key_showing(name: str, held: T, *, same: Callable[[T, T], bool]) -> str:
    """The key of the widget of this name that shows what the library holds."""
    shown = _shown()
    key = shown.get(name, name)
    if key not in st.session_state or not same(st.session_state[key], held):
        key = shown[name] = f"{name}-{secrets.token_hex(4)}"
        st.session_state[key] = held
    return key


def overruled(name: str) -> None:
    """The library is about to hold something else than this widget shows: what it says is not to be heeded."""
    _shown().pop(name, None)


def is_shown(key: str) -> bool:
    """Whether the widget under this key is to be seen, and was not overruled."""
    return key in _shown().values()


def _shown() -> dict[str, str]:
    keys: dict[str, str] = st.session_state.setdefault("showing", {})
    return keys
