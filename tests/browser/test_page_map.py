"""The page of the map: what it says without a browser, and what a person sees and does with a real one."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import browser
import indexing
import numpy as np
import pytest
from pages import COUNT, HOSTILE, component, components, said
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from search_ui.views import map as view
from sightline.jobs import Background, Job
from sightline.maps import colours as map_colours
from sightline.maps import lasso
from sightline.maps.builder import Maps
from sightline.maps.files import Layout
from sightline.models.loaded import Encoders
from sightline.query.types import QueryError
from sightline.searcher import Searcher
from store.errors import SightlineError
from store.library import Library

DRAWN_BY_NOW = 180_000  # milliseconds that the first map may take, on a machine with much else to do
SCRIPT = "from search_ui.views import map\nmap.page()"


@pytest.fixture(scope="module")
def layout(made: Path) -> Layout:
    """The map of the library: made here, where UMAP has been compiled by now, and read by the server."""
    with Library.open(made / "library") as library:
        maps, space = Maps(library, Encoders(offline=True), Background()), library.catalog.spaces()[0]
        assert maps.look(space).job.wait(DRAWN_BY_NOW / 1000)
        found = maps.newest(space)
    assert found is not None
    assert found.labels
    return found


def on_map(page: Page, address: str) -> None:
    """Go to the map, and wait until its points are drawn."""
    page.goto(address)
    expect(page.locator(".stage[data-points]")).to_be_visible(timeout=DRAWN_BY_NOW)
    page.wait_for_timeout(300)


def place_of(page: Page, layout: Layout, at: tuple[float, float]) -> tuple[float, float]:
    """Where a place of the map is on the page, before it was panned or zoomed; see Camera in points_view.js."""
    box = page.locator("canvas.points").bounding_box()
    assert box is not None
    across, up = view.reach_of(layout.places)
    scale = 0.94 * min(box["width"] / (2 * across), box["height"] / (2 * up))
    return box["x"] + box["width"] / 2 + at[0] * scale, box["y"] + box["height"] / 2 - at[1] * scale


def lonely(layout: Layout) -> int:
    """The row of the picture that is farthest from all others: nobody can miss it."""
    away = np.linalg.norm(layout.places[:, None] - layout.places, axis=2)
    np.fill_diagonal(away, np.inf)
    return int(away.min(axis=1).argmax())


def colours(page: Page) -> np.ndarray:
    """What is drawn: the pixels of the map, int (n, 3)."""
    image = Image.open(io.BytesIO(page.locator(".stage").screenshot())).convert("RGB")
    return np.asarray(image, np.int64).reshape(-1, 3)


def coloured(page: Page) -> int:
    """How many pixels of the map have one of the colours of groups."""
    pixels = colours(page)
    wanted = [[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in map_colours.BRIGHT]
    return sum(int((np.abs(pixels - each).max(axis=1) < 24).sum()) for each in wanted)


# -- without a browser ----------------------------------------------------------------------------------------------


@pytest.fixture
def mapped(made: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(made / "library"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return AppTest.from_string(SCRIPT, default_timeout=60)


def until_done(app: AppTest) -> AppTest:
    """Run the page until nothing is at work any more."""
    for _ in range(DRAWN_BY_NOW // 200):
        app.run()
        assert not app.exception
        if app.get("bidi_component") and component(app, "map")["legend"]:
            return app
        time.sleep(0.2)
    raise AssertionError("the map was never done")


def test_every_picture_is_on_the_map_and_every_group_has_a_line_of_the_legend(mapped: AppTest) -> None:
    until_done(mapped)
    assert f"{COUNT} pictures. Similar pictures are close together." in said(mapped)
    drawn = component(mapped, "map")
    assert sum(entry["count"] for entry in drawn["legend"]) == COUNT
    assert {name["name"] for name in drawn["names"]} <= {entry["name"] for entry in drawn["legend"]}
    assert drawn["land"] == ""


@pytest.mark.parametrize(("by", "expected"), [("year", {"2022", "2024", "undated"}), ("folder", {"other folders"})])
def test_the_address_says_what_the_colours_mean(mapped: AppTest, by: str, expected: set[str]) -> None:
    mapped.query_params["by"] = by
    until_done(mapped)
    assert expected & {entry["name"] for entry in component(mapped, "map")["legend"]}


@pytest.mark.parametrize("address", [{"by": "x", "tab": "moon", "space": "nowhere"}, {"by": "", "tab": "<b>"}])
def test_nonsense_in_the_address_is_the_usual_map(mapped: AppTest, address: dict[str, str]) -> None:
    for name, value in address.items():
        mapped.query_params[name] = value
    until_done(mapped)
    assert component(mapped, "map")["land"] == ""


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, other_space: str) -> Path:
    """A library of five pictures without a position, in two spaces."""
    folder = tmp_path_factory.mktemp("few")
    (folder / "photos").mkdir()
    for number in range(5):
        colour = (50 * number, 90, 200 - 40 * number)
        Image.new("RGB", (64, 48), colour).save(folder / "photos" / f"{number}.png")
    for space in (other_space, "demo"):
        indexing.add(folder / "library", folder / "photos", space)
    return folder / "library"


@pytest.fixture
def small(few: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(few))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return AppTest.from_string(SCRIPT, default_timeout=60)


def test_without_positions_the_earth_is_a_sentence(small: AppTest) -> None:
    small.query_params["tab"] = "earth"
    small.run()
    assert not small.exception
    assert "No picture has a location" in said(small)
    assert components(small) == ["live"]


def test_a_map_that_is_done_while_the_page_is_drawn_is_shown(small: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    until_done(small)
    known, waits, looks = Maps.newest, iter([False]), iter([None])
    monkeypatch.setattr(Job, "wait", lambda job, seconds: next(waits, True))
    monkeypatch.setattr(Maps, "newest", lambda self, space: next(looks, known(self, space)))
    small.run()
    assert not small.exception
    assert component(small, "map")["legend"]


def test_each_space_has_a_map_of_its_own(small: AppTest, few: Path) -> None:
    until_done(small)
    first = component(small, "map")["src"]
    spaces = small.selectbox(key="map_space")
    other = next(name for name in spaces.options if name != spaces.value)
    spaces.select(other).run()
    until_done(small)
    assert component(small, "map")["src"] != first
    assert small.query_params["space"] == other
    assert "5 pictures" in said(small)
    assert len(list((few / "maps").glob("space-*.map"))) == 2


def test_a_choice_becomes_a_search_for_its_pictures(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.session_state", state)
    with Library.open(made / "library") as library:
        searcher = Searcher(library, Encoders(offline=True))
        ids = library.catalog.matching(())[:4]
        places = np.array([[0, 0], [0.5, 0.5], [0.9, 0.1], [-0.5, 0]], np.float32)
        colouring = map_colours.by_cluster(np.array([0, 1, 1, 0], np.uint8), ["a", "b"], places)
        for given, rows in (
            ({"polygon": [[-0.1, -0.1], [0.6, -0.1], [0.6, 0.6], [-0.1, 0.6]]}, [0, 1]),
            ({"category": 1}, [1, 2]),
        ):
            view.choose_pictures(searcher, ids, places, colouring, given)
            name = state.pop("open_in_search")["q"].removeprefix("set:")
            kept = library.marks.set_ids(name)
            assert kept is not None
            assert kept.tolist() == ids[rows].tolist()
        wrong: Any
        for wrong in (None, "x", {}, {"category": "1"}, {"category": 9}, {"polygon": [[5, 5], [6, 5], [6, 6]]}):
            with pytest.raises(SightlineError):
                view.choose_pictures(searcher, ids, places, colouring, wrong)
        for wrong in (None, True, 0, -4, "7", 1.5):
            with pytest.raises(QueryError, match="no picture"):
                view.open_picture(wrong)


# -- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture
def shown(page: Page, layout: Layout) -> Page:
    """The page with the map, as it is when nothing is at work."""
    on_map(page, "/map")
    return page


@pytest.mark.browser
def test_points_are_drawn_in_the_colours_of_their_groups(shown: Page, layout: Layout) -> None:
    assert shown.locator(".stage").get_attribute("data-points") == str(COUNT)
    whole = coloured(shown)
    assert whole > COUNT * 8, "a point is some pixels"
    # Pointing at a line of the legend leaves the others pale.
    shown.locator(".entry").first.hover()
    shown.wait_for_timeout(200)
    assert coloured(shown) < whole / 2


@pytest.mark.browser
def test_pointing_at_a_picture_shows_it_and_a_click_opens_it(shown: Page, layout: Layout, searcher: Searcher) -> None:
    row = lonely(layout)
    id_ = int(layout.ids[row])
    name = searcher.library.catalog.photos([id_])[id_].display.rsplit("/", 1)[-1]
    x, y = place_of(shown, layout, tuple(layout.places[row].tolist()))
    shown.mouse.move(x, y)
    expect(shown.locator(".card .title")).to_have_text(name)
    expect(shown.locator(".card img")).to_have_js_property("complete", True)
    shown.mouse.click(x, y)
    shown.wait_for_url(f"**/?photo={id_}")
    expect(shown.get_by_role("dialog")).to_contain_text(name)


@pytest.mark.browser
def test_a_hostile_name_is_text(shown: Page, layout: Layout, searcher: Searcher) -> None:
    rows = searcher.library.catalog.photos(layout.ids.tolist())
    id_ = next(id_ for id_, photo in rows.items() if photo.display.endswith(HOSTILE))
    at = tuple(layout.places[layout.ids.tolist().index(id_)].tolist())
    # Into the middle of the map: at its lower edge a button would lie on it.
    shown.mouse.move(*place_of(shown, layout, at))
    shown.mouse.down()
    x, y = place_of(shown, layout, (0, 0))
    shown.mouse.move(x, y, steps=4)
    shown.mouse.up()
    image = shown.locator(f".pictures img[src*='/{id_}/']")
    for _ in range(30):  # until it is so near that it is a picture
        if image.count():
            break
        shown.mouse.wheel(0, -120)
        shown.wait_for_timeout(200)
    box = image.bounding_box()
    assert box is not None
    shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(shown.locator(".card .title")).to_have_text(HOSTILE)
    assert shown.locator(".card .title *").count() == 0


@pytest.mark.browser
def test_the_wheel_zooms_also_over_the_buttons(shown: Page) -> None:
    zoom = "JSON.parse(sessionStorage.getItem('sightline-map'))[3]"
    shown.get_by_role("button", name="Zoom in").click()
    for button in (shown.locator(".go"), shown.get_by_role("button", name="Zoom in")):
        button.hover()
        shown.wait_for_timeout(200)
        before = shown.evaluate(zoom)
        shown.mouse.wheel(0, -120)
        for _ in range(100):
            if shown.evaluate(zoom) > before * 1.1:
                break
            shown.wait_for_timeout(100)
        else:
            raise AssertionError("the wheel did not zoom")
    assert shown.evaluate("window.scrollY") == 0


@pytest.mark.browser
def test_a_line_around_pictures_opens_them_in_search(shown: Page, layout: Layout, searcher: Searcher) -> None:
    across = np.sort(layout.places[:, 0])
    middle = slice(len(across) // 4, 3 * len(across) // 4)
    gap = int(np.diff(across[middle]).argmax()) + middle.start
    edge, low = float(across[gap : gap + 2].mean()), -1.02
    up = view.reach_of(layout.places)[1] * 1.02
    polygon = [(low, -up), (edge, -up), (edge, up), (low, up)]
    shown.get_by_role("button", name="Draw around pictures").click()
    corners = [place_of(shown, layout, corner) for corner in polygon]
    shown.mouse.move(*corners[0])
    shown.mouse.down()
    for corner in (*corners[1:], corners[0]):
        shown.mouse.move(*corner, steps=4)
    shown.mouse.up()
    wanted = layout.ids[lasso.inside(polygon, layout.places)]
    assert (wanted == np.sort(layout.ids[layout.places[:, 0] < edge])).all()
    expect(shown.get_by_role("status").filter(has_text="chosen")).to_have_text(f"{len(wanted)} pictures chosen")
    shown.get_by_role("button", name=f"Open {len(wanted)} in Search").click()
    shown.wait_for_url("**/?q=set*")
    name = shown.url.rsplit("%3A", 1)[-1]
    kept = searcher.library.marks.set_ids(name)
    assert kept is not None
    assert kept.tolist() == wanted.tolist()
    expect(shown.get_by_text(f"{len(wanted)} pictures", exact=True)).to_be_visible()


@pytest.mark.browser
def test_all_can_be_done_by_keyboard(shown: Page, layout: Layout) -> None:
    focused = "() => { let at = document.activeElement; while (at?.shadowRoot) at = at.shadowRoot.activeElement;"
    for _ in range(40):
        shown.keyboard.press("Tab")
        if shown.evaluate(f"{focused} return at?.className === 'points' }}"):
            break
    else:
        raise AssertionError("the map can't be reached")
    for key in ("+", "+", "ArrowRight", "ArrowDown", "+"):
        shown.keyboard.press(key)
    expect(shown.locator(".go")).to_contain_text("in view")
    shown.keyboard.press("0")
    expect(shown.locator(".go")).to_have_count(0)
    for _ in range(20):
        shown.keyboard.press("Tab")
        if shown.evaluate(f"{focused} return at?.className === 'entry' }}"):
            break
    count = int((layout.clusters == 0).sum())
    shown.keyboard.press("Enter")
    shown.wait_for_url("**/?q=set*")
    expect(shown.get_by_text(f"{count} pictures", exact=True)).to_be_visible()


@pytest.mark.browser
def test_who_comes_back_finds_the_map_as_it_was_left(shown: Page, layout: Layout) -> None:
    for _ in range(4):
        shown.get_by_role("button", name="Zoom in").click()
    expect(shown.locator(".go")).to_contain_text("in view")
    shown.wait_for_timeout(300)
    told = shown.locator(".go").inner_text()
    shown.locator(".go").click()
    shown.wait_for_url("**/?q=set*")
    shown.go_back()
    expect(shown.locator(".stage[data-points]")).to_be_visible(timeout=DRAWN_BY_NOW)
    expect(shown.locator(".go")).to_have_text(told)


@pytest.mark.browser
def test_near_enough_points_become_pictures(shown: Page, layout: Layout) -> None:
    x, y = place_of(shown, layout, tuple(layout.places[lonely(layout)].tolist()))
    shown.mouse.move(x, y)
    for _ in range(8):
        shown.mouse.wheel(0, -240)
    expect(shown.locator(".pictures img").first).to_be_visible()
    box = shown.locator("canvas.points").bounding_box()
    assert box is not None
    shown.mouse.down()
    shown.mouse.move(x + 60, y + 10, steps=3)
    shown.mouse.up()
    assert "/map" in shown.url, "a drag opens nothing"


@pytest.mark.browser
def test_the_state_is_a_link(page: Page, layout: Layout) -> None:
    on_map(page, "/map?by=year&tab=earth")
    expect(page.locator(".entry").first).to_contain_text("20")
    expect(page.get_by_text("have a location")).to_be_visible()
    page.get_by_role("radio", name="Group").click()
    page.wait_for_url("**/map?tab=earth")
    page.get_by_role("radio", name="By content").click()
    page.wait_for_url("**/map")
    expect(page.locator(".names .name").first).to_be_attached()
    page.go_back()
    expect(page.get_by_text("have a location")).to_be_visible()
    page.go_forward()
    expect(page.get_by_text("close together")).to_be_visible()


@pytest.mark.browser
def test_the_earth_has_land_and_points_and_asks_nobody(page: Page, layout: Layout) -> None:
    on_map(page, "/map?tab=earth")
    page.wait_for_timeout(500)
    pixels = colours(page)
    land = (pixels == [0xE1, 0xE5, 0xE1]).all(axis=1).mean()
    sea = (pixels == [0xF3, 0xF5, 0xF5]).all(axis=1).mean()
    assert 0.12 < land < 0.5
    assert sea > 0.25
    assert coloured(page) > 30


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ["/map", "/map?tab=earth&by=folder"])
def test_nothing_is_inaccessible(chromium: Browser, url: str, layout: Layout, scheme: Any, address: str) -> None:
    with browser.visiting(chromium, url, color_scheme=scheme) as page:
        on_map(page, address)
        assert browser.violations(page) == []
        ground = np.median(colours(page), axis=0)
        assert (ground > 200).all() if scheme == "light" else (ground < 60).all()


@pytest.mark.browser
def test_it_fits_a_telephone_and_any_change_of_the_window(chromium: Browser, url: str, layout: Layout) -> None:
    with browser.visiting(chromium, url, viewport={"width": 375, "height": 800}, device_scale_factor=2) as page:
        on_map(page, "/map")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert coloured(page) > COUNT * 8
        page.set_viewport_size({"width": 900, "height": 700})
        page.wait_for_timeout(500)
        assert coloured(page) > COUNT * 8
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


NO_WEBGL = """const own = HTMLCanvasElement.prototype.getContext
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind.startsWith("webgl") ? null : own.call(this, kind, ...rest)
}"""


@pytest.mark.browser
def test_without_a_graphics_card_the_map_is_drawn_all_the_same(chromium: Browser, url: str, layout: Layout) -> None:
    with browser.visiting(chromium, url) as page:
        page.add_init_script(NO_WEBGL)
        on_map(page, "/map")
        assert coloured(page) > COUNT * 8
        page.get_by_role("button", name="Zoom in").click()
        expect(page.locator(".go")).to_contain_text("in view")


@pytest.mark.browser
def test_a_graphics_card_that_goes_and_comes_back_draws_again(shown: Page) -> None:
    before = coloured(shown)
    canvas = shown.locator("canvas.points")
    canvas.evaluate("(it) => { window.lost = it.getContext('webgl').getExtension('WEBGL_lose_context') }")
    shown.evaluate("lost.loseContext()")
    shown.wait_for_timeout(300)
    assert coloured(shown) < before / 2
    shown.evaluate("lost.restoreContext()")
    shown.wait_for_timeout(500)
    assert coloured(shown) > 0.9 * before


# -- routes ---------------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_routes_give_what_was_offered_and_nothing_else(shown: Page, layout: Layout, url: str) -> None:
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.reload()
    expect(shown.locator(".stage[data-points]")).to_be_visible(timeout=DRAWN_BY_NOW)
    get = shown.request.get
    source = next(address for address in asked if address.endswith(".bin"))
    answer = get(source)
    assert answer.ok
    assert len(answer.body()) == 16 + 13 * COUNT
    assert answer.headers["cache-control"].startswith("private")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert get(source, headers={"If-None-Match": answer.headers["etag"]}).status == 304
    for wrong in ("1-0.bin", "", "%2e%2e%2fland.bin", "picture/0", "picture/x", "picture/99999999", "land.bin/x"):
        assert get(f"/points/{wrong}").status == 404, wrong
    facts = get(f"/points/picture/{layout.ids[0]}").json()
    assert set(facts) == {"name", "hash", "date", "place"}
    assert get("/points/land.bin").ok
    assert get(source, headers={"Sec-Fetch-Site": "cross-site"}).status == 403
