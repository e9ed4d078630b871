"""What a visitor does on a page is done, however quick the next click is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import pytest
import streamlit
from playwright.sync_api import Browser, expect

from search_ui.gallery.outbox import heard, news, unheard

PAGES = sorted((browser.ROOT / "search_ui").rglob("*.py"))


@pytest.mark.browser
def test_a_click_is_heeded_though_another_comes_before_its_turn(chromium: Browser, made: Path, tmp_path: Path) -> None:
    script = Path(__file__).with_name("handlers_page.py")
    with (
        browser.staged(script, made / "library", tmp_path / "log") as url,
        browser.visiting(chromium, url) as page,
    ):
        page.goto("/")
        expect(page.get_by_text("at rest")).to_be_visible()
        for name in (
            "Other",
            "Heed",
            "Slow",
        ):  # while the run of the first lasts, for the one after it; the last is first
            page.get_by_role("button", name=name).click()
            page.wait_for_timeout(100)
        page.wait_for_timeout(1_800)  # the handler of Slow is at work, and that of Heed is next
        page.get_by_role("button", name="Other").click()
        expect(page.get_by_text("heeded: 1")).to_be_visible()


def test_every_handler_of_the_pages_is_whole() -> None:
    """Where one is not, a click can be lost; `ignore` and handlers that do nothing excepted."""
    seen, bare = 0, []
    for path in PAGES:
        for node in ast.walk(ast.parse(path.read_text())):
            for keyword in node.keywords if isinstance(node, ast.Call) else []:
                name, value = keyword.arg or "", keyword.value
                if name not in ("on_click", "on_dismiss") and not (name.startswith("on_") and name.endswith("change")):
                    continue
                if isinstance(node.func, ast.Name) and node.func.id == "show_groups":
                    continue  # which makes it whole itself
                does_nothing = isinstance(value, ast.Lambda) and isinstance(value.body, ast.Constant)
                if isinstance(value, ast.Constant) or does_nothing:
                    continue
                seen += 1
                if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "whole"):
                    bare.append(f"{path.name}:{value.lineno}")
    assert seen > 40
    assert bare == []


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
