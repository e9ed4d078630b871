"""What a component says once is heeded once, however often it comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import streamlit
from streamlit.runtime.scriptrunner import StopException

from search_ui.components.event_queue import heard, heed, unheard


@pytest.fixture(autouse=True)
def blank() -> Iterator[None]:
    """A session in which nothing was done yet."""
    for name in list(streamlit.session_state):
        del streamlit.session_state[name]
    return


def change(number: Any, **more: Any) -> dict[str, Any]:
    return {"of": heard("key")["of"], "n": number, **more}


def news(said: Any) -> list[dict[str, Any]]:
    """What is done of what a component says."""
    done: list[dict[str, Any]] = []
    heed("key", said, done.append)
    return done


def test_changes_that_come_again_are_done_once_and_in_their_order() -> None:
    first, second, third = change(1, id=7), change(2, id=8), change(3, id=7)
    assert news([first]) == [first]
    assert unheard("key", [third, first, second]) == [second, third]
    assert news([third, first, second]) == [second, third]
    assert news([first, second, third]) == []
    assert heard("key")["seen"] == 3
    assert heard("another")["seen"] == 0


def test_what_a_click_ends_is_done_by_the_next_run_and_what_fails_is_forgotten() -> None:
    first, second, third = change(1), change(2), change(3)
    done = []

    def end_at(number: int, by: type[BaseException]) -> None:
        def do(said: dict[str, Any]) -> None:
            if said["n"] == number:
                raise by
            done.append(said)

        with pytest.raises(by):
            heed("key", [first, second, third], do)

    end_at(2, StopException)
    assert (done, news([])) == ([first], [])
    end_at(2, ValueError)
    assert news([first, second, third]) == []
    assert done == [first]


@pytest.mark.parametrize("said", [None, "text", 7, {}, [None], [[]], [{}], [{"n": 1}]])
def test_what_is_no_list_of_changes_of_this_session_is_no_news(said: Any) -> None:
    assert news(said) == []
    for number in ("2", None, 1.5):
        assert news([change(number), {"of": "before the server was started again", "n": 9}]) == []
    assert heard("key")["seen"] == 0
