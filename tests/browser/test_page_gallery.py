"""The grid of pictures in a real browser: on the page that searches, and with thousands on a page of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import browser
import pytest
import serving
from browser import box, search, violations
from gallery_page import BROKEN, NAMES
from pages import ALL, COUNT, FIRST, HOSTILE, NOTHING, chips, less, more, names, parts, tiles
from playwright.sync_api import Browser, Locator, Page, expect
from support import ROOT

from search_ui.components.gallery import Section, Tile, pack
from sightline.query.parser import parse
from sightline.searcher import Searcher

MAIN = "document.querySelector('[data-testid=stMain]')"


@pytest.fixture(scope="module")
def stage(made: Path) -> Iterator[str]:
    """The address of a page with nothing but the gallery, see gallery_page.py."""
    with serving.staged(ROOT / "tests" / "helpers" / "gallery_page.py", made / "library", made / "stage.log") as url:
        yield url


@pytest.fixture
def visit(chromium: Browser, stage: str) -> Iterator[Callable[..., Page]]:
    """Go to the page with the gallery: `count` pictures and more words for the address, options of the browser."""
    open_pages = []

    def go(count: int, address: str = "", **options: Any) -> Page:
        visitor = browser.visiting(chromium, stage, **options)
        page = visitor.__enter__()
        open_pages.append(visitor)
        page.goto(f"/?count={count}{address}")
        expect(tile(page, 1)).to_be_visible()
        return page

    yield go
    for visitor in reversed(open_pages):
        visitor.__exit__(None, None, None)


def tile(page: Page, id_: int) -> Locator:
    return page.locator(".tile", has=page.locator(f'.open[data-id="{id_}"]'))


def opener(page: Page, id_: int) -> Locator:
    return page.locator(f'.open[data-id="{id_}"]')


def selected(page: Page, ids: list[int]) -> None:
    """Wait until the script knows that these are selected."""
    if ids:
        expect(page.get_by_text(f"selected: {ids}", exact=True)).to_be_visible()
    else:
        expect(page.get_by_text("selected:")).to_have_count(0)


def scroll(page: Page, to: int) -> None:
    page.evaluate(f"{MAIN}.scrollTop = {to}")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def first_seen(page: Page) -> tuple[int, float]:
    """The first picture whose top is below the page's bar, and where it is."""
    found: list[tuple[int, float]] = page.locator(".tile").evaluate_all(
        "all => all.map(t => [Number(t.querySelector('.open').dataset.id), t.getBoundingClientRect().top])"
        ".filter(([, top]) => top > 70)"
    )
    return min(found, key=lambda one: (one[1], one[0]))


def top_of(page: Page, id_: int) -> float:
    return float(tile(page, id_).evaluate("t => t.getBoundingClientRect().top"))


# -- on the page that searches ----------------------------------------------------------------------------------------


@pytest.mark.browser
def test_pictures_keep_their_proportions_and_load_when_seen(page: Page) -> None:
    page.goto(f"/?q={ALL}")
    expect(page.locator(".tile")).to_have_count(FIRST)
    expect(page.locator(".tile.loaded").first).to_be_visible()
    images = page.locator(".tile img")
    assert images.evaluate_all("all => all.filter(i => !i.naturalWidth).length") > 0
    shapes = images.evaluate_all(
        "all => all.filter(i => i.complete && i.naturalWidth).map(i => [i.naturalWidth / i.naturalHeight,"
        " i.clientWidth / i.clientHeight, getComputedStyle(i).objectFit])"
    )
    assert shapes
    for natural, shown, fit in shapes:
        assert fit == "contain"
        assert natural < 0.5 or natural > 3 or shown == pytest.approx(natural, rel=0.02)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".tile")).to_have_count(COUNT)


@pytest.mark.browser
def test_what_is_below_the_threshold_is_folded_and_opens(page: Page, searcher: Searcher) -> None:
    page.goto(f"/?q={ALL}+{NOTHING}")
    expect(page.get_by_text("No clear match. Closest pictures:")).to_be_visible()
    expect(page.locator(".tile:visible")).to_have_count(FIRST)  # there is nothing else to show
    expect(page.locator("summary")).to_have_count(0)
    result = searcher.search(parse(f"{ALL} lighthouse"))
    above = result.strong + result.maybe
    search(page, f"{ALL} lighthouse")
    expect(page.locator("summary")).to_be_visible()
    expect(page.locator(".tile:visible")).to_have_count(above)
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".tile:visible")).to_have_count(FIRST)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".tile:visible")).to_have_count(COUNT)
    page.locator("summary").click()
    expect(page.locator(".tile:visible")).to_have_count(above)
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    page.locator("summary").click()
    expect(page.locator(".tile:visible")).to_have_count(COUNT)
    expect(page).to_have_url(re.compile(r"[?&]below="))  # the page knows too
    search(page, "lighthouse")
    tiles(page, names(searcher, "lighthouse"))


@pytest.mark.browser
def test_more_and_less_like_this_by_mouse_and_keyboard(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=windmill")
    tiles(page, names(searcher, "windmill"))
    first, second = (hit.photo.content_id for hit in searcher.search(parse("windmill")).hits[:2])
    like = page.locator(".tile").nth(1).locator(".like")
    expect(like).to_have_css("opacity", "0")
    page.locator(".tile").nth(1).hover()
    expect(like).to_have_css("opacity", "1")
    like.click()
    wanted = more("windmill", second)
    chips(page, parts(wanted))
    expect(box(page)).to_have_value(wanted)
    expect(page).to_have_url(re.compile(rf"q=windmill(%20|\+)like(%3A|:){second}"))
    tiles(page, names(searcher, wanted))
    page.reload()
    tiles(page, names(searcher, wanted))
    expect(page.locator(f'.like[data-id="{second}"]')).to_have_attribute("aria-pressed", "true")
    opener(page, first).focus()
    page.keyboard.press("d")
    chips(page, parts(less(wanted, first)))
    page.get_by_role("button", name=f"Remove -like:{first}").click()
    chips(page, parts(wanted))
    opener(page, second).focus()
    page.keyboard.press("l")
    chips(page, ["windmill"])
    tiles(page, names(searcher, "windmill"))
    expect(opener(page, second)).to_be_focused()


@pytest.mark.browser
def test_arrow_keys_go_from_picture_to_picture_across_sections(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=lighthouse")
    shown = names(searcher, "lighthouse")
    tiles(page, shown)
    page.locator(".tile .open").first.focus()
    for _ in shown[1:]:
        page.keyboard.press("ArrowRight")
    expect(page.locator(".tile .open").nth(len(shown) - 1)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tile .open").nth(len(shown) - 1)).to_be_focused()
    page.keyboard.press("Home")
    expect(page.locator(".tile .open").first).to_be_focused()


@pytest.mark.browser
def test_a_hostile_file_name_is_only_a_name(page: Page, made: Path) -> None:
    page.goto("/")
    expect(page.locator(".tile")).to_have_count(FIRST)
    page.locator("input.file").set_input_files(made / "photos" / HOSTILE)
    expect(page.locator(".tile .name").first).to_have_text(HOSTILE)
    expect(page.locator(".tile img").first).to_have_attribute("alt", HOSTILE)
    assert page.locator("img[onerror]").count() == 0


# -- many pictures ----------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_of_two_thousand_only_those_near_the_window_are_on_the_page(visit: Callable[..., Page]) -> None:
    page = visit(2000, "&sections=2")
    most = []
    for place in range(0, 60_000, 2_500):
        scroll(page, place)
        most.append(page.locator(".tile").count())
    assert max(most) < 80
    assert min(most) > 10
    opener(page, first_seen(page)[0]).focus()
    page.keyboard.press("End")
    expect(opener(page, 2000)).to_be_focused()
    expect(tile(page, 2000)).to_be_in_viewport(ratio=1)
    page.keyboard.press("Home")
    expect(opener(page, 1)).to_be_focused()
    expect(tile(page, 1)).to_be_in_viewport(ratio=1)
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    down = int(page.locator(".open:focus").get_attribute("data-id") or 0)
    assert down > 10
    expect(tile(page, down)).to_be_in_viewport(ratio=1)
    page.keyboard.press("PageUp")
    page.keyboard.press("PageUp")
    expect(opener(page, 1)).to_be_focused()


@pytest.mark.browser
def test_rows_fill_the_width_and_never_overlap(visit: Callable[..., Page]) -> None:
    page = visit(120)
    boxes: list[list[float]] = page.locator(".tile").evaluate_all(
        "all => all.map(t => [t.offsetLeft, t.offsetTop, t.offsetWidth, t.offsetHeight])"
    )
    width = page.locator(".grid").evaluate("g => g.clientWidth")
    rows: dict[float, list[list[float]]] = {}
    for one in boxes:
        rows.setdefault(one[1], []).append(one)
    assert len(rows) > 5
    *full, last = (rows[top] for top in sorted(rows))
    for row in full:
        assert len({height for *_, height in row}) == 1
        assert 105 < row[0][3] < 420
        assert row[0][0] == 0
        assert row[-1][0] + row[-1][2] == pytest.approx(width, abs=3)
        for (left, _, wide, _), (next_left, *_) in pairwise(row):
            assert next_left - (left + wide) == pytest.approx(8, abs=1.01)
    assert last[0][3] <= 211
    tops = sorted(rows)
    for top, after in pairwise(tops):
        assert after == top + rows[top][0][3] + 8


@pytest.mark.browser
def test_the_place_on_the_page_stays_over_reruns_and_more_pictures(visit: Callable[..., Page]) -> None:
    page = visit(600, "&moving=1")
    scroll(page, 9000)
    id_, top = first_seen(page)
    tile(page, id_).hover()
    tile(page, id_).locator(".star").click()
    expect(page.get_by_text(f"favourites [{id_}]")).to_be_attached()
    assert top_of(page, id_) == pytest.approx(top, abs=1)
    page.get_by_role("button", name="Show more").evaluate("button => button.click()")
    height = page.locator(".grid").evaluate("g => g.clientHeight")
    expect(page.locator(f".grid >> css=[aria-setsize='{660}']").first).to_be_attached()
    assert page.locator(".grid").evaluate("g => g.clientHeight") >= height
    assert top_of(page, id_) == pytest.approx(top, abs=1)
    # What comes above the pictures takes its own room and not theirs.
    tile(page, id_).locator(".tick").click()
    selected(page, [id_])
    assert abs(top_of(page, id_) - top) < 80
    box(page).fill("reversed")
    box(page).press("Enter")
    expect(tile(page, 660)).to_be_in_viewport()
    assert page.evaluate(f"{MAIN}.scrollTop") == 0


@pytest.mark.browser
def test_another_size_of_pictures_or_window_keeps_the_place_and_is_remembered(visit: Callable[..., Page]) -> None:
    page = visit(600)
    slider = page.get_by_role("slider", name="Size of the pictures")
    before = tile(page, 1).evaluate("t => t.offsetHeight")
    scroll(page, 9000)
    id_, _ = first_seen(page)
    for size in ("330", "120", "210"):
        slider.evaluate(f"s => {{ s.value = {size}; s.dispatchEvent(new Event('input')) }}")
        expect(tile(page, id_)).to_be_in_viewport()
    page.set_viewport_size({"width": 900, "height": 700})
    expect(tile(page, id_)).to_be_in_viewport()
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(tile(page, id_)).to_be_in_viewport()
    scroll(page, 0)
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("330")
    large = tile(page, 1).evaluate("t => t.offsetHeight")
    assert large > before * 1.25
    page.reload()
    expect(tile(page, 1)).to_be_visible()
    assert tile(page, 1).evaluate("t => t.offsetHeight") == large


@pytest.mark.browser
def test_a_star_changes_one_picture_and_sends_little(visit: Callable[..., Page]) -> None:
    page = visit(2000)
    expect(page.get_by_text("favourites []")).to_be_attached()
    expect(page.locator(".tile:not(.loaded, .failed)")).to_have_count(0)
    opener(page, 4).focus()
    page.locator(".sections").evaluate(
        "root => { window.changes = new Set(); new MutationObserver(all => all.forEach(one =>"
        " window.changes.add(one.target.closest('.tile')?.querySelector('.open').dataset.id ?? one.target.className)"
        ")).observe(root, {subtree: true, childList: true, attributes: true, characterData: true}) }"
    )
    received: list[int] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on(
        "Network.webSocketFrameReceived", lambda frame: received.append(len(frame["response"]["payloadData"]) * 3 // 4)
    )
    page.keyboard.press("f")
    expect(tile(page, 4).locator(".star")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("favourites [4]")).to_be_attached()
    assert page.evaluate("[...window.changes]") == ["4"]
    assert 0 < sum(received) < 10_000


@pytest.mark.browser
def test_a_picture_that_can_not_be_shown_says_its_name(visit: Callable[..., Page]) -> None:
    page = visit(60)
    broken = tile(page, BROKEN)
    expect(broken).to_have_class(re.compile(r"\bfailed\b"))
    expect(broken.locator("img")).to_be_hidden()
    expect(broken.locator(".caption")).to_have_css("opacity", "1")
    expect(broken.locator(".name")).to_have_text(f"picture {BROKEN}.jpg")
    for id_, name in NAMES.items():
        expect(tile(page, id_).locator("img")).to_have_attribute("alt", name)
        assert tile(page, id_).locator(".name").evaluate("n => n.textContent") == name
        expect(tile(page, id_).locator(".like")).to_have_attribute("aria-label", f"More like {name}")
    assert page.locator("img[onerror]").count() == 0
    frame = tile(page, 1).locator(".frame")
    assert frame.evaluate("f => f.style.backgroundColor") == "rgb(0, 30, 239)"  # 7919 is 0x001eef
    assert opener(page, 1).get_attribute("title") == "/photos/made up/picture 1.jpg"


# -- keys and the selection -------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_everything_can_be_done_by_keyboard_from_one_stop_of_the_tab_key(visit: Callable[..., Page]) -> None:
    page = visit(300, "&moving=1")
    page.get_by_role("slider").focus()
    page.keyboard.press("Tab")
    expect(opener(page, 1)).to_be_focused()
    page.keyboard.press("Tab")
    assert page.locator(".tile :focus").count() == 0
    page.keyboard.press("Shift+Tab")
    expect(opener(page, 1)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(opener(page, 2)).to_be_focused()
    page.keyboard.press("f")
    expect(tile(page, 2).locator(".star")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("l")
    expect(tile(page, 2).locator(".like")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("d")
    expect(tile(page, 2).locator(".dislike")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Control+f")
    page.keyboard.press(" ")
    selected(page, [2])
    expect(page.get_by_role("status").filter(has_text="1 selected")).to_have_count(1)
    expect(opener(page, 2)).to_have_attribute("aria-description", "Selected")
    expect(tile(page, 2).locator(".star")).to_have_attribute("aria-pressed", "true")
    expect(tile(page, 2).locator(".like")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    selected(page, [2, 3, 4])
    page.keyboard.press("Shift+ArrowLeft")
    selected(page, [2, 3])
    expect(opener(page, 3)).to_be_focused()
    page.keyboard.press("Escape")
    selected(page, [])
    expect(opener(page, 3)).to_be_focused()
    box(page).focus()
    page.keyboard.type("f/l d")
    expect(box(page)).to_have_value("f/l d")


@pytest.mark.browser
def test_the_focus_comes_back_from_a_dialog(visit: Callable[..., Page]) -> None:
    page = visit(600)
    dialog = page.get_by_role("dialog")
    opener(page, 1).focus()
    for _ in range(8):
        page.keyboard.press("ArrowDown")
    id_ = int(page.locator(".open:focus").get_attribute("data-id") or 0)
    for way in ("Escape", "Close"):
        page.keyboard.press("Enter")
        expect(dialog.get_by_text(f"picture {id_} is open")).to_be_visible()
        dialog.get_by_label("Tags").fill("lf/")
        dialog.get_by_label("Tags").press("ArrowDown")
        if way == "Escape":
            page.keyboard.press("Escape")
        else:
            dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_be_hidden()
        expect(opener(page, id_)).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Next").click()
    expect(dialog.get_by_text(f"picture {id_ + 1} is open")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(opener(page, id_ + 1)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(opener(page, id_)).to_be_focused()


@pytest.mark.browser
def test_a_plain_click_opens_and_ticks_and_modifiers_select(visit: Callable[..., Page]) -> None:
    page = visit(300, "&sections=2")
    tile(page, 3).hover()
    tile(page, 3).locator(".tick").click()
    selected(page, [3])
    opener(page, 6).click(modifiers=["Shift"])
    selected(page, [3, 4, 5, 6])
    opener(page, 5).click(modifiers=["Control"])
    selected(page, [3, 4, 6])
    opener(page, 1).click()
    expect(page.get_by_role("dialog").get_by_text("picture 1 is open")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    selected(page, [3, 4, 6])
    page.get_by_role("button", name="Show more").evaluate("button => button.click()")
    expect(page.locator("[aria-setsize='180']").first).to_be_attached()
    selected(page, [3, 4, 6])
    page.get_by_role("button", name="Clear", exact=True).click()
    selected(page, [])
    expect(page.locator(".tile.selected")).to_have_count(0)
    tile(page, 2).hover()
    tile(page, 2).locator(".tick").click()
    selected(page, [2])
    box(page).fill("reversed")
    box(page).press("Enter")
    selected(page, [])


@pytest.mark.browser
def test_dragging_selects_what_it_touches_scrolls_at_the_edge_and_tells_the_page_once(
    visit: Callable[..., Page],
) -> None:
    page = visit(600)
    from_, to = tile(page, 1).bounding_box(), tile(page, 2).bounding_box()
    assert from_ is not None and to is not None
    page.mouse.move(from_["x"] + 20, from_["y"] + 20)
    page.mouse.down()
    page.mouse.move(from_["x"] + 22, from_["y"] + 21)
    expect(page.locator(".band")).to_have_count(0)
    for step in range(10):
        page.mouse.move(from_["x"] + 40 + step, from_["y"] + 40)
        page.wait_for_timeout(30)
    expect(page.locator(".band")).to_have_count(1)
    page.mouse.move(to["x"] + 10, to["y"] + 30)
    expect(page.locator(".tile.selected")).to_have_count(2)
    page.mouse.up()
    selected(page, [1, 2])
    expect(page.get_by_text("told 1 times")).to_be_attached()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".band")).to_have_count(0)
    start = tile(page, 1).bounding_box()
    assert start is not None
    page.mouse.move(start["x"] + 20, start["y"] + 20)
    page.mouse.down()
    page.mouse.move(1200, 890, steps=4)
    for _ in range(200):  # not `wait_for_function`, which evaluates in the page, where its policy forbids that
        if page.evaluate(f"{MAIN}.scrollTop") > 1500:
            break
        page.wait_for_timeout(50)
    page.mouse.up()
    expect(page.get_by_text("told 2 times")).to_be_attached()
    count = page.get_by_text("selected:").inner_text().count(",") + 1
    assert count > 25
    page.keyboard.press("Escape")
    selected(page, [])


@pytest.mark.browser
def test_fingers_select_by_a_long_press_and_see_no_buttons(visit: Callable[..., Page]) -> None:
    page = visit(60, viewport={"width": 375, "height": 700}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert max(page.locator(".tile").evaluate_all("all => all.map(t => t.getBoundingClientRect().right)")) <= 375
    for name in ("tick", "star", "like", "dislike"):
        assert set(page.locator(f".tile .{name}").evaluate_all("all => all.map(b => getComputedStyle(b).opacity)")) == {
            "0"
        }
    touch = page.context.new_cdp_session(page)
    middle = tile(page, 2).evaluate(
        "t => { const b = t.getBoundingClientRect(); return {x: b.x + b.width / 2, y: b.y + 20} }"
    )
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [middle]})
    page.wait_for_timeout(700)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    selected(page, [2])
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(tile(page, 1).locator(".tick")).to_have_css("opacity", "1")
    opener(page, 1).tap(position={"x": 60, "y": 60})
    expect(page.get_by_role("dialog").get_by_text("picture 1 is open")).to_be_visible()


# -- for everyone -----------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_a_list_says_how_long_it_is_though_most_of_it_is_not_there(visit: Callable[..., Page]) -> None:
    page = visit(900, "&sections=3")
    first, second = page.get_by_role("list", name="Matches"), page.get_by_role("list", name="Possible matches")
    expect(first.get_by_role("listitem").first).to_have_attribute("aria-setsize", "300")
    expect(first.get_by_role("listitem").nth(4)).to_have_attribute("aria-posinset", "5")
    opener(page, 1).focus()
    for _ in range(100):
        page.keyboard.press("PageDown")
        if second.get_by_role("listitem").count():
            break
    expect(second.get_by_role("listitem").first).to_have_attribute("aria-posinset", "1")
    # What is folded away is no place to go to.
    page.keyboard.press("End")
    expect(opener(page, 600)).to_be_focused()
    page.locator("summary").click()
    opener(page, 600).focus()
    page.keyboard.press("End")
    expect(opener(page, 900)).to_be_focused()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_stands_in_anyones_way(visit: Callable[..., Page], scheme: str) -> None:
    page = visit(200, "&sections=3", color_scheme=scheme)
    tile(page, 2).locator(".tick").click(force=True)
    selected(page, [2])
    tile(page, 3).hover()
    assert violations(page) == []


@pytest.mark.browser
def test_stars_given_within_a_moment_all_stay(visit: Callable[..., Page]) -> None:
    page = visit(60)
    opener(page, 1).focus()
    for key in "f Right f Right f Left f Right Right f".split():
        page.keyboard.press({"Right": "ArrowRight", "Left": "ArrowLeft"}.get(key, key))
    expect(page.get_by_text("favourites [1, 3, 4]")).to_be_attached()
    stars = page.locator(".star[aria-pressed=true]")
    assert stars.evaluate_all("all => all.map(each => each.dataset.id)") == ["1", "3", "4"]


@pytest.mark.browser
def test_a_star_that_the_page_did_not_hear_of_is_said_again(visit: Callable[..., Page]) -> None:
    page = visit(60, "&deaf=1")
    opener(page, 1).focus()
    page.keyboard.press("f")
    expect(page.get_by_text("favourites [1]")).to_be_attached()


@pytest.mark.browser
def test_favourites_that_can_not_be_changed_are_only_shown(visit: Callable[..., Page]) -> None:
    page = visit(60, "&readonly=1")
    expect(page.locator("button.star")).to_have_count(0)
    opener(page, 1).focus()
    page.keyboard.press("f")
    page.keyboard.press("l")
    expect(tile(page, 1).locator(".like")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("favourites []")).to_be_attached()
    page.keyboard.press("ArrowRight")
    expect(page.locator("span.star")).to_have_count(0)


def packed_tile(id_: int, **changes: Any) -> Tile:
    plain: Tile = {
        "id": id_, "hash": bytes([id_]).hex() * 32, "folder": "/a b/", "name": f"{id_}.jpg",
        "ratio": 4 / 3, "colour": "#0a0b0c", "folded": 0, "favourite": True,
        "asked": "",
    }  # fmt: skip
    return {**plain, **changes}  # type: ignore[typeddict-item]


def test_pictures_are_packed_by_columns_without_what_a_click_changes() -> None:
    section: Section = {"title": "Matches", "fold": "", "tiles": [packed_tile(1), packed_tile(2, colour="", folded=3)]}
    packed = pack([section], key="g", query="boat", small=False, favourites=True)
    assert packed["sections"] == [{"title": "Matches", "fold": "", "count": 2}]
    assert (packed["ids"], packed["names"], packed["folder"], packed["folders"]) == (
        "1 2",
        "1.jpg/2.jpg",
        "0 0",
        ["/a b/"],
    )
    assert (packed["ratios"], packed["colours"], packed["folded"]) == ("1.333 1.333", "0a0b0c      ", {"1": 3})
    plain: Section = {**section, "tiles": [packed_tile(1, favourite=False, asked="liked"), *section["tiles"][1:]]}
    assert pack([plain], key="g", query="boat", small=False, favourites=True) == packed
