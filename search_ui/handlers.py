"""What every handler of the pages needs: that a click is not lost to the next one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException

_P = ParamSpec("_P")


def whole(handler: Callable[_P, object]) -> Callable[_P, None]:
    """The same handler, done even where something else was clicked before its turn came.

    Streamlit ends whatever runs at its next use of the session when another request waits, handlers too, and does not
    call them again. So the first use of the session is here: that request is held until the handler is done. One that
    comes within a handler's own milliseconds can still end it; handlers are short, and change the session last.
    """

    @functools.wraps(handler)
    def done(*arguments: _P.args, **named: _P.kwargs) -> None:
        waiting: RerunException | None = None
        try:
            st.session_state.get("any use of it")
        except RerunException as request:
            waiting = request
        handler(*arguments, **named)
        if waiting is not None:
            raise waiting

    return done
