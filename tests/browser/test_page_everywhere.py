"""What all pages have in common: the bar that leads to them, the first paint, narrow screens, what axe-core says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import browser
import pytest
from browser import violations
from playwright.sync_api import Browser, Locator, Page, expect

PAGES = {"Search": "/", "Library": "/library", "Duplicates": "/duplicates", "Map": "/map", "Compare": "/compare"}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
WIDE: dict[str, Any] = {"viewport": {"width": 1400, "height": 900}}
# Kept by the page from its first moment.
SHIFTS = """
window.shifts = []
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value)
}).observe({ type: "layout-shift", buffered: true })
"""


def bar(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Pages")


def settled(page: Page) -> None:
    """Wait until a page has drawn all it draws at first."""
    expect(page.locator(".stMainBlockContainer h1").first).to_be_attached()
    expect(page.locator("[data-testid=stStatusWidget]")).to_have_count(0)
    expect(page.locator("[data-stale=true], [data-testid=stSkeleton]")).to_have_count(0)
    page.wait_for_timeout(500)


@pytest.mark.parametrize("options", [PHONE, WIDE], ids=["phone", "wide"])
def test_the_bar_leads_to_every_page_and_says_which_one_it_is(
    chromium: Browser, url: str, options: dict[str, Any]
) -> None:  # fmt: skip
    with browser.visiting(chromium, url, **options) as page:
        page.goto("/?q=boat")
        expect(page.locator(".tile").first).to_be_visible()
        page.evaluate("window.isSame = true")
        for name, path in [*list(PAGES.items())[1:], ("Search", "/")]:
            link = bar(page).get_by_role("link", name=name)
            expect(link).to_be_in_viewport()
            box = link.bounding_box()
            assert box and box["height"] >= 40
            assert box["width"] >= 40
            link.click()
            expect(page).to_have_url(f"{url}{path}")
            expect(link).to_have_attribute("aria-current", "page")
            expect(bar(page).locator("[aria-current]")).to_have_count(1)
            settled(page)
        assert page.evaluate("window.isSame"), "the browser loaded a page anew: what the session knows is lost"
        page.go_back()
        expect(bar(page).get_by_role("link", name="Compare")).to_have_attribute("aria-current", "page")


def test_on_a_phone_nothing_lies_under_the_bar_and_the_bar_under_a_photo(chromium: Browser, url: str) -> None:
    with browser.visiting(chromium, url, **PHONE) as page:
        page.goto("/")
        last = page.get_by_role("button", name="Show more")
        last.scroll_into_view_if_needed()
        page.locator(".stMain").evaluate("each => each.scrollTo(0, each.scrollHeight)")
        below, top = last.bounding_box(), bar(page).bounding_box()
        assert below and top
        assert below["y"] + below["height"] <= top["y"]
        assert top["y"] + top["height"] == 800
        # What is said of the library is over the pictures.
        page.locator(".stMain").evaluate("each => each.scrollTo(0, 0)")
        said, tile = page.locator(".st-key-status").bounding_box(), page.locator(".tile").first.bounding_box()
        assert said and tile
        assert said["y"] + said["height"] <= tile["y"]
        page.locator(".tile").first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        is_over = "([x, y]) => document.elementFromPoint(x, y).closest('#pages') === null"
        assert page.evaluate(is_over, [top["x"] + 40, top["y"] + 20])


@pytest.mark.parametrize("options", [PHONE, WIDE], ids=["phone", "wide"])
def test_a_page_that_is_loaded_is_where_it_stays_and_asks_for_nothing_that_is_not_there(
    chromium: Browser, url: str, options: dict[str, Any]
) -> None:  # fmt: skip
    with browser.visiting(chromium, url, **options) as page:
        page.add_init_script(SHIFTS)
        wrong: list[str] = []
        page.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
        page.on("console", lambda entry: wrong.append(entry.text) if entry.type == "error" else None)
        moved: dict[str, float] = {}
        page.goto("/")  # the browser keeps the scripts
        settled(page)
        for path in PAGES.values():
            # On a machine that does other work as well, parts that are drawn at once otherwise come one by one.
            for _ in range(3):
                page.goto(path)
                settled(page)
                moved[path] = min(moved.get(path, 1.0), sum(page.evaluate("window.shifts")))
                if moved[path] < 0.05:
                    break
            assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
        assert not wrong, wrong
        jumping = {path: shift for path, shift in moved.items() if shift >= 0.05}
        assert not jumping, jumping


def test_no_page_scrolls_sideways_on_the_narrowest_phone_or_with_large_letters(chromium: Browser, url: str) -> None:
    with browser.visiting(chromium, url, **{**PHONE, "viewport": {"width": 320, "height": 640}}) as page:
        for scale in ("100%", "200%"):
            for path in PAGES.values():
                page.goto(path)
                settled(page)
                page.evaluate("scale => { document.documentElement.style.fontSize = scale }", scale)
                page.wait_for_timeout(300)
                widths = page.evaluate(
                    "[document.documentElement.scrollWidth, document.querySelector('.stMain').scrollWidth]"
                )
                assert max(widths) <= 320, (path, scale)
                for link in bar(page).get_by_role("link").all():
                    expect(link).to_be_in_viewport(ratio=1)


@pytest.fixture(params=["light", "dark"])
def visitor(request: pytest.FixtureRequest, chromium: Browser, url: str) -> Iterator[Page]:
    with browser.visiting(chromium, url, color_scheme=request.param, **WIDE) as page:
        yield page


def test_axe_finds_nothing_serious_on_any_page(visitor: Page) -> None:
    page, found = visitor, dict[str, list[str]]()
    for options in (WIDE, PHONE):
        page.set_viewport_size(options["viewport"])
        size = str(options["viewport"]["width"])
        for name, path in PAGES.items():
            page.goto(path)
            settled(page)
            found[f"{name} {size}"] = violations(page)
        page.goto("/?q=boat")
        settled(page)
        page.get_by_role("button", name="Filters").click()
        expect(page.get_by_role("tree")).to_be_visible()
        settled(page)
        found[f"filters {size}"] = violations(page)
        page.keyboard.press("Escape")
        page.goto("/?q=boat")
        settled(page)
        page.locator(".tile").first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        settled(page)
        found[f"photo {size}"] = violations(page)
    serious = {where: what for where, what in found.items() if what}
    assert not serious, serious


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_scrolled_goes_under_the_bar_of_pages(chromium: Browser, url: str, scheme: str) -> None:
    with browser.visiting(chromium, url, color_scheme=scheme, viewport={"width": 768, "height": 500}) as page:
        page.goto("/library")
        expect(page.get_by_role("heading", name="Folders")).to_be_visible()
        # Between the bar and the page: as large as the bar, and of the page's colour.
        under = page.locator(".stAppHeader")
        expect(under).to_have_css("background-color", "rgb(252, 252, 251)" if scheme == "light" else "rgb(20, 23, 22)")
        covered, covers = bar(page).bounding_box(), under.bounding_box()
        assert covered is not None and covers is not None
        assert covers["width"] == 768 and covers["height"] >= covered["height"]
