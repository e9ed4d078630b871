"""Each event of a component is applied once, however often it is sent."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit
from streamlit.runtime.scriptrunner import StopException

from search_ui.components.event_queue import acknowledged, apply, pending


@pytest.fixture(autouse=True)
def blank() -> None:
    """A session in which nothing was done yet."""
    for name in list(streamlit.session_state):
        del streamlit.session_state[name]


def change(number: Any, **more: Any) -> dict[str, Any]:
    return {"of": acknowledged("key")["of"], "n": number, **more}


def applied(sent: Any) -> list[dict[str, Any]]:
    """Which of the events that a component sends are applied."""
    done: list[dict[str, Any]] = []
    apply("key", sent, done.append)
    return done


def test_changes_that_come_again_are_done_once_and_in_their_order() -> None:
    first, second, third = change(1, id=7), change(2, id=8), change(3, id=7)
    assert applied([first]) == [first]
    assert pending("key", [third, first, second]) == [second, third]
    assert applied([third, first, second]) == [second, third]
    assert applied([first, second, third]) == []
    assert acknowledged("key")["seen"] == 3
    assert acknowledged("another")["seen"] == 0


def test_what_a_click_ends_is_done_by_the_next_run_and_what_fails_is_forgotten() -> None:
    first, second, third = change(1), change(2), change(3)
    done = []

    def end_at(number: int, by: type[BaseException]) -> None:
        def do(said: dict[str, Any]) -> None:
            if said["n"] == number:
                raise by
            done.append(said)

        with pytest.raises(by):
            apply("key", [first, second, third], do)

    end_at(2, StopException)
    assert (done, applied([])) == ([first], [])
    end_at(2, ValueError)
    assert applied([first, second, third]) == []
    assert done == [first]


@pytest.mark.parametrize("said", [None, "text", 7, {}, [None], [[]], [{}], [{"n": 1}]])
def test_what_is_no_list_of_changes_of_this_session_is_no_news(said: Any) -> None:
    assert applied(said) == []
    for number in ("2", None, 1.5):
        assert applied([change(number), {"of": "before the server was started again", "n": 9}]) == []
    assert acknowledged("key")["seen"] == 0
