"""The grid of pictures in a real browser: how it looks, and what mouse and keyboard do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser import box, search
from pages import ALL, COUNT, HOSTILE, NOTHING, chips, less, more, names, parts, tiles
from playwright.sync_api import Page, expect

from search_ui.language import parse
from search_ui.searcher import Searcher


@pytest.mark.browser
def test_pictures_keep_their_proportions_and_load_when_seen(page: Page) -> None:
    page.goto(f"/?q={ALL}")
    expect(page.locator(".tile")).to_have_count(60)
    images = page.locator(".tile img")
    assert images.evaluate_all("all => all.filter(i => !i.naturalWidth).length") > 0
    for ratio in images.evaluate_all(
        "all => all.filter(i => i.complete && i.naturalWidth).map(i => [i.naturalWidth / i.naturalHeight,"
        " i.clientWidth / i.clientHeight, getComputedStyle(i).objectFit])"
    ):
        natural, shown, fit = ratio
        assert fit == "contain"
        assert natural < 0.5 or natural > 3 or shown == pytest.approx(natural, rel=0.02)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".tile")).to_have_count(COUNT)


@pytest.mark.browser
def test_what_is_below_the_line_is_folded_and_opens(page: Page, searcher: Searcher) -> None:
    page.goto(f"/?q={ALL}+{NOTHING}")
    expect(page.get_by_text("matches this clearly")).to_be_visible()
    expect(page.locator(".tile").first).to_be_hidden()
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".tile:visible")).to_have_count(60)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".tile:visible")).to_have_count(COUNT)
    page.locator("summary").click()
    expect(page.locator(".tile:visible")).to_have_count(0)
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    page.locator("summary").click()
    expect(page.locator(".tile:visible")).to_have_count(COUNT)
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
    assert page.locator(".chip img").evaluate("i => i.decode().then(() => i.naturalWidth)") > 0
    tiles(page, names(searcher, wanted))
    page.reload()
    tiles(page, names(searcher, wanted))
    expect(page.locator(f'.like[data-id="{second}"]')).to_have_attribute("aria-pressed", "true")
    page.locator(f'.open[data-id="{first}"]').focus()
    page.keyboard.press("Tab")
    expect(page.locator(f'.like[data-id="{first}"]')).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    chips(page, parts(less(wanted, first)))
    page.get_by_role("button", name=f"Remove -like:{first}").click()
    chips(page, parts(wanted))
    page.get_by_role("button", name=f"Remove like:{second}").click()
    chips(page, ["windmill"])
    tiles(page, names(searcher, "windmill"))


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
    expect(page.locator(".tile")).to_have_count(60)
    page.locator("input.file").set_input_files(made / "photos" / HOSTILE)
    expect(page.locator(".tile .score").first).to_have_text("1.000")
    expect(page.locator(".tile .name").first).to_have_text(HOSTILE)
    assert page.locator("img[onerror]").count() == 0
    page.locator(".tile .open").first.click()
    expect(page.get_by_role("dialog").get_by_text(HOSTILE)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="1 file could not be read").click()
    expect(page.get_by_role("dialog").locator("[data-testid=stDataFrame]")).to_be_visible()
