"""What a search can be narrowed by: what a click does to the query, the counts beside the values, and the panel."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import browser
import indexing
import pytest
import serving
from browser import box
from hypothesis import given
from hypothesis import strategies as st
from pages import ALL, asked, component, names, said, tiles
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from streamlit.testing.v1 import AppTest

from search_ui.components.facets import Group
from search_ui.parts import page_state
from search_ui.parts.facet_panel import choose, choose_years, contents, is_off, is_on, toggle
from sightline.models.loaded import Encoders
from sightline.query.parser import parse, to_text
from sightline.query.types import Query
from sightline.searcher import Searcher
from store.library import Library
from store.tables.filters import Choice, Date, Ext, Favourite, Filter, Folder, Number, Tag, Text, casefolded

TEXTS = st.text("abAB ÄßÉ-_:,\"'()*1", min_size=1, max_size=6).filter(str.strip)
NAMES = st.lists(TEXTS, min_size=1, max_size=3).map(tuple)
NAMED: list[Any] = [Folder, Tag, partial(Text, "camera"), partial(Text, "lens")]
YEARS = st.integers(1900, 2100).map(str)


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    kind = draw(st.sampled_from(["named", "ext", "shape", "date", "favourite", "width"]))
    negated = draw(st.booleans())
    match kind:
        case "named":
            names = draw(NAMES)
            if any(not name.replace("/", " ").strip() for name in names):
                names = ("a",)
            made: Filter = draw(st.sampled_from(NAMED))(names, negated)
        case "ext":
            made = Ext(tuple(draw(st.lists(st.sampled_from(["jpg", "jpeg", "png", "tif"]), min_size=1))), negated)
        case "shape":
            made = Choice(
                "orientation", tuple(draw(st.lists(st.sampled_from(["landscape", "square"]), min_size=1))), negated
            )
        case "date":
            first, last = sorted([draw(YEARS), draw(YEARS)])
            made = Date(first, last, negated)
        case "favourite":
            made = Favourite(negated)
        case _:
            made = Number("width", draw(st.integers(0, 9)), None, negated)
    return made


QUERIES = st.lists(filters(), max_size=6).map(lambda given: Query(filters=tuple(given)))


@st.composite
def single(draw: st.DrawFn) -> Filter:
    """A filter as a click asks for it: not negated, with one name."""
    made = draw(filters())
    made = replace(made, negated=False)
    if isinstance(made, Choice | Ext | Folder | Tag | Text):
        return replace(made, names=made.names[:1])
    return made


def same(query: Query) -> list[tuple[str, bool, frozenset[str]]]:
    """What a query's filters ask for, whatever the order of filters and names, and however they are spelt."""

    def keys(each: Filter) -> frozenset[str]:
        if isinstance(each, Ext):
            return frozenset(name.replace("jpeg", "jpg") for name in each.names)
        given = getattr(each, "names", None)
        return frozenset({str(each)} if given is None else {casefolded(" ".join(n.split())).strip("/") for n in given})

    return sorted((each.key, each.negated, keys(each)) for each in query.filters)


@given(QUERIES, single())
def test_a_click_turns_what_is_chosen(query: Query, wanted: Filter) -> None:
    after = toggle(query, wanted)
    if is_off(query, wanted):
        assert not is_off(after, wanted)
    else:
        assert is_on(after, wanted) != is_on(query, wanted)
    others = [each for each in query.filters if each.key != wanted.key]
    assert [each for each in after.filters if each.key != wanted.key] == others
    assert parse(to_text(after)) == after


@given(QUERIES, single())
def test_two_clicks_give_the_same_query(query: Query, wanted: Filter) -> None:
    # As the panel itself writes queries: one filter for each fact, nothing left out.
    kept: dict[str, Filter] = {each.key: each for each in query.filters if not each.negated}
    query = Query(filters=tuple(kept.values()))
    if isinstance(wanted, Date | Number):  # these take the place of others
        query = Query(filters=tuple(each for each in query.filters if each == wanted or each.key != wanted.key))
    assert same(toggle(toggle(query, wanted), wanted)) == same(query)


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("boat", "camera:sony", "boat camera:sony"),
        ("boat camera:sony", "camera:canon", "boat camera:sony,canon"),
        ("boat camera:sony,canon", "camera:SONY", "boat camera:canon"),
        ("boat camera:sony", "camera:sony", "boat"),
        ("boat -camera:sony", "camera:sony", "boat"),
        ("boat -camera:sony,leica", "camera:sony", "boat -camera:leica"),
        ("ext:jpeg", "ext:jpg", ""),
        ("date:2019", "date:2020", "date:2020"),
        ("date:2019 -date:2019-06", "date:2019", "-date:2019-06"),
        ("favourite:no", "favourite:yes", "favourite:yes"),
        ("folder:trips/", "folder:trips", ""),
        ("tag:a tag:b", "tag:a", "tag:b"),
    ],
)
def test_what_a_click_makes_of_a_query(before: str, wanted: str, after: str) -> None:
    assert to_text(toggle(parse(before), parse(wanted).filters[0])) == after


@pytest.fixture(scope="module")
def known(made: Path) -> Iterator[Searcher]:
    """The library with some marks: on files of several kinds, folders and cameras."""
    with Library.open(made / "library") as library:
        ids = library.vectors.get(1).ids.tolist()
        library.marks.change(ids[:7], add=["holiday", "<b>bold</b> *"])
        library.marks.change(ids[5:9], add=["sea"])
        library.marks.favourite(ids[3:8], True)
        yield Searcher(library, Encoders(offline=True))


@pytest.mark.parametrize(
    "text", ["", "ext:jpg", "tag:holiday", "tag:sea favourite:yes", "orientation:landscape -tag:sea", "camera:a boat"]
)
def test_a_count_is_what_choosing_the_value_leaves(known: Searcher, text: str) -> None:
    query = parse(text)
    years, groups = contents(known.library, query)
    assert years["bars"]
    tested = 0
    counts = [(value["text"], value["count"]) for group in groups for value in group["values"] if not value["off"]]
    counts += [(str(text), count) for _, count, _, text in rows(groups)]
    for text, count in counts:
        wanted = parse(text).filters[0]
        others = tuple(each for each in query.filters if each.key != wanted.key or each.negated)
        alone = known.library.catalog.matching((*others, wanted))
        assert len(alone) == count, text
        tested += 1
    assert tested > 5
    for year, number in years["bars"]:
        others = tuple(each for each in query.filters if not isinstance(each, Date))
        assert len(known.library.catalog.matching((*others, Date(str(year), str(year))))) == number


def test_what_is_typed_half_can_be_taken_out(known: Searcher) -> None:
    camera = next(group for group in contents(known.library, Query())[1] if group["title"] == "Cameras")
    word = camera["values"][0]["label"].split()[0]
    groups = contents(known.library, parse(f"camera:{word.lower()} -tag:sea"))[1]
    cameras = next(group for group in groups if group["title"] == "Cameras")["values"]
    assert (cameras[0]["label"], cameras[0]["on"]) == (word.lower(), True)
    assert cameras[0]["count"] >= cameras[1]["count"]
    tags = next(group for group in groups if group["title"] == "Tags")["values"]
    assert [value["off"] for value in tags if value["label"] == "sea"] == [True]


def rows(groups: Sequence[Group]) -> list[tuple[str, int, int, str | None]]:
    """The folders that the panel is given."""
    trees = [group["tree"] for group in groups if "tree" in group]
    return [row for tree in trees for _, level in tree["levels"].values() for row in level]


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of pictures in folders of years and trips, and in one with many folders."""
    folder = tmp_path_factory.mktemp("trips")
    paths = [f"{year}/trip {number:02}" for year in (2019, 2020) for number in range(9)]
    paths += [f"many/{number:03}" for number in range(60)] + ["a/deep/way/down *"]
    for number, path in enumerate([*paths, "2020", "2020/trip 03", "many", "many"]):
        (folder / "photos" / path).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (number * 3, number, 90)).save(folder / "photos" / path / f"{number}.png")
    indexing.add(folder / "library", folder / "photos", "demo")
    return folder / "library"


@pytest.mark.parametrize("text", ["", "folder:photos/2020", "-folder:2019", "folder:deep", 'folder:"photos/many/059"'])
def test_folders_are_a_tree_that_shows_what_is_chosen_in_its_place(trips: Path, text: str) -> None:
    query = parse(text)
    with Library.open(trips) as library:
        group = next(group for group in contents(library, query)[1] if group["title"] == "Folders")
        tree = group["tree"]
        assert tree["open"][0] == "photos", "the first two levels are shown"
        for under, (total, level) in tree["levels"].items():
            assert len(level) <= total
            assert all(path.rpartition("/")[0] == under for path, *_ in level)
            assert [count for _, count, *_ in level] == sorted((count for _, count, *_ in level), reverse=True)
        for path in (*tree["on"], *tree["off"]):
            parent = path.rpartition("/")[0]
            assert parent in tree["open"]
            assert path in [row[0] for row in tree["levels"][parent][1]]
        given = [name for each in query.filters if isinstance(each, Folder) for name in each.names]
        seen = [*tree["on"], *tree["off"], *(value["label"] for value in group["values"])]
        assert sorted(seen) == sorted(given), "each folder of the query can be taken out"


def test_a_folder_with_many_in_it_costs_no_more(trips: Path) -> None:
    with Library.open(trips) as library:
        groups = contents(library, Query())[1]
        assert len(rows(groups)) <= 24
        total, level = next(group["tree"]["levels"]["photos"] for group in groups if "tree" in group)
        assert total == len(level) == 4
        many = next(row for row in level if row[0] == "photos/many")
        assert many[1:3] == (62, 60)


@pytest.fixture
def handling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session whose handlers can be called without a page."""

    class Session(dict[str, Any]):
        def from_dict(self, values: dict[str, str]) -> None:
            self.clear()
            self.update(values)

    monkeypatch.setattr("streamlit.session_state", {})
    monkeypatch.setattr("streamlit.query_params", Session())


@pytest.mark.usefixtures("handling")
def test_values_that_are_pressed_within_a_moment_all_count() -> None:
    page_state.set_query("boat camera:sony")
    choose([("camera:canon", True)])
    choose([("camera:canon", True), ("camera:sony", False), ("favourite:yes", True)])
    assert page_state.text() == "boat camera:canon favourite:yes"


@pytest.mark.usefixtures("handling")
def test_years_take_the_place_of_years() -> None:
    page_state.set_query("boat -date:2020-06")
    choose_years([2019, 2021])
    assert page_state.text() == "boat -date:2020-06 date:2019..2021"
    choose_years([2020, 2020])
    assert page_state.text() == "boat -date:2020-06 date:2020"
    choose_years([])
    assert page_state.text() == "boat -date:2020-06"


def test_the_panel_opens_and_closes(app: AppTest) -> None:
    asked(app, ALL)
    filters = next(button for button in app.button if button.label == "Filters")
    assert not [each for each in app.get("bidi_component") if each.proto.component_name == "sightline_facets"]
    filters.click().run()
    data = component(app, "facets")
    assert sum(number for _, number in data["years"]["bars"])
    assert {"Folders", "Cameras", "Formats", "Orientation"} <= {group["title"] for group in data["groups"]}
    next(button for button in app.button if button.label == "Filters").click().run()
    assert not [each for each in app.get("bidi_component") if each.proto.component_name == "sightline_facets"]


def test_a_set_that_is_gone_is_one_sentence_in_the_panel_too(app: AppTest) -> None:
    app.session_state["filters_open"] = True
    asked(app, "set:0123456789ab")
    assert "There is no selection" in said(app)


# -- in a browser ---------------------------------------------------------------------------------------------------


def value(page: Page, label: str) -> Locator:
    return page.locator(".value", has=page.locator(".label", has_text=re.compile(rf"^(✓ )?{re.escape(label)}$")))


@pytest.mark.browser
def test_a_year_and_a_camera_narrow_the_search_and_back_widens_it(page: Page, searcher: Searcher) -> None:
    years, groups = contents(searcher.library, Query())
    (first, _), (second, _) = years["bars"][:2]
    camera = next(group for group in groups if group["title"] == "Cameras")["values"][0]
    page.goto(f"/?q={ALL}")
    tiles(page, names(searcher, ALL))
    page.locator(".tile").first.evaluate("tile => { tile.mark = true }")
    page.get_by_role("button", name="Filters").click()
    bar = page.get_by_role("button", name=re.compile(rf"^{first}, "))
    bar.click()
    wanted = to_text(toggle(parse(ALL), Date(str(first), str(first))))
    expect(box(page)).to_have_value(wanted)
    expect(bar).to_have_attribute("aria-pressed", "true")
    tiles(page, names(searcher, wanted))
    value(page, camera["label"]).click()
    narrower = to_text(toggle(parse(wanted), parse(camera["text"]).filters[0]))
    expect(box(page)).to_have_value(narrower)
    tiles(page, names(searcher, narrower))
    page.go_back()
    expect(box(page)).to_have_value(wanted)
    expect(value(page, camera["label"])).to_have_attribute("aria-pressed", "false")
    tiles(page, names(searcher, wanted))
    # From one year to the next, as a hand does that.
    here, there = bar.bounding_box(), page.get_by_role("button", name=re.compile(rf"^{second}, ")).bounding_box()
    assert here and there
    page.mouse.move(here["x"] + 5, here["y"] + 40)
    page.mouse.down()
    page.mouse.move(there["x"] + 5, there["y"] + 40, steps=4)
    page.mouse.up()
    both = to_text(toggle(parse(ALL), Date(str(first), str(second))))
    expect(box(page)).to_have_value(both)
    tiles(page, names(searcher, both))


@pytest.mark.browser
def test_the_panel_by_keyboard(page: Page) -> None:
    page.goto("/?q=boat")
    page.get_by_role("button", name="Filters").focus()
    page.keyboard.press("Enter")
    last = page.locator(".bar").last
    expect(last).to_be_visible()
    page.locator(".bar[tabindex='0']").focus()
    page.keyboard.press("End")
    expect(last).to_be_focused()
    page.keyboard.press("Enter")
    expect(last).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".bar").last).to_be_focused()
    year = last.get_attribute("data-year")
    expect(box(page)).to_have_value(f"boat date:{year}")
    page.keyboard.press("Enter")
    expect(box(page)).to_have_value("boat")
    expect(last).to_have_attribute("aria-pressed", "false")
    page.locator(".value").first.focus()
    text = page.locator(".value").first.get_attribute("data-text")
    page.keyboard.press("Space")
    expect(box(page)).to_have_value(f"boat {text}")
    expect(page.locator(".value").first).to_be_focused()


@pytest.mark.browser
def test_two_values_within_a_moment_both_count(page: Page) -> None:
    page.goto("/?q=boat")
    page.get_by_role("button", name="Filters").click()
    values = page.locator(".group", has=page.locator(".title", has_text="Cameras")).locator(".value")
    expect(values.nth(1)).to_be_visible()
    labels = values.locator(".label").all_inner_texts()[:2]
    values.evaluate_all("all => all.slice(0, 2).forEach(one => one.click())")
    expect(page.locator(".value[aria-pressed=true] .label")).to_have_count(2)
    for label in labels:
        expect(box(page)).to_have_value(re.compile(re.escape(label)))


@pytest.mark.browser
def test_on_a_phone_the_panel_is_a_sheet_that_keeps_the_focus_until_it_is_closed(chromium: Browser, url: str) -> None:
    options: dict[str, Any] = {"viewport": {"width": 375, "height": 700}, "has_touch": True, "is_mobile": True}
    with browser.visiting(chromium, url, **options) as page:
        page.goto("/?q=boat")
        page.get_by_role("button", name="Filters").tap()
        sheet = page.get_by_role("dialog", name="Filters")
        expect(sheet.get_by_role("button", name="Close the filters")).to_be_focused()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        frame = page.locator("[data-testid=stLayoutWrapper]:has(> .st-key-beside)")
        assert frame.bounding_box() == {"x": 0, "y": 0, "width": 375, "height": 700}
        assert frame.evaluate("each => each.scrollHeight > each.clientHeight")
        assert page.locator(".stMain").evaluate("each => getComputedStyle(each).overflowY") == "hidden"
        page.keyboard.press("Shift+Tab")
        expect(sheet.get_by_role("button", name="Show pictures")).to_be_focused()
        page.keyboard.press("Tab")
        expect(sheet.get_by_role("button", name="Close the filters")).to_be_focused()
        small = sheet.locator("button, [role=treeitem]").evaluate_all(
            "all => all.filter(each => !each.matches('.bar') && each.getBoundingClientRect().height < 40).length"
        )
        assert small == 0, "a finger needs 40 pixels"
        chosen = page.locator(".value").first
        text = chosen.get_attribute("data-text")
        chosen.tap()
        expect(box(page)).to_have_value(f"boat {text}")
        page.keyboard.press("Escape")
        expect(page.locator(".facets")).to_have_count(0)
        expect(page.locator(".tile").first).to_be_in_viewport()
        page.get_by_role("button", name="Filters").tap()
        sheet.get_by_role("button", name="Show pictures").tap()
        expect(page.locator(".facets")).to_have_count(0)


@pytest.mark.browser
def test_folders_open_by_click_and_by_key_and_stay_in_their_place(
    chromium: Browser, trips: Path, tmp_path: Path
) -> None:  # fmt: skip
    with serving.running(trips, tmp_path / "log.txt") as url, browser.visiting(chromium, url) as page:
        page.goto("/")
        page.get_by_role("button", name="Filters").click()
        items = page.get_by_role("treeitem")
        expect(items).to_have_count(5)
        page.get_by_role("button", name="Show the folders in many").click()
        expect(items).to_have_count(5 + 51)
        page.locator("[data-path='photos/many/']").click()
        expect(items).to_have_count(5 + 60)
        page.get_by_role("button", name="Hide the folders in many").click()
        expect(items).to_have_count(5)
        page.locator("[data-path='photos']").focus()
        page.keyboard.press("ArrowRight")
        expect(items.nth(1)).to_be_focused()
        page.keyboard.press("End")
        page.keyboard.press("Home")
        page.locator("[data-path='photos/2020']").focus()
        page.keyboard.press("ArrowRight")
        trip = page.locator("[data-path='photos/2020/trip 08']")
        expect(trip).to_be_visible()
        before = items.evaluate_all("all => all.map(each => each.dataset.path)")
        page.keyboard.press("ArrowRight")
        first = items.nth(before.index("photos/2020") + 1)
        expect(first).to_be_focused()
        trip.focus()
        page.keyboard.press("Enter")
        expect(box(page)).to_have_value('folder:"photos/2020/trip 08"')
        expect(trip).to_have_attribute("aria-selected", "true")
        expect(trip).to_be_focused()
        assert items.evaluate_all("all => all.map(each => each.dataset.path)") == before
        expect(page.locator(".tile")).to_have_count(1)
        page.keyboard.press("ArrowLeft")
        expect(page.locator("[data-path='photos/2020']")).to_be_focused()
        page.keyboard.press("ArrowLeft")
        expect(trip).to_have_count(0)
        # Numbers of what was opened follow the filters on other facts.
        page.locator("[data-path='photos/2019']").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("[data-path='photos/2019/trip 00'] .count")).to_have_text("1")
        browser.search(page, "favourite:yes")
        expect(items).to_have_count(0)


@pytest.mark.browser
def test_names_of_others_are_text(chromium: Browser, made: Path, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)> 'a' *b*"
    shutil.copytree(made / "library", tmp_path / "library")
    with Library.open(tmp_path / "library") as library:
        library.marks.change(library.vectors.get(1).ids[:2].tolist(), add=[hostile])
    with serving.running(tmp_path / "library", tmp_path / "log.txt") as url, browser.visiting(chromium, url) as page:
        page.goto("/")
        page.get_by_role("button", name="Filters").click()
        value(page, hostile).click()
        expect(value(page, hostile)).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".tile")).to_have_count(2)
        assert page.locator("img[onerror]").count() == 0
        value(page, hostile).click()
        expect(box(page)).to_have_value("")
