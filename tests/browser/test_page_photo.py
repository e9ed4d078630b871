"""The dialog of one picture, without a browser and with one."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import browser
import indexing
import pytest
import serving
from pages import (
    ALL,
    APP,
    BOATS,
    FIRST,
    HOSTILE,
    HOSTILE_NAME,
    asked,
    buttons,
    chips,
    component,
    first_id,
    less,
    more,
    names,
    parts,
    query_box,
    said,
    tiles,
)
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect
from streamlit.testing.v1 import AppTest
from support import as_nobody

from search_ui.runtime.file_manager import FileManagerError
from search_ui.runtime.services import services
from search_ui.views.photo import open_folder
from sightline.query.parser import parse
from sightline.searcher import Searcher
from store.library import Library
from store.tables.filters import Word
from store.tables.written import renew


def ids(searcher: Searcher, text: str) -> list[int]:
    """Content ids of what the page shows first, in order: as `names`."""
    return [hit.photo.content_id for hit in searcher.search(parse(text), limit=FIRST).hits if hit.band != "below"]


def id_of(searcher: Searcher, name: str) -> int:
    """The content id of the picture of this file name."""
    photos = searcher.library.catalog.photos(range(1, 1_000))
    return next(id_ for id_, photo in photos.items() if photo.display.endswith(name))


def opened(app: AppTest, content_id: int, text: str | None = None) -> AppTest:
    """The page with the dialog of a picture open, over what a query finds; over that of before without one."""
    if "photo" not in app.session_state:
        app.query_params["photo"] = str(content_id)  # read when a session begins, and never again
    else:
        app.session_state["photo"] = content_id
    return asked(app, text) if text is not None else app.run()


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


# -- without a browser ----------------------------------------------------------------------------------------------


def test_the_dialog_tells_each_terms_part(app: AppTest, searcher: Searcher) -> None:
    text = "red boat -snow"
    hit = searcher.search(parse(text)).hits[0]
    opened(app, hit.photo.content_id, text)
    for part in hit.parts:
        assert f"{part.term}{part.cosine:.3f}{part.score:+.2f}" in said(app)
    assert f"Together{hit.score:.2f}" in said(app)
    assert f"like:{hit.photo.content_id}" in said(app)
    assert [each.label for each in app.expander] == ["Why this picture?"]


def test_openings_of_a_later_session_have_higher_numbers(app: AppTest, searcher: Searcher) -> None:
    """Or a page of before the server was started again would keep a picture closed that it closed then."""
    found = ids(searcher, "boat")
    numbers = []
    for _ in range(2):
        session = AppTest.from_file(str(APP), default_timeout=60)
        opened(session, found[0], "boat")
        numbers.append(component(session, "viewer")["opening"])
        time.sleep(0.01)  # a server takes longer than that to start
    assert numbers[0] < numbers[1]


def test_more_and_less_like_this_in_the_dialog_change_the_text(app: AppTest, searcher: Searcher) -> None:
    id_ = first_id(searcher, "boat")
    opened(app, id_, "boat")
    press(app, "Less like this")
    assert query_box(app).value == less("boat", id_)
    opened(app, id_)
    assert "No longer less like this" in buttons(app)
    press(app, "More like this")
    assert query_box(app).value == more("boat", id_)
    opened(app, id_)
    press(app, "No longer more like this")
    assert query_box(app).value == "boat"


@pytest.mark.parametrize("text", ["boat", "red boat -snow date:2000..", "-snow", "date:2000..", "like:1"])
def test_why_is_offered_for_what_words_found(app: AppTest, searcher: Searcher, text: str) -> None:
    found = ids(searcher, text)
    opened(app, found[0], text)
    assert component(app, "viewer")["words"] == (text if "boat" in text else "")
    if "boat" in text:  # opened by a link, or from similar pictures: no words found it
        opened(app, next(id_ for id_ in ids(searcher, ALL) if id_ not in found))
        assert component(app, "viewer")["words"] == ""


def test_near_duplicates_are_listed_and_can_be_shown_apart(app: AppTest, searcher: Searcher) -> None:
    hit = next(hit for hit in searcher.search(parse(BOATS)).hits if hit.folded)
    opened(app, hit.photo.content_id, BOATS)
    drawn = [json.loads(element.proto.json)[0] for element in app.get("bidi_component")]
    strips = [[int(id_) for id_ in data["ids"].split()] for data in drawn if data.get("small")]
    assert sorted(hit.folded) in [sorted(strip) for strip in strips]
    assert all(hit.photo.content_id not in strip for strip in strips)
    press(app, "Show them separately")
    assert query_box(app).value == f"{BOATS} dedup:off"


def test_the_viewer_knows_what_comes_before_and_after(app: AppTest, searcher: Searcher) -> None:
    order = ids(searcher, ALL)
    for at in (0, 1, 40, len(order) - 1):
        opened(app, order[at], ALL)
        data = component(app, "viewer")
        around = [picture["id"] for picture in data["pictures"]]
        first = max(0, at - 8)
        assert data["shown"] == order[at]
        assert around == order[first : at + 9]
        shown = next(picture for picture in data["pictures"] if picture["id"] == order[at])
        assert shown["position"] == f"{at + 1} of {FIRST}"


def test_a_picture_beside_the_order_lies_between_where_one_came_from_and_the_next(
    app: AppTest, searcher: Searcher
) -> None:
    order = ids(searcher, "windmill")
    other = next(id_ for id_ in ids(searcher, "boat") if id_ not in order)
    opened(app, other, "windmill")
    assert [picture["id"] for picture in component(app, "viewer")["pictures"]] == [other]
    opened(app, order[0])
    opened(app, other)
    around = component(app, "viewer")["pictures"]
    assert [picture["id"] for picture in around] == [order[0], other, *order[1:2]]
    assert around[1]["position"] == ""


def test_small_pictures_have_no_larger_one(app: AppTest, searcher: Searcher) -> None:
    for name, is_large in (("panorama.jpg", True), ("strip.jpg", False)):
        id_ = id_of(searcher, name)
        opened(app, id_)
        shown = next(each for each in component(app, "viewer")["pictures"] if each["id"] == id_)
        assert (shown["large"] != "") == is_large
        assert re.fullmatch(r"/thumb/[0-9a-f]{64}\.jpg(\?2)?", shown["small"])


def test_a_picture_that_is_gone_is_said_to_be(app: AppTest) -> None:
    opened(app, 987654)
    assert "no longer where it was" in said(app)
    assert [(each["id"], each["small"]) for each in component(app, "viewer")["pictures"]] == [(987654, "")]


def test_folders_are_opened_only_for_who_sits_at_this_machine(
    app: AppTest, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = first_id(searcher, "boat")
    opened(app, id_)
    assert "Open folder" not in buttons(app)
    photo = searcher.library.catalog.photos([id_])[id_]
    with pytest.raises(FileManagerError, match="--manage"):
        open_folder(photo)
    monkeypatch.setattr(services(), "manages", True)
    opened(app, id_)
    assert "Open folder" in buttons(app)


def test_the_place_of_a_picture_leads_to_those_near_it(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 53.0, 33.0), 3: "W", 4: (2.0, 14.0, 0.0)})
    Image.new("RGB", (64, 48), "teal").save(photos / "a.jpg", exif=exif)
    (photos / "sub").mkdir()
    shutil.copy(photos / "a.jpg", photos / "sub" / "again.jpg")
    indexing.add(tmp_path / "library", photos, "demo")
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "library"))
    opened(app, 1)
    codes = [code.value for code in app.code]
    assert codes[0] == "48.89250, -2.23333"
    assert sorted(codes[1:]) == sorted([str(photos / "a.jpg"), str(photos / "sub" / "again.jpg")])
    assert "in 1 more place" in said(app)
    press(app, "Pictures near here")
    assert query_box(app).value == "near:48.89250,-2.23333,5"
    assert "1 picture" in [caption.value for caption in app.caption]


def test_the_words_of_a_picture_lead_to_those_that_have_them_too(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "photos" / "a.jpg")
    indexing.add(tmp_path / "library", tmp_path / "photos", "demo")
    with Library.open(tmp_path / "library") as library, library.catalog.engine.begin() as connection:
        keywords = json.dumps(["Places|New *York*"])
        connection.exec_driver_sql("UPDATE contents SET keywords = ?, people = ?", (keywords, '["Ann Lee"]'))
        renew(connection, [1])
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "library"))
    opened(app, 1)
    assert "Keywords" in said(app)
    assert "People" in said(app)
    press(app, "Places \u203a New \\*York\\*")
    assert parse(query_box(app).value or "").filters == (Word("keyword", (r"Places|New \*York\*",)),)
    assert "1 picture" in [caption.value for caption in app.caption]
    opened(app, 1)
    press(app, "Ann Lee")
    assert query_box(app).value == 'person:"Ann Lee"'


# -- with a browser -------------------------------------------------------------------------------------------------


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def shows(page: Page, searcher: Searcher, content_id: int) -> None:
    """Wait until the dialog shows a picture: itself, its facts, its address."""
    photo = searcher.library.catalog.photos([content_id])[content_id]
    name = photo.display.rsplit("/", 1)[-1]
    expect(dialog(page).locator("img.small")).to_have_attribute("src", f"/thumb/{photo.hash.hex()}.jpg")
    expect(dialog(page).locator(".photo-name")).to_have_text(name)
    expect(page).to_have_url(re.compile(rf"[?&]photo={content_id}(&|$)"))


@pytest.mark.browser
def test_the_dialog_tells_the_facts_and_leads_on(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=windmill")
    shown = names(searcher, "windmill")
    tiles(page, shown)
    page.locator(".tile .open").nth(1).click()
    expect(dialog(page).locator(".photo-name")).to_have_text(shown[1])
    expect(dialog(page).get_by_text("px, JPEG")).to_be_visible()
    expect(dialog(page).locator("img.small")).to_have_js_property("complete", True)
    assert "like:" not in dialog(page).inner_text()
    dialog(page).get_by_text("Why this picture?").click()
    row = dialog(page).get_by_role("row", name="windmill")
    hit = searcher.search(parse("windmill")).hits[1]
    expect(row).to_contain_text(f"{hit.parts[0].cosine:.3f}")
    dialog(page).get_by_role("button", name="More like this").click()
    expect(dialog(page)).to_be_hidden()
    chips(page, parts(more("windmill", hit.photo.content_id)))


@pytest.mark.browser
def test_arrows_go_from_picture_to_picture_and_back_closes(page: Page, searcher: Searcher) -> None:
    order = ids(searcher, ALL)
    page.goto(f"/?q={ALL}")
    page.locator(f'.open[data-id="{order[2]}"]').click()
    shows(page, searcher, order[2])
    steps = page.evaluate("history.length")
    expect(page.locator(".position")).to_contain_text("3 of ")
    page.keyboard.press("ArrowRight")
    shows(page, searcher, order[3])
    dialog(page).get_by_role("button", name="Next picture").click()
    shows(page, searcher, order[4])
    for _ in range(5):
        page.keyboard.press("ArrowRight")  # faster than the server follows
    shows(page, searcher, order[9])
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    shows(page, searcher, order[7])
    expect(page.locator(".position")).to_contain_text("8 of ")
    assert page.evaluate("history.length") == steps, "Back is to close the picture, however far one went"
    page.reload()
    shows(page, searcher, order[7])
    page.go_back()
    expect(dialog(page)).to_be_hidden()
    expect(page).not_to_have_url(re.compile("photo"))
    page.go_forward()
    shows(page, searcher, order[7])


# -- closing, before the server knows -------------------------------------------------------------------------------


class SlowServer:
    """What a page and its server tell each other, which can be held back: to be made before the page is opened."""

    def __init__(self, page: Page) -> None:
        self._held: list[Callable[[], None]] = []
        self._is_holding = False
        page.route_web_socket("**/_stcore/stream", self._connect)

    def _connect(self, route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        route.on_message(lambda message: self._pass(partial(server.send, message)))
        server.on_message(lambda message: self._pass(partial(route.send, message)))

    def _pass(self, send: Callable[[], None]) -> None:
        if self._is_holding:
            self._held.append(send)
        else:
            send()

    def hold(self) -> None:
        self._is_holding = True

    def release(self) -> None:
        while self._held:
            self._held.pop(0)()
        self._is_holding = False


# Notes each change of whether the dialog can be seen, and whether it is in the first frame after Back or Forward.
WATCH = """
    window.seen = []
    const look = () => {
        const dialog = document.querySelector(".stDialog:has(.st-key-photo-dialog)")
        const is = Boolean(dialog) && dialog.style.display !== "none"
        if (seen.at(-1)?.is !== is) seen.push({ is })
    }
    const isOpen = () => seen.at(-1).is
    window.addEventListener("popstate", () => requestAnimationFrame(() => (window.inFirstFrame = isOpen())), true)
    const every = { childList: true, subtree: true, attributes: true, attributeFilter: ["style"] }
    new MutationObserver(look).observe(document, every)
"""


@pytest.mark.browser
def test_back_closes_the_picture_at_once_whatever_the_server_does(page: Page, searcher: Searcher) -> None:
    order = ids(searcher, ALL)
    server = SlowServer(page)
    page.add_init_script(WATCH)
    page.goto(f"/?q={ALL}")
    page.locator(f'.open[data-id="{order[2]}"]').click()
    shows(page, searcher, order[2])
    slow = page.context.new_cdp_session(page)
    slow.send("Emulation.setCPUThrottlingRate", {"rate": 6})
    server.hold()
    page.go_back()
    expect(dialog(page)).to_have_count(0)
    assert page.evaluate("inFirstFrame") is False
    expect(page.locator(f'.open[data-id="{order[2]}"]')).to_be_focused()
    page.keyboard.press("ArrowRight")  # the grid can be used
    expect(page.locator(f'.open[data-id="{order[3]}"]')).to_be_focused()
    page.go_forward()
    ahead = page.locator(".photo-ahead img")
    expect(ahead).to_be_visible()
    assert ahead.get_attribute("src") == page.locator(f'.open[data-id="{order[2]}"] img').get_attribute("src")
    slow.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    server.release()
    shows(page, searcher, order[2])
    expect(ahead).to_have_count(0)
    assert page.evaluate("seen.filter((each) => each.is).length") == 2, "it came back without being asked for"


@pytest.mark.browser
@pytest.mark.parametrize("steps", [("back", "forward", "back"), ("back", "forward", "back", "forward")], ids=len)
def test_quick_back_and_forward_end_where_the_address_says(
    page: Page, searcher: Searcher, steps: tuple[str, ...]
) -> None:  # fmt: skip
    order = ids(searcher, ALL)
    page.add_init_script(WATCH)
    page.goto(f"/?q={ALL}")
    page.locator(f'.open[data-id="{order[1]}"]').click()
    shows(page, searcher, order[1])
    length = page.evaluate("history.length")
    for step in steps:
        page.evaluate(f"history.{step}()")
        page.wait_for_timeout(60)
    if steps[-1] == "forward":
        shows(page, searcher, order[1])
    else:
        expect(page).not_to_have_url(re.compile("photo"))
        page.evaluate("seen.length = 0")
        page.wait_for_timeout(4_000)
        assert not page.evaluate("seen.some((each) => each.is)")
        expect(dialog(page)).to_have_count(0)
    assert page.evaluate("history.length") == length


@pytest.mark.browser
def test_what_was_drawn_before_it_was_closed_does_not_open_it_again(page: Page, searcher: Searcher) -> None:
    order = ids(searcher, ALL)
    server = SlowServer(page)
    page.add_init_script(WATCH)
    page.goto(f"/?q={ALL}")
    page.locator(f'.open[data-id="{order[1]}"]').click()
    shows(page, searcher, order[1])
    ways: list[Callable[[], None]] = [lambda: page.keyboard.press("Escape"), lambda: page.mouse.click(3, 500)]
    for closes in ways:
        server.hold()
        page.evaluate("document.querySelector('.st-key-filters button').click()")  # a run of the whole page
        page.wait_for_timeout(100)
        closes()
        expect(dialog(page)).to_have_count(0)
        page.evaluate("seen.length = 0")
        server.release()
        expect(page).not_to_have_url(re.compile("photo"))
        page.wait_for_timeout(500)
        assert not page.evaluate("seen.some((each) => each.is)")
        page.locator(f'.open[data-id="{order[1]}"]').click()
        shows(page, searcher, order[1])


# -- by keyboard ------------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_by_keyboard_alone_and_the_focus_returns_to_where_one_ended(page: Page, searcher: Searcher) -> None:
    order = ids(searcher, ALL)
    page.goto(f"/?q={ALL}")
    page.locator(f'.open[data-id="{order[0]}"]').focus()
    page.keyboard.press("Enter")
    shows(page, searcher, order[0])
    page.keyboard.press("ArrowLeft")  # there is nothing before the first
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    shows(page, searcher, order[2])
    page.keyboard.press("f")
    expect(dialog(page).get_by_role("switch", name="Favourite")).to_be_checked()
    page.keyboard.press("+")
    expect(page.locator(".viewer.zoomed")).to_be_visible()
    page.keyboard.press("0")
    expect(page.locator(".viewer.zoomed")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(dialog(page)).to_be_hidden()
    expect(page.locator(f'.open[data-id="{order[2]}"]')).to_be_focused()
    assert searcher.library.marks.favourites_of(order) == {order[2]}
    page.keyboard.press("Enter")
    shows(page, searcher, order[2])
    page.reload()
    expect(dialog(page).get_by_role("switch", name="Favourite")).to_be_checked()
    shows(page, searcher, order[2])  # before, nobody hears a key
    page.keyboard.press("f")
    expect(dialog(page).get_by_role("switch", name="Favourite")).not_to_be_checked()
    assert searcher.library.marks.favourites_of(order) == set()


# What is drawn at a place of the map, given in shares: red, green, blue and how much of the picture it covers, to 255.
DRAWN_AT = """(heat, [x, y]) => [...heat.getContext("2d").getImageData(
  Math.round(x * (heat.width - 1)), Math.round(y * (heat.height - 1)), 1, 1).data]"""


@pytest.mark.browser
def test_show_why_lights_what_the_words_found(page: Page, searcher: Searcher) -> None:
    order = ids(searcher, "boat")
    found = searcher.explain(order[0], parse("boat"))
    page.goto(f"/?q=boat&photo={order[0]}")
    shows(page, searcher, order[0])
    heat, button = dialog(page).locator("canvas.heat"), dialog(page).get_by_role("button", name="Show why")
    expect(heat).to_be_hidden()
    page.keyboard.press("w")
    expect(heat).to_be_visible(timeout=60_000)  # the model is loaded
    expect(button).to_have_attribute("aria-pressed", "true")
    assert found.peak is not None
    expect(heat).to_have_attribute(
        "aria-label", re.compile(f"boat.*: most at {round(found.peak[0] * 100)} % from the left")
    )
    expect(dialog(page).get_by_role("status").filter(has_text="Bright is what speaks for")).to_be_visible()
    rows, columns = found.map.shape
    row, column = divmod(int(found.map.argmin()), columns)
    dark = [(column + 0.5) / columns, (row + 0.5) / rows]
    red, _, blue, veil = heat.evaluate(DRAWN_AT, list(found.peak))
    assert red > 160 > 130 > blue
    darker = heat.evaluate(DRAWN_AT, dark)
    assert darker[0] < 110
    assert darker[3] > veil
    page.keyboard.press("w")
    expect(heat).to_be_hidden()
    button.click()
    expect(heat).to_be_visible()
    page.keyboard.press("ArrowRight")  # a map is of one picture
    shows(page, searcher, order[1])
    expect(heat).to_be_hidden()
    expect(button).to_have_attribute("aria-pressed", "false")


@pytest.mark.browser
def test_why_no_map_can_be_shown_is_said(page: Page, searcher: Searcher) -> None:
    id_ = first_id(searcher, "boat")
    reason = "Where in the picture can't be shown for this model."
    problem = {"type": "about:blank", "title": "Conflict", "status": 409, "detail": reason}
    page.route("**/explain?*", lambda route: route.fulfill(status=409, json=problem))
    page.goto(f"/?q=boat&photo={id_}")
    shows(page, searcher, id_)
    dialog(page).get_by_role("button", name="Show why").click()
    expect(dialog(page).get_by_text(reason)).to_be_visible()
    expect(dialog(page).locator("canvas.heat")).to_be_hidden()
    expect(dialog(page).get_by_role("button", name="Show why")).to_have_attribute("aria-pressed", "false")


@pytest.mark.browser
@pytest.mark.parametrize("last", ["", "Escape"], ids=["while it is open", "and closed at once"])
def test_stars_given_while_leafing_quickly_all_stay(page: Page, searcher: Searcher, last: str) -> None:
    order = ids(searcher, ALL)
    marks = searcher.library.marks
    page.goto(f"/?q={ALL}&photo={order[0]}")
    shows(page, searcher, order[0])
    for key in ("f", "ArrowRight", "f", "f", "ArrowRight", "f", *filter(None, [last])):
        page.keyboard.press(key)
    try:
        deadline = time.monotonic() + 30
        while marks.favourites_of(order) != {order[0], order[2]}:
            assert time.monotonic() < deadline, f"favourites are {marks.favourites_of(order)}"
            page.wait_for_timeout(20)
        if not last:
            expect(dialog(page).get_by_role("switch", name="Favourite")).to_be_checked()
            page.keyboard.press("ArrowLeft")
            expect(dialog(page).get_by_role("switch", name="Favourite")).not_to_be_checked()
    finally:
        page.goto("about:blank")  # else a run that is still on its way stars one again
        marks.favourite(order, False)


@pytest.mark.browser
def test_who_types_a_tag_stays_at_the_picture(page: Page, searcher: Searcher) -> None:
    order = ids(searcher, ALL)
    page.goto(f"/?q={ALL}&photo={order[3]}")
    shows(page, searcher, order[3])
    box = dialog(page).get_by_label("Tags", exact=False).first
    box.fill("off")
    for key in ("ArrowLeft", "ArrowRight", "f", "0"):
        page.keyboard.press(key)
    expect(box).to_have_value("offf0")
    shows(page, searcher, order[3])
    assert searcher.library.marks.favourites_of(order) == set()


@pytest.mark.browser
def test_a_link_opens_a_picture_that_the_search_does_not_show(page: Page, searcher: Searcher) -> None:
    order = ids(searcher, "windmill")
    other = next(id_ for id_ in ids(searcher, "boat") if id_ not in order)
    page.goto(f"/?q=windmill&photo={other}")
    shows(page, searcher, other)
    expect(dialog(page).get_by_role("button", name="Next picture")).to_be_hidden()
    dialog(page).get_by_role("button", name="Close").click()
    expect(dialog(page)).to_be_hidden()
    tiles(page, names(searcher, "windmill"))
    expect(page).not_to_have_url(re.compile("photo"))
    page.go_back()
    shows(page, searcher, other)
    page.goto("/?photo=<script>")
    expect(page.get_by_text("Indexed last")).to_be_visible()
    expect(dialog(page)).to_be_hidden()


@pytest.mark.browser
def test_similar_pictures_open_in_place_and_lead_back(page: Page, searcher: Searcher) -> None:
    order = ids(searcher, "windmill")
    page.goto(f"/?q=windmill&photo={order[0]}")
    shows(page, searcher, order[0])
    strip = dialog(page).locator(".st-key-photo-below .tile .open")
    other = int(strip.last.get_attribute("data-id") or 0)
    assert other not in order
    strip.last.click()
    shows(page, searcher, other)
    expect(page.locator(".position")).to_be_empty()
    page.keyboard.press("ArrowLeft")
    shows(page, searcher, order[0])


@pytest.mark.browser
def test_a_near_duplicate_opens_from_the_dialog_of_the_one_it_is_folded_into(page: Page, searcher: Searcher) -> None:
    hit = next(hit for hit in searcher.search(parse(BOATS)).hits if hit.folded)
    page.goto(f"/?q={BOATS}&photo={hit.photo.content_id}")
    shows(page, searcher, hit.photo.content_id)
    small = dialog(page).locator(f'.tile .open[data-id="{hit.folded[0]}"]')
    expect(small).to_have_count(1)
    small.click()
    shows(page, searcher, hit.folded[0])
    expect(dialog(page).get_by_text("shown as one picture")).to_have_count(0)


def _wait_for(page: Page, holds: Callable[[], bool]) -> None:
    """What was typed is not in the library at once."""
    for _ in range(300):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it did not come to hold within 30 seconds")


@pytest.mark.browser
def test_favourites_and_tags_outlive_a_reload_and_can_be_searched(page: Page, searcher: Searcher) -> None:
    marks = searcher.library.marks
    page.goto("/?q=windmill")
    shown = names(searcher, "windmill")
    tiles(page, shown)
    page.locator(".tile .open").first.click()
    dialog(page).get_by_text("Favourite", exact=True).click()
    for tag in ("Holland", HOSTILE_NAME):
        dialog(page).get_by_label("Tags", exact=False).first.fill(tag)
        page.keyboard.press("Enter")
        expect(dialog(page).locator(".react-aria-ComboBox [data-tag]", has_text=tag)).to_be_visible()
    page.keyboard.press("Escape")  # leaves the list of tags
    id_ = first_id(searcher, "windmill")
    _wait_for(page, lambda: marks.tags_of([id_]) == {id_: (HOSTILE_NAME, "Holland")})
    dialog(page).get_by_role("button", name="Close").click()
    expect(dialog(page)).to_be_hidden()
    page.goto("/?q=favourite:yes+tag:holland")
    tiles(page, [shown[0]])
    page.locator(".tile .open").first.click()
    expect(dialog(page).get_by_role("switch", name="Favourite")).to_be_checked()
    expect(dialog(page).locator(".react-aria-ComboBox [data-tag]")).to_have_count(2)
    dialog(page).locator(".react-aria-ComboBox [data-tag]", has_text=HOSTILE_NAME).locator("button").click()
    expect(dialog(page).locator(".react-aria-ComboBox [data-tag]")).to_have_count(1)
    dialog(page).get_by_text("Favourite", exact=True).click()
    dialog(page).get_by_role("button", name="Close").click()
    expect(page.get_by_text("No pictures match these filters")).to_be_visible()
    assert marks.tags_of([id_]) == {id_: ("Holland",)}
    assert marks.favourites_of([id_]) == set()
    marks.change([id_], remove=["Holland"])


@pytest.mark.browser
def test_the_file_is_downloaded_as_it_is(page: Page, searcher: Searcher, made: Path) -> None:
    id_ = id_of(searcher, HOSTILE)
    page.goto(f"/?photo={id_}")
    expect(dialog(page).locator(".photo-name")).to_have_text(HOSTILE)
    with page.expect_download() as waited:
        dialog(page).get_by_role("link", name="Download").click()
    data = (made / "photos" / HOSTILE).read_bytes()
    assert Path(waited.value.path()).read_bytes() == data
    assert waited.value.suggested_filename.startswith("_img src=x onerror=alert(1)_")


# -- a part of a picture --------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_a_rectangle_drawn_in_a_picture_is_searched_for(page: Page, searcher: Searcher) -> None:
    id_ = ids(searcher, "windmill")[0]
    page.goto(f"/?q=width:>=1&photo={id_}")
    shows(page, searcher, id_)
    dialog(page).get_by_role("button", name="Search in this picture").click()
    seen = page.locator(".canvas").bounding_box()
    assert seen is not None
    left, top, width, height = seen["x"], seen["y"], seen["width"], seen["height"]
    page.mouse.move(left + 0.02 * width, top + 0.02 * height)
    page.mouse.down()
    page.mouse.move(left + 0.5 * width, top + 0.7 * height, steps=4)
    page.mouse.up()
    area = page.locator(".area")
    expect(area).to_have_attribute("aria-label", re.compile("^2 % from the left, 2 % from the top, 48 % wide, 68 %"))
    page.mouse.move(left + 0.2 * width, top + 0.2 * height)
    page.mouse.down()
    page.mouse.move(left + 0.9 * width, top + 0.2 * height, steps=4)  # by its inside, to the edge
    page.mouse.up()
    expect(area).to_have_attribute("aria-label", re.compile("^52 % from the left, 2 % from the top, 48 % wide, 68 %"))
    dialog(page).get_by_role("button", name="Search with this part").click()
    expect(dialog(page)).to_be_hidden()
    chips(page, ["your picture", "width:>=1"])
    expect(page.locator(".tile:visible").first).to_be_visible()
    expect(page).not_to_have_url(re.compile("photo"))


@pytest.mark.browser
def test_a_part_is_chosen_by_keyboard_alone(page: Page, searcher: Searcher) -> None:
    order = ids(searcher, ALL)
    page.goto(f"/?q={ALL}&photo={order[0]}")
    shows(page, searcher, order[0])
    begin = dialog(page).get_by_role("button", name="Search in this picture")
    begin.focus()
    page.keyboard.press("Enter")
    area = page.locator(".area")
    expect(area).to_be_focused()
    label = area.get_attribute("aria-label") or ""
    assert label.startswith("25 % from the left, 25 % from the top, 50 % wide, 50 % high.")
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowUp", "f"):
        page.keyboard.press(key)
    label = area.get_attribute("aria-label") or ""
    assert label.startswith("27 % from the left, 27 % from the top, 52 % wide, 48 % high.")
    page.keyboard.press("Escape")
    expect(area).to_be_hidden()
    expect(begin).to_be_focused()
    shows(page, searcher, order[0])
    assert searcher.library.marks.favourites_of(order) == set()
    page.keyboard.press("Enter")
    expect(area).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog(page)).to_be_hidden()
    expect(page.locator(".chip .label").first).to_have_text("your picture")


@pytest.mark.browser
def test_of_a_picture_that_was_given_a_part_takes_its_place(page: Page, made: Path) -> None:
    page.goto("/?q=width:>=1")
    page.locator("input.file").set_input_files(next((made / "photos").rglob("*.jpg")))
    expect(page.locator(".chip .label").first).to_have_text("your picture")
    before = page.url
    page.get_by_role("button", name="Choose a part of your picture").click()
    page.get_by_role("button", name="Search with this part").click()
    expect(dialog(page)).to_be_hidden()
    expect(page.locator(".chip")).to_have_count(2)
    expect(page).not_to_have_url(before)
    assert page.url.count("picture%3A") == 1


# -- how it looks, and to whom --------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_dialog(chromium: Browser, url: str, searcher: Searcher, scheme: Any) -> None:
    hit = next(hit for hit in searcher.search(parse(BOATS)).hits if hit.folded)
    with browser.visiting(chromium, url, color_scheme=scheme) as page:
        page.goto(f"/?q={BOATS}&photo={hit.photo.content_id}")
        shows(page, searcher, hit.photo.content_id)
        expect(dialog(page).get_by_text("Similar pictures")).to_be_visible()
        assert browser.violations(page) == []
        dialog(page).get_by_role("button", name="Search in this picture").click()
        expect(page.locator(".area")).to_be_focused()
        assert browser.violations(page) == []


@pytest.mark.browser
def test_on_a_telephone_it_fits_and_a_swipe_leads_on(chromium: Browser, url: str, searcher: Searcher) -> None:
    order = ids(searcher, ALL)
    with browser.visiting(chromium, url, viewport={"width": 375, "height": 720}, has_touch=True) as page:
        for name in ("panorama.jpg", "strip.jpg", HOSTILE):
            page.goto(f"/?photo={id_of(searcher, name)}")
            expect(dialog(page).locator(".photo-name")).to_have_text(name)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            frame, picture = page.locator(".stage").bounding_box(), page.locator(".canvas").bounding_box()
            assert frame is not None and picture is not None
            assert picture["width"] <= frame["width"] <= 375
            assert picture["height"] <= frame["height"]
            width, height = Image.open(_file(searcher, name)).size
            assert picture["width"] / picture["height"] == pytest.approx(width / height, rel=0.02)
        page.goto(f"/?q={ALL}&photo={order[1]}")
        shows(page, searcher, order[1])
        _swipe(page, 250, 60)
        shows(page, searcher, order[2])
        _swipe(page, 120, 300)
        shows(page, searcher, order[1])


def _file(searcher: Searcher, name: str) -> Path:
    id_ = id_of(searcher, name)
    photo = searcher.library.catalog.photos([id_])[id_]
    return Path(photo.root.decode()) / photo.path.decode()


def _swipe(page: Page, start: int, end: int) -> None:
    """A finger across the picture, as the browser's own input."""
    frame = page.locator(".stage").bounding_box()
    assert frame is not None
    session, y = page.context.new_cdp_session(page), frame["y"] + frame["height"] / 2
    for kind, x in (("touchStart", start), ("touchMove", (start + end) // 2), ("touchMove", end), ("touchEnd", None)):
        points = [] if x is None else [{"x": x, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def faults(page: Page) -> list[str]:
    """What the browser's console is told of as an error from now on, and what is not found."""
    seen: list[str] = []
    page.on("console", lambda entry: seen.append(entry.text) if entry.type == "error" else None)
    page.on("response", lambda answer: seen.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    return seen


@pytest.mark.browser
def test_a_link_to_a_picture_asks_for_nothing_that_is_not_there(page: Page, searcher: Searcher) -> None:
    first = ids(searcher, ALL)[0]
    wrong = faults(page)
    for address in (f"/?photo={first}&q={ALL}", f"/?q=sort:name&photo={first}", f"/?photo={first}"):
        page.goto(address)
        shows(page, searcher, first)
        expect(page.locator("img.large.there, img.small")).not_to_have_count(0)
    page.goto(f"/?q={ALL}&photo=987654")
    expect(dialog(page).get_by_text("no longer where it was").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert wrong == []


@pytest.mark.browser
def test_without_its_file_a_picture_is_shown_small(
    chromium: Browser, made: Path, tmp_path: Path, searcher: Searcher
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.effect_noise((900, 600), 50).save(photos / "a.jpg")
    indexing.add(tmp_path / "library", photos, "demo")
    content_hash = hashlib.sha256((photos / "a.jpg").read_bytes()).hexdigest()
    with (
        serving.running(tmp_path / "library", tmp_path / "log") as address,
        browser.visiting(chromium, address) as page,
    ):
        page.goto("/?photo=1")
        expect(page.locator(f'img.large.there[src="/preview/{content_hash}.jpg"]')).to_be_visible()
        (photos / "a.jpg").unlink()
        shutil.rmtree(tmp_path / "library" / "previews")
        page.goto("about:blank")
        page.context.new_cdp_session(page).send("Network.clearBrowserCache")
        wrong = faults(page)
        page.goto("/?photo=1")
        expect(page.get_by_text("Only its small copy")).to_be_visible()
        expect(page.locator("img.small")).to_be_visible()
        assert wrong == []


def test_a_library_that_may_not_be_written_says_so(
    app: AppTest, made: Path, public_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = public_tmp / "library"
    shutil.copytree(made / "library", library)
    with Library.open(library) as opened_library:
        opened_library.marks.change([1], add=[HOSTILE_NAME])
    for path in (library, *library.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(library))
    with as_nobody():
        opened(app, 1)
    assert "This library is read-only here" in said(app)
    assert f"Tags: {HOSTILE_NAME}." in said(app)
    assert not app.multiselect
    assert not app.toggle
    for path in (library, *library.rglob("*")):
        path.chmod(0o755)
