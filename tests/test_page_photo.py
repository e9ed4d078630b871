"""The dialog of one picture, without a browser and with one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import as_nobody
from pages import BOATS, HOSTILE_NAME, buttons, chips, first_id, less, more, names, opened, parts, said, tiles
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from search_ui.language import parse
from search_ui.searcher import Searcher
from store.library import Library


def test_the_dialog_tells_each_terms_part(app: AppTest, searcher: Searcher) -> None:
    text = "red boat -snow"
    hit = searcher.search(parse(text)).hits[0]
    app.query_params["q"] = text
    opened(app, hit.photo.content_id)
    for part in hit.parts:
        assert f"{part.term}{part.cosine:.3f}{part.score:+.2f}" in said(app)
    assert f"Together{hit.score:.2f}" in said(app)


def test_more_and_less_like_this_in_the_dialog_change_the_text(app: AppTest, searcher: Searcher) -> None:
    id_ = first_id(searcher, "boat")
    app.query_params["q"] = "boat"
    opened(app, id_)
    next(button for button in app.button if button.label == "Less like this").click().run()
    assert app.text_input(key="q").value == less("boat", id_)
    opened(app, id_)
    assert "No longer less like this" in buttons(app)
    next(button for button in app.button if button.label == "More like this").click().run()
    assert app.text_input(key="q").value == more("boat", id_)
    opened(app, id_)
    next(button for button in app.button if button.label == "No longer more like this").click().run()
    assert app.text_input(key="q").value == "boat"


def test_near_duplicates_are_listed_and_can_be_shown_apart(app: AppTest, searcher: Searcher) -> None:
    hit = next(hit for hit in searcher.search(parse(BOATS)).hits if hit.folded)
    app.query_params["q"] = BOATS
    opened(app, hit.photo.content_id)
    drawn = [json.loads(element.proto.json) for element in app.get("bidi_component")]
    small = next(data for data in drawn if data.get("small"))
    assert [tile["id"] for tile in small["sections"][0]["tiles"]] == list(hit.folded)
    next(button for button in app.button if button.label == "Show them apart").click().run()
    assert app.text_input(key="q").value == f"{BOATS} dedup:off"


@pytest.mark.browser
def test_the_dialog_tells_the_facts_and_leads_on(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=windmill")
    shown = names(searcher, "windmill")
    tiles(page, shown)
    page.locator(".tile .open").nth(1).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("code")).to_contain_text(shown[1])
    expect(dialog.get_by_text("px, JPEG")).to_be_visible()
    expect(dialog.locator("img")).to_be_visible()
    row = dialog.get_by_role("row", name="windmill")
    expect(row).to_contain_text(page.locator(".tile .score").nth(1).inner_text())
    dialog.get_by_role("button", name="More like this").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    id_ = searcher.search(parse("windmill")).hits[1].photo.content_id
    chips(page, parts(more("windmill", id_)))


@pytest.mark.browser
def test_a_near_duplicate_opens_from_the_dialog_of_the_one_it_is_folded_into(page: Page, searcher: Searcher) -> None:
    page.goto(f"/?q={BOATS}")
    tiles(page, names(searcher, BOATS))
    page.locator(".tile", has=page.locator(".badge", has_text="+1")).first.locator(".open").click()
    small = page.get_by_role("dialog").locator(".tile")
    expect(small).to_have_count(1)
    expect(small.locator(".like")).to_have_count(0)
    name = small.locator(".name").inner_text()
    small.locator(".open").click()
    expect(page.get_by_role("dialog").locator("code")).to_contain_text(name)
    expect(page.get_by_role("dialog").locator(".tile")).to_have_count(0)


@pytest.mark.browser
def test_favourites_and_tags_outlive_a_reload_and_can_be_searched(page: Page, searcher: Searcher) -> None:
    marks = searcher.library.marks
    page.goto("/?q=windmill")
    shown = names(searcher, "windmill")
    tiles(page, shown)
    page.locator(".tile .open").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Favourite", exact=True).click()
    for tag in ("Holland", HOSTILE_NAME):
        dialog.get_by_label("Tags", exact=False).first.fill(tag)
        page.keyboard.press("Enter")
        expect(dialog.locator(".react-aria-ComboBox [data-tag]", has_text=tag)).to_be_visible()
    page.keyboard.press("Escape")  # leaves the list of tags
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator(".tile").first.locator(".star")).to_be_visible()
    id_ = first_id(searcher, "windmill")
    assert marks.tags_of([id_]) == {id_: (HOSTILE_NAME, "Holland")}
    page.goto("/?q=favourite:yes+tag:holland")
    tiles(page, [shown[0]])
    page.locator(".tile .open").first.click()
    expect(dialog.get_by_role("switch", name="Favourite")).to_be_checked()
    expect(dialog.locator(".react-aria-ComboBox [data-tag]")).to_have_count(2)
    dialog.locator(".react-aria-ComboBox [data-tag]", has_text=HOSTILE_NAME).locator("button").click()
    expect(dialog.locator(".react-aria-ComboBox [data-tag]")).to_have_count(1)
    dialog.get_by_text("Favourite", exact=True).click()
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_text("No picture passes the filters")).to_be_visible()
    assert marks.tags_of([id_]) == {id_: ("Holland",)}
    assert marks.favourites_of([id_]) == set()
    marks.change([id_], remove=["Holland"])


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
