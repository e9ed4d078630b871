"""Keys of widgets that show a stored value which something else, such as a key, may change too.

Streamlit replays stale widget values: a click elsewhere still brings what the widget showed before, and calls its
handler. So a widget gets a new key whenever the stored value changed elsewhere, and events from old keys are ignored.
See docs/internals/streamlit.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def set_visible(names: Collection[str]) -> None:
    """Make these the only widgets whose events count."""
    keys = _keys()
    for name in [*keys]:
        if name not in names:
            del keys[name]


def key_for_value(name: str, stored: T, *, same: Callable[[T, T], bool]) -> str:
    """Return the key of the widget that shows a stored value: a new one if it showed another value."""
    keys = _keys()
    key = keys.get(name, name)
    if key not in st.session_state or not same(st.session_state[key], stored):
        key = keys[name] = f"{name}-{secrets.token_hex(4)}"
        st.session_state[key] = stored
    return key


def invalidate(name: str) -> None:
    """Ignore what this widget says from now on: the value it shows is about to be changed elsewhere."""
    _keys().pop(name, None)


def is_current(key: str) -> bool:
    """Whether events of the widget under this key count: it is visible, and was not invalidated."""
    return key in _keys().values()


def _keys() -> dict[str, str]:
    keys: dict[str, str] = st.session_state.setdefault("widget_keys", {})
    return keys
