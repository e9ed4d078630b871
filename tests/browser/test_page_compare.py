"""The page that compares two spaces: its logic without a browser, and what a person sees and does with a real one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import indexing
import models
import pytest
from pages import HOSTILE, HOSTILE_NAME, component, components, said
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from indexer.demo.pictures import write_pictures
from search_ui.runtime.services import services
from search_ui.views.compare import LIMIT
from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.rank_overlap import changes, formatted_change, jaccard, rank_biased_overlap
from sightline.searcher import Searcher
from store.library import Library

SCRIPT = "from search_ui.views import compare\ncompare.page()"
QUERY = "two red boats"
OTHER, BLIND = "other", "blind"  # names of spaces: untrained, and without words


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos/` and their `library/`, in three spaces; more pictures than are compared."""
    folder = tmp_path_factory.mktemp("page-compare")
    photos = folder / "photos"
    write_pictures(photos, LIMIT + 5, 2, (160, 120))
    Image.linear_gradient("L").resize((160, 120)).convert("RGB").save(photos / HOSTILE)
    indexing.add(folder / "library", photos, models.picture_only(folder / BLIND))
    indexing.add(folder / "library", photos, models.clip_like(folder / OTHER))
    indexing.add(folder / "library", photos, "demo")
    return folder


@pytest.fixture(scope="module")
def searcher(made: Path) -> Iterator[Searcher]:
    with Library.open(made / "library") as library:
        yield Searcher(library, Encoders(offline=True))


@pytest.fixture
def app(made: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(made / "library"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return AppTest.from_string(SCRIPT, default_timeout=60)


def at(app: AppTest, **address: str) -> AppTest:
    app.query_params.update(address)
    app.run()
    assert not app.exception
    return app


def sides(app: AppTest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = component(app, "ranks")["sides"]
    return found


def ids(searcher: Searcher, space: str, text: str = QUERY) -> list[int]:
    hits = searcher.search(parse(f"{text} space:{space} dedup:off"), limit=LIMIT).hits
    return [hit.photo.content_id for hit in hits]


# -- its logic ------------------------------------------------------------------------------------------------------


def test_each_side_has_the_hits_of_its_space_with_what_became_of_their_ranks(app: AppTest, searcher: Searcher) -> None:
    left, right = sides(at(app, q=QUERY, a="demo", b=OTHER))
    mine, theirs = ids(searcher, "demo"), ids(searcher, OTHER)
    for side, own, other in ((left, mine, theirs), (right, theirs, mine)):
        assert [tile["id"] for tile in side["tiles"]] == own
        assert [tile["rank"] for tile in side["tiles"]] == list(range(1, LIMIT + 1))
        assert [tile["change"] for tile in side["tiles"]] == [
            formatted_change(change) for change in changes(own, other)
        ]
        assert re.fullmatch(r"\d+ match(es)?", side["about"])
        assert not side["problem"]
    assert {tile["way"] for tile in left["tiles"]} >= {"up", "down", "new"}
    common = len(set(mine[:10]) & set(theirs[:10]))
    assert f"Of the first 10, **{common}** are on both sides" in app.markdown[0].value
    measures = said(app)
    for depth in (10, LIMIT):
        assert f"{jaccard(mine, theirs, depth):.2f} of the first {depth}" in measures
    assert f"Rank-biased overlap: {rank_biased_overlap(mine, theirs):.2f}." in measures


def test_a_space_beside_itself_agrees_with_itself(app: AppTest) -> None:
    left, right = sides(at(app, q=QUERY, a="demo", b="demo"))
    assert left["tiles"] == right["tiles"]
    assert {tile["change"] for tile in left["tiles"]} == {"="}
    assert "Rank-biased overlap: 1.00." in said(app)


def test_the_space_that_searches_use_is_on_the_left_unless_the_address_says_otherwise(app: AppTest) -> None:
    at(app)
    assert [box.value for box in app.selectbox] == ["demo", OTHER]
    assert app.selectbox[0].options == [BLIND, OTHER, "demo"]
    assert "Search for something" in said(app)
    at(app, a="nonsense", b=BLIND)
    assert [box.value for box in app.selectbox] == ["demo", BLIND]


def test_a_space_without_words_says_why_and_compares_pictures(app: AppTest, searcher: Searcher) -> None:
    left, right = sides(at(app, q=QUERY, a="demo", b=BLIND))
    assert left["tiles"]
    assert not right["tiles"]
    assert BLIND in right["problem"]
    assert not app.markdown
    picture = ids(searcher, "demo")[0]
    left, right = sides(at(app, q=f"like:{picture}"))
    assert left["tiles"][0]["id"] == right["tiles"][0]["id"] == picture
    assert "Jaccard" in said(app)


def test_what_can_not_be_compared_is_said(app: AppTest) -> None:
    assert "There is nothing to compare" in said(at(app, q="width:>=1"))
    assert components(app) == ["live"]
    at(app, q='"boats')
    assert components(app) == ["live"]
    assert said(app)
    assert "There is no picture 99999" in " ".join(side["problem"] for side in sides(at(app, q="like:99999")))


def test_a_query_that_names_a_space_is_asked_in_both(app: AppTest, searcher: Searcher) -> None:
    left, right = sides(at(app, q=f"{QUERY} space:{OTHER}", a="demo", b=OTHER))
    assert [tile["id"] for tile in left["tiles"]] == ids(searcher, "demo")
    assert [tile["id"] for tile in right["tiles"]] == ids(searcher, OTHER)


def test_with_one_space_the_page_says_the_command_that_makes_another(
    app: AppTest, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "some photos"
    photos.mkdir()
    shutil.copy(next((made / "photos").rglob("*.jpg")), photos)
    indexing.add(tmp_path / "library", photos, "demo")
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "library"))
    at(app, q=QUERY)
    assert "This library has one model, demo. Compare needs a second one." in said(app)
    command = "python -m indexer '{}' --space {} --library {}"
    assert app.code[0].value == command.format(photos, "light", tmp_path / "library")
    assert not app.button
    app.selectbox[0].select("english").run()
    assert app.code[0].value == command.format(photos, "english", tmp_path / "library")


def test_with_one_model_a_button_indexes_a_second_one_where_the_server_may(
    app: AppTest, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(next((made / "photos").rglob("*.jpg")), photos)
    indexing.add(tmp_path / "library", photos, "demo")
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setattr(services(), "manages", True)
    at(app).selectbox[0].select("english")
    app.button[0].click().run()
    assert app.button[0].disabled, "a second run can't be started beside it"
    run = services().runner.run
    assert run is not None and run.places == (photos,)
    # The server is offline, and no model was ever downloaded here: the run fails, and the page says why.
    assert services().runner.wait(120)
    at(app)
    assert "It failed." in said(app) and "english" in said(app)
    assert not app.button[0].disabled


# -- in a browser ---------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_a_comparison_is_a_link_and_back_takes_each_step_back(page: Page, searcher: Searcher) -> None:
    page.goto("/compare")
    box = page.locator(".st-key-compare_q input")
    box.fill(QUERY)
    box.press("Enter")
    first = page.locator(".side").first.locator(".tile").first
    expect(first).to_have_attribute("data-id", str(ids(searcher, "demo")[0]))
    expect(page).to_have_url(re.compile(r"/compare\?q=two\+red\+boats&a=demo&b=other$"))
    box.fill("a lighthouse")
    box.press("Enter")
    expect(first).to_have_attribute("data-id", str(ids(searcher, "demo", "a lighthouse")[0]))
    page.reload()
    expect(first).to_have_attribute("data-id", str(ids(searcher, "demo", "a lighthouse")[0]))
    page.go_back()
    expect(box).to_have_value(QUERY)
    expect(first).to_have_attribute("data-id", str(ids(searcher, "demo")[0]))


@pytest.mark.browser
def test_the_same_picture_is_marked_on_the_other_side_by_mouse_and_by_keyboard(page: Page, searcher: Searcher) -> None:
    both = [id_ for id_ in ids(searcher, "demo") if id_ in ids(searcher, OTHER)]
    page.goto(f"/compare?q={QUERY}&a=demo&b={OTHER}")
    left, right = page.locator(".side").first, page.locator(".side").last
    left.locator(f'[data-id="{both[0]}"]').hover()
    expect(right.locator(".marked")).to_have_attribute("data-id", str(both[0]))
    page.mouse.move(0, 0)
    expect(page.locator(".marked")).to_have_count(0)
    right.locator(f'[data-id="{both[1]}"]').focus()
    expect(left.locator(".marked")).to_have_attribute("data-id", str(both[1]))
    page.keyboard.press("Enter")
    expect(browser.box(page)).to_have_value(f"like:{both[1]}")


@pytest.mark.browser
def test_another_space_is_chosen_by_keyboard(page: Page) -> None:
    page.goto(f"/compare?q={QUERY}&a=demo&b={OTHER}")
    expect(page.locator(".tile")).to_have_count(2 * LIMIT)
    picker = page.locator(".st-key-compare_b input")
    picker.focus()
    picker.fill("demo")
    picker.press("Enter")
    expect(page.locator(".side h2")).to_have_text(["demo", "demo"])
    expect(page).to_have_url(re.compile("a=demo&b=demo$"))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_use_it(chromium: Browser, url: str, scheme: Any) -> None:
    with browser.visiting(chromium, url, color_scheme=scheme) as page:
        page.goto(f"/compare?q={QUERY}&a=demo&b={OTHER}")
        expect(page.locator(".tile")).to_have_count(2 * LIMIT)
        page.locator(".tile").first.focus()
        assert browser.violations(page) == []
        page.goto(f"/compare?q={QUERY}&a=demo&b={BLIND}")
        expect(page.locator(".problem")).to_be_visible()
        assert browser.violations(page) == []


@pytest.mark.browser
def test_it_fits_a_phone_and_hostile_texts_are_text(chromium: Browser, url: str, searcher: Searcher) -> None:
    found = searcher.search(parse("a dedup:off"), limit=LIMIT + 20).hits
    hostile = next(hit.photo.content_id for hit in found if hit.photo.display.endswith(HOSTILE))
    with browser.visiting(chromium, url, viewport={"width": 375, "height": 800}) as page:
        page.goto(f"/compare?q=like:{hostile}&a=demo&b={OTHER}")
        expect(page.locator(f'.tile[title="{HOSTILE}"]').first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        box = page.locator(".st-key-compare_q input")
        box.fill(HOSTILE_NAME.replace("[", "").replace("]", ""))
        box.press("Enter")
        expect(page.locator(".tile").first).to_be_visible()
