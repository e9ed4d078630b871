"""The search box: what is typed is never lost, whatever the page does meanwhile."""

from __future__ import annotations

import re

import browser
import pytest
from browser import box, slowed
from pages import FIRST, chips, names, tiles
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from sightline.searcher import Searcher

KEY_EVERY = 20  # ms
TYPED = "two red boats at night"
VISITS, BY_NIGHT = 4, 50  # fresh pages that are typed into

pytestmark = pytest.mark.browser


class Line:
    """The page's connection to the server: what the server says can be held back, and the line can be cut."""

    def __init__(self, page: Page) -> None:
        self._routes: list[WebSocketRoute] = []
        self._held: list[tuple[WebSocketRoute, str | bytes]] | None = None
        self._is_cut = False
        page.route_web_socket(re.compile("_stcore/stream"), self._opened)

    def _opened(self, route: WebSocketRoute) -> None:
        if self._is_cut:
            route.close()
            return
        self._routes.append(route)
        server = route.connect_to_server()
        server.on_message(lambda message: self._said(route, message))

    def _said(self, route: WebSocketRoute, message: str | bytes) -> None:
        if self._held is None:
            route.send(message)
        else:
            self._held.append((route, message))

    def hold(self) -> None:
        self._held = []

    def release(self) -> None:
        held, self._held = self._held or [], None
        for route, message in held:
            route.send(message)

    def cut(self) -> None:
        self._is_cut = True
        for route in self._routes:
            route.close()

    def mend(self) -> None:
        self._is_cut = False


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("visits", [VISITS, pytest.param(BY_NIGHT, marks=pytest.mark.nightly)])
def test_what_is_typed_from_the_first_moment_on_a_slow_machine_is_searched_for(
    chromium: Browser, url: str, visits: int
) -> None:
    """Every second visit opens an address with a query, which is typed over; every one sends with Enter at once."""
    for visit in range(visits):
        with browser.visiting(chromium, url) as page:
            slowed(page)
            page.goto("/?q=cat" if visit % 2 else "/", wait_until="commit")
            box(page).wait_for()
            box(page).focus()
            if visit % 2:
                page.keyboard.press("Control+a")
            page.keyboard.type(TYPED, delay=KEY_EVERY)
            expect(box(page)).to_have_value(TYPED)
            page.keyboard.press("Enter")
            chips(page, [TYPED])
            expect(box(page)).to_have_value(TYPED)
            expect(box(page)).to_be_focused()


def test_a_text_that_is_being_typed_is_not_replaced_by_the_page(page: Page, searcher: Searcher) -> None:
    line = Line(page)
    page.goto("/?q=boat+-snow")
    chips(page, ["boat", "-snow"])
    line.hold()
    page.get_by_role("button", name="Remove -snow").click()
    box(page).focus()
    page.keyboard.press("End")
    page.keyboard.type(" at sea")
    line.release()
    chips(page, ["boat"])
    expect(box(page)).to_have_value("boat -snow at sea")
    box(page).press("Enter")
    chips(page, ["boat at sea", "-snow"])


def test_a_click_that_changes_the_query_changes_what_was_typed_and_not_sent(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=boat+-snow")
    chips(page, ["boat", "-snow"])
    box(page).fill("lighthouse -snow")
    page.get_by_role("button", name="Remove -snow").click()
    expect(box(page)).to_have_value("lighthouse")
    chips(page, ["lighthouse"])
    # Without such a click it is only kept.
    box(page).fill("windmill")
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_role("group", name="Years")).to_be_visible()
    expect(box(page)).to_have_value("windmill")
    chips(page, ["lighthouse"])
    box(page).press("Enter")
    tiles(page, names(searcher, "windmill"))


def test_an_enter_that_ends_a_composition_sends_nothing(page: Page) -> None:
    page.goto("/")
    expect(page.locator(".tile")).to_have_count(FIRST)
    client = page.context.new_cdp_session(page)
    expect(box(page)).to_be_focused()
    client.send("Input.imeSetComposition", {"text": "ボート", "selectionStart": 3, "selectionEnd": 3})
    box(page).evaluate(
        "box => box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, isComposing: true}))"
    )
    client.send("Input.insertText", {"text": "ボート"})
    expect(box(page)).to_have_value("ボート")
    page.wait_for_timeout(500)
    assert "q=" not in page.url
    page.keyboard.press("Enter")
    chips(page, ["ボート"])


def test_keys_lead_to_the_box_and_a_button_clears_it(page: Page) -> None:
    page.goto("/?q=boat")
    page.locator(".tile .open").first.focus()
    page.keyboard.press("/")
    expect(box(page)).to_be_focused()
    page.keyboard.type("f/l d")
    expect(box(page)).to_have_value("f/l d")
    page.get_by_role("button", name="Clear the search").click()
    expect(page.get_by_text(re.compile("Indexed last"))).to_be_visible()
    expect(box(page)).to_have_value("")
    expect(box(page)).to_be_focused()
    expect(page).not_to_have_url(re.compile("q="))
    page.go_back()
    expect(box(page)).to_have_value("boat")


def test_a_box_that_is_made_anew_keeps_text_caret_and_focus(page: Page) -> None:
    """Streamlit removes a component and makes it again where the page around it changes, as another page does."""
    page.goto("/")
    expect(page.locator(".tile")).to_have_count(FIRST)
    box(page).press_sequentially("two boats")
    box(page).evaluate("box => box.setSelectionRange(4, 4)")
    page.get_by_role("link", name="Library").click()
    expect(box(page)).to_have_count(0)
    page.get_by_role("link", name="Search").click()
    expect(box(page)).to_have_value("two boats")
    expect(box(page)).to_be_focused()
    page.keyboard.type("red ")
    expect(box(page)).to_have_value("two red boats")


def test_what_was_sent_while_the_server_was_away_is_searched_for(page: Page, searcher: Searcher) -> None:
    line = Line(page)
    page.goto("/")
    expect(page.locator(".tile")).to_have_count(FIRST)
    line.cut()
    box(page).fill("windmill")
    box(page).press("Enter")
    box(page).press("End")
    line.mend()
    chips(page, ["windmill"])
    expect(box(page)).to_have_value("windmill")
    tiles(page, names(searcher, "windmill"))


def test_typing_goes_on_while_the_server_does_not_answer(page: Page) -> None:
    """Streamlit's dialog about that takes no key from the box; a line says so instead, until the server answers."""
    line = Line(page)
    page.goto("/")
    expect(page.locator(".tile")).to_have_count(FIRST)
    slowed(page)  # so that keys fall into the moment in which Streamlit's dialog is open
    page.route(re.compile("/_stcore/(health|host-config)"), lambda route: route.abort())
    line.cut()
    box(page).focus()
    away, typed = page.locator("#away"), ""
    for number in range(300):
        page.keyboard.type(f"{number} ", delay=20)
        typed += f"{number} "
        if away.is_visible() and number % 20 == 19:
            break
    expect(away).to_contain_text("Sightline does not answer.")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(box(page)).to_have_value(typed)
    expect(box(page)).to_be_focused()
    page.unroute_all()
    line.mend()
    expect(away).to_be_hidden()
    expect(box(page)).to_have_value(typed)
