"""The order of the pictures: the choice of it, dates above the pictures, the rail, and that none is ever lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import browser
import numpy as np
import pytest
import serving
from pages import COUNT, NOTHING, asked, said, sections, tiles
from playwright.sync_api import Browser, Page, Route, expect
from streamlit.testing.v1 import AppTest

from search_ui.parts.sorting import sorting
from search_ui.views import search
from sightline.query.parser import parse
from sightline.searcher import Searcher
from store.library import Library
from store.lock import locked
from store.tables.writer import File, Indexed, SpaceIdentity, Writer

MANY = 4_000
MONTHS = 40


def names_of(searcher: Searcher, text: str) -> list[str]:
    """File names of all matches in their order, one by one."""
    return [hit.photo.display.rsplit("/", 1)[-1] for hit in searcher.matches(parse(f"{text} dedup:off"))]


@pytest.mark.parametrize(
    "text",
    [
        NOTHING,
        f"{NOTHING} sort:newest",
        f"{NOTHING} sort:oldest",
        f"{NOTHING} sort:added",
        f"{NOTHING} sort:name",
        f"{NOTHING} sort:date dedup:off",
        f'"{NOTHING}" date:2000..',
        f"{NOTHING} -boat",
    ],
)
def test_where_nothing_matches_the_closest_are_shown_in_any_order(app: AppTest, text: str) -> None:
    asked(app, text)
    assert "No clear match. Closest pictures:" in said(app)
    assert [title for title, names in sections(app) if names] == [""]


@pytest.mark.parametrize("text", ["-boat", "-boat -snow sort:name", "sort:best", "sort:name", "sort:date"])
def test_a_query_that_leaves_pictures_shows_them(app: AppTest, text: str) -> None:
    asked(app, text)
    assert sum(len(names) for _, names in sections(app))


@pytest.mark.parametrize(
    "text", ["", "sort:best", "date:2020 sort:score", "boat", "boat sort:score", "sort:date", "sort:added"]
)
def test_the_order_that_is_chosen_is_one_of_the_choice(text: str) -> None:
    choice = sorting(parse(text))
    assert choice["sort"] in dict(choice["sorts"])


def test_where_more_match_than_the_page_takes_it_says_so(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    note = "The page shows {} pictures at most."
    for limit, is_said in ((COUNT, False), (COUNT - 1, True)):
        monkeypatch.setattr(search, "MAX_PICTURES", limit)
        asked(app, "sort:newest")
        assert (note.format(limit) in said(app)) == is_said


@pytest.mark.browser
def test_a_chosen_order_is_in_the_text_and_its_dates_stand_above_the_pictures(page: Page, searcher: Searcher) -> None:
    page.goto("/")
    sort = page.get_by_label("Sort", exact=True)
    expect(sort).to_have_value("")
    for order in ("oldest", "newest", "added"):
        sort.select_option(order)
        expect(page).to_have_url(re.compile(rf"q=sort(%3A|:){order}"))
        tiles(page, names_of(searcher, f"sort:{order}"))
        expect(sort).to_have_value(order)
    every = searcher.library.catalog.ordered(searcher.library.catalog.matching(()), "oldest")
    _, days = searcher.library.catalog.timeline(every, "taken")
    months = [month for month, _ in groupby(days // 100)]
    sort.select_option("oldest")
    expect(page.locator(".section > .title")).to_have_count(len(months))
    expect(page.locator(".section > .title").last).to_have_text("No date")
    expect(page.get_by_text(f"{COUNT} pictures", exact=True)).to_be_visible()
    page.reload()
    tiles(page, names_of(searcher, "sort:oldest"))
    # Words keep the order, and the best first takes it out again.
    page.goto("/?q=a%20boat%20sort:oldest")
    tiles(page, names_of(searcher, "a boat sort:oldest"))
    sort.select_option("best")
    expect(page).to_have_url(re.compile(r"q=a(%20|\+)boat$"))
    expect(sort).to_have_value("best")


@pytest.mark.browser
def test_pictures_under_dates_are_starred_selected_and_opened_as_any(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=sort:newest")
    every = names_of(searcher, "sort:newest")
    tiles(page, every)
    first = page.locator(".tile").first
    first.hover()
    first.locator("button.star").click()
    expect(first.locator("button.star")).to_have_attribute("aria-pressed", "true")
    page.reload()
    tiles(page, every)
    expect(page.locator(".tile").first.locator("button.star")).to_have_attribute("aria-pressed", "true")
    page.locator(".tile .open").first.focus()
    page.keyboard.press("Shift+End")
    expect(page.locator(".picked")).to_have_text(f"{COUNT} selected")
    page.locator(".st-key-select-clear button").click()
    expect(page.locator(".picked")).to_have_count(0)
    page.locator(".tile .open").nth(2).click()
    expect(page.get_by_role("dialog")).to_contain_text(f"3 of {COUNT}")
    expect(page.get_by_role("dialog")).to_contain_text(every[2])
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog")).to_contain_text(every[3])
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.parametrize("missing", ["404", "network"])
def test_what_did_not_come_is_asked_for_again(page: Page, searcher: Searcher, missing: str) -> None:
    """A list that other visitors' lists took the place of; a network that is away for a moment."""
    failed = set()

    def fail_once(route: Route) -> None:
        kind = route.request.url.rpartition(".")[2]
        if kind in failed:
            return route.continue_()
        failed.add(kind)
        return route.fulfill(status=404) if missing == "404" else route.abort()

    page.route("**/timeline/**", fail_once)
    page.goto("/?q=sort:newest")
    tiles(page, names_of(searcher, "sort:newest"))
    assert failed == {"bin", "json"}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page with so many pictures over so many months, whose thumbnails are not there."""
    folder = tmp_path_factory.mktemp("many")
    with locked(folder / "library"), Library.create(folder / "library") as library:
        writer = Writer(library.catalog.engine)
        space = writer.add_space(SpaceIdentity("made", "made", "made", "", "{}", 4, False))
        root, run = writer.add_root(b"/photos"), writer.start_run(space)
        batch = []
        for number in range(MANY):
            month = number * MONTHS // MANY
            facts: dict[str, Any] = {
                "width": 4 if number % 3 else 3, "height": 3 if number % 5 else 4, "format": "JPEG", "orientation": 1,
                "taken_at": f"{2020 + month // 12}-{month % 12 + 1:02}-{number % 28 + 1:02}",
            }  # fmt: skip
            vector = np.eye(4, dtype=np.float32)[number % 4]
            file = File(root, f"img_{number:05}.jpg".encode(), 100, 1)
            batch.append(Indexed(file, number.to_bytes(32, "big"), facts, {space: vector}))
        writer.commit(batch, [])
        writer.finish_run(run, "done", {})
        writer.make_default(space)
    with serving.running(folder / "library", folder / "server.log") as url:
        yield url


@pytest.mark.browser
def test_of_many_only_the_window_is_drawn_and_the_rail_leads_to_any_month(chromium: Browser, many: str) -> None:
    with browser.visiting(chromium, many) as page:
        page.goto("/?q=sort:newest")
        rail = page.get_by_role("slider", name="Date")
        expect(rail).to_be_visible()
        expect(page.locator(".section > .title")).to_have_count(MONTHS)
        expect(page.locator(".tile .name").first).to_have_text(re.compile(r"^img_039\d\d\.jpg$"))
        # Nothing of it lies on what is beside: at rest no month, in a narrow margin no years.
        page.set_viewport_size({"width": 1400, "height": 900})
        expect(rail.locator(".years span").first).to_be_visible()
        expect(rail.locator(".bubble")).to_have_css("opacity", "0")
        page.set_viewport_size({"width": 768, "height": 900})
        expect(rail.locator(".years span").first).to_be_hidden()
        page.set_viewport_size({"width": 1280, "height": 900})
        rail.focus()
        for key, title in (
            ("End", "January 2020"), ("ArrowUp", "February 2020"), ("Home", "April 2023"),
            ("PageDown", "December 2022"),
        ):  # fmt: skip
            page.keyboard.press(key)
            expect(rail).to_have_attribute("aria-valuetext", title)
            heading = page.locator("h2.title", has_text=re.compile(f"^{title}$"))
            expect(heading).to_be_in_viewport()
            near = page.locator(".section", has=heading).locator(".tile .name").first
            expect(near).to_have_text(re.compile(r"^img_"))
            assert page.locator(".tile").count() < 150
        box = rail.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(rail).to_have_attribute("aria-valuetext", re.compile(r"(August|September|October) 2021"))
        opened = page.locator(".tile .open:visible").nth(40)
        opened.focus()
        page.keyboard.press("End")
        expect(page.locator(".tile .open").last).to_be_focused()
        expect(page.locator(".rail.moving")).to_have_count(0)  # its bubble goes
        assert not browser.violations(page)
