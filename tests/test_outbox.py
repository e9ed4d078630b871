"""What a component says once is heeded once, however often it comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import streamlit

from search_ui.gallery.outbox import heard, news, unheard


@pytest.fixture(autouse=True)
def blank() -> Iterator[None]:
    """A session in which nothing was done yet."""
    for name in list(streamlit.session_state):
        del streamlit.session_state[name]
    yield


def change(number: Any, **more: Any) -> dict[str, Any]:
    return {"of": heard("key")["of"], "n": number, **more}


def test_changes_that_come_again_are_news_once_and_in_their_order() -> None:
    first, second, third = change(1, id=7), change(2, id=8), change(3, id=7)
    assert news("key", [first]) == [first]
    assert unheard("key", [third, first, second]) == [second, third]
    assert news("key", [third, first, second]) == [second, third]
    assert news("key", [first, second, third]) == []
    assert heard("key")["seen"] == 3
    assert heard("another")["seen"] == 0


@pytest.mark.parametrize("said", [None, "text", 7, {}, [None], [[]], [{}], [{"n": 1}]])
def test_what_is_no_list_of_changes_of_this_session_is_no_news(said: Any) -> None:
    assert news("key", said) == []
    for number in ("2", None, 1.5):
        assert news("key", [change(number), {"of": "before the server was started again", "n": 9}]) == []
    assert heard("key")["seen"] == 0
