"""The slideshow: all pictures of a search, one after the other, without the server; and what it fetches."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

import browser
import pytest
import serving
from pages import ALL, BOATS, FIRST
from playwright.sync_api import Browser, Locator, Page, expect

from sightline.query.parser import parse
from sightline.searcher import Searcher

# Notes when the screen is kept on, and let go.
AWAKE = """
    window.awake = 0
    const request = async () => (awake++, { release: async () => awake-- })
    Object.defineProperty(navigator, "wakeLock", { value: { request } })
"""


def fetched(url: str, address: str, **parameters: str) -> Any:
    return json.loads(serving.urlopen(f"{url}/slides/{address}?{urlencode(parameters)}").read())


def found(searcher: Searcher, text: str) -> list[int]:
    """Content ids of all that a search finds, folded, without those below its threshold."""
    return [hit.photo.content_id for hit in searcher.matches(parse(text))]


def name_of(searcher: Searcher, content_id: int) -> str:
    return searcher.library.catalog.photos([content_id])[content_id].display.rsplit("/", 1)[-1]


# -- what it fetches ------------------------------------------------------------------------------------------------


def test_its_order_is_that_of_the_page_to_the_last_picture(url: str, searcher: Searcher) -> None:
    assert len(found(searcher, ALL)) > FIRST
    for text in (ALL, "windmill", BOATS, f"{ALL} sort:name"):
        assert fetched(url, "order", q=text)["ids"] == found(searcher, text), text
    newest = [photo.content_id for photo in searcher.recent(1_000)]
    assert fetched(url, "order", q="")["ids"] == newest
    below = fetched(url, "order", q="windmill", below="open")["ids"]
    assert below[: len(found(searcher, "windmill"))] == found(searcher, "windmill")
    assert len(below) > len(found(searcher, "windmill"))
    with pytest.raises(HTTPError) as refused:
        fetched(url, "order", q="width:wide")
    assert refused.value.code == 422


def test_pictures_come_in_the_order_they_are_asked_for(url: str, searcher: Searcher) -> None:
    first, second, *_ = found(searcher, ALL)
    made = fetched(url, "pictures", ids=f"{second},987654,{first}")["pictures"]
    assert [(each["id"], each["name"]) for each in made] == [(id_, name_of(searcher, id_)) for id_ in (second, first)]
    assert serving.urlopen(f"{url}{made[0]['small']}").read(3) == b"\xff\xd8\xff"
    for wrong in ("", "0", "1,", "x", "1;2", ",".join(str(each) for each in range(1, 102))):
        with pytest.raises(HTTPError) as refused:
            fetched(url, "pictures", ids=wrong)
        assert refused.value.code == 422, wrong


# -- in a browser ---------------------------------------------------------------------------------------------------


def show(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Slideshow")


def begin(page: Page, searcher: Searcher, text: str, content_id: int) -> None:
    """Open a picture of a search and start the slideshow."""
    page.goto(f"/?{urlencode({'q': text, 'photo': content_id})}")
    expect(page.locator(".viewer img.small")).to_have_js_property("complete", True)
    expect(page.locator(".photo-name")).to_have_text(name_of(searcher, content_id))
    page.keyboard.press("s")
    expect(show(page)).to_be_visible()


def shows(page: Page, searcher: Searcher, content_id: int, position: str = "") -> None:
    """Wait until a picture is shown, and nothing else."""
    name = name_of(searcher, content_id)
    expect(page.locator(".slide.there")).to_have_attribute("alt", name)
    expect(page.locator(".show .caption")).to_contain_text(position)


@pytest.mark.browser
def test_it_goes_on_by_itself_without_the_server_and_the_page_follows_at_its_end(
    page: Page, searcher: Searcher
) -> None:  # fmt: skip
    order = found(searcher, ALL)
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.add_init_script(AWAKE)
    begin(page, searcher, ALL, order[0])
    shows(page, searcher, order[0], f"1 of {len(order):,}")
    page.get_by_label("Seconds for each picture").select_option("2")
    before = len(sent)
    shows(page, searcher, order[1], f"2 of {len(order):,}")
    shows(page, searcher, order[2])
    assert page.evaluate("awake") == 1
    page.keyboard.press("Space")
    expect(show(page).get_by_role("button", name="Play")).to_be_visible()
    assert page.evaluate("awake") == 0
    here = page.locator(".slide.there").get_attribute("alt")
    page.wait_for_timeout(2_500)
    expect(page.locator(".slide.there")).to_have_attribute("alt", here or "")
    page.locator(".screen").click(position={"x": 200, "y": 200})
    for _ in range(9):  # quicker than pictures come, and past those that the page knows
        page.keyboard.press("ArrowRight")
    at = order.index(next(id_ for id_ in order if name_of(searcher, id_) == here)) + 9
    shows(page, searcher, order[at], f"{at + 1} of")
    assert len(sent) == before
    page.keyboard.press("Escape")
    expect(show(page)).to_have_count(0)
    expect(page.locator(".photo-name")).to_have_text(name_of(searcher, order[at]))
    assert f"photo={order[at]}" in page.url
    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.browser
def test_it_goes_past_what_the_page_shows_and_round(page: Page, searcher: Searcher) -> None:
    order = found(searcher, ALL)
    begin(page, searcher, ALL, order[FIRST - 1])
    shows(page, searcher, order[FIRST - 1], f"{FIRST} of {len(order):,}")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    shows(page, searcher, order[FIRST])
    for _ in range(len(order) - FIRST):
        page.keyboard.press("ArrowRight")
    shows(page, searcher, order[0], "1 of")
    page.keyboard.press("ArrowLeft")
    shows(page, searcher, order[-1])
    for is_favourite in (True, False):
        page.keyboard.press("f")
        caption = re.compile(r" favourite$" if is_favourite else r"\.\w+$")
        expect(page.locator(".show .caption")).to_have_text(caption)
        page.wait_for_timeout(2_000)  # until the page has said that it did so
        assert (order[-1] in searcher.library.marks.favourites_of(order)) == is_favourite
    page.keyboard.press("s")
    expect(page.locator(".photo-name")).to_have_text(name_of(searcher, order[-1]))


@pytest.mark.browser
def test_shuffled_each_picture_comes_once_and_then_in_the_same_order_again(page: Page, searcher: Searcher) -> None:
    order = found(searcher, "windmill")
    begin(page, searcher, "windmill", order[0])
    shows(page, searcher, order[0], f"1 of {len(order)}")
    page.keyboard.press("Space")
    show(page).get_by_role("button", name="Shuffle").click()
    expect(show(page).get_by_role("button", name="Shuffle")).to_have_attribute("aria-pressed", "true")
    page.mouse.click(200, 200)
    rounds: list[list[str]] = []
    for count in (len(order), 3):
        seen = []
        for at in range(1, count + 1):
            expect(page.locator(".show .caption")).to_contain_text(f"{at} of {len(order)}")
            seen.append(page.locator(".show .caption").inner_text().split(" · ")[1])
            page.keyboard.press("ArrowRight")
        rounds.append(seen)
    assert sorted(rounds[0]) == sorted(name_of(searcher, id_) for id_ in order)
    assert rounds[0][:3] == rounds[1]
    page.keyboard.press("Escape")
    page.reload()
    begin(page, searcher, "windmill", order[0])
    expect(show(page).get_by_role("button", name="Shuffle")).to_have_attribute("aria-pressed", "true")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_its_controls_come_and_go(
    chromium: Browser, url: str, searcher: Searcher, scheme: Any
) -> None:  # fmt: skip
    order = found(searcher, "windmill")
    with browser.visiting(chromium, url, color_scheme=scheme, reduced_motion="reduce") as page:
        begin(page, searcher, "windmill", order[0])
        shows(page, searcher, order[0], "1 of")
        expect(page.locator(".slide.there")).to_have_css("transition-duration", "0s")
        assert browser.violations(page) == []
        expect(page.locator(".show.idle .controls")).to_have_css("opacity", "0")
        page.keyboard.press("Tab")
        expect(page.locator(".show .controls")).to_have_css("opacity", "1")
        expect(show(page).get_by_role("button", name="Previous picture")).to_be_focused()


@pytest.mark.browser
def test_on_a_telephone_a_swipe_leads_on_and_its_controls_fit(
    chromium: Browser, url: str, searcher: Searcher
) -> None:  # fmt: skip
    order = found(searcher, "windmill")
    with browser.visiting(chromium, url, viewport={"width": 375, "height": 720}, has_touch=True) as page:
        begin(page, searcher, "windmill", order[0])
        shows(page, searcher, order[0], "1 of")
        page.keyboard.press("Space")
        session = page.context.new_cdp_session(page)
        for kind, x in (("touchStart", 300), ("touchMove", 180), ("touchMove", 60), ("touchEnd", None)):
            points = [] if x is None else [{"x": x, "y": 300}]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        shows(page, searcher, order[1], "2 of")
        for control in show(page).get_by_role("button").all():
            placed = control.bounding_box()
            assert placed is not None
            assert min(placed["width"], placed["height"]) >= 40
            assert placed["x"] >= 0
            assert placed["x"] + placed["width"] <= 375
