"""The page that searches: its logic without a browser, and what a person sees and does with a real one."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
import serving
from browser import box, search, violations
from pages import (
    ALL,
    APP,
    BOATS,
    COUNT,
    FIRST,
    HOSTILE_NAME,
    NOTHING,
    asked,
    buttons,
    chips,
    component,
    first_id,
    grid,
    more,
    names,
    parts,
    query_box,
    said,
    sections,
    tiles,
)
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from search_ui.parts import page_state
from search_ui.runtime.services import services
from sightline.query.parser import parse
from sightline.query.types import QueryError
from sightline.searcher import Searcher
from store.library import Library
from store.lock import locked
from store.tables.writer import File, Indexed, SpaceIdentity, Writer


def test_the_page_shows_what_was_indexed_last_before_anything_is_asked(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert "Indexed last" in said(app)
    assert f"{COUNT} pictures · model demo" in said(app)
    assert buttons(app) == ["Filters", "1 file could not be read", "Show more"]
    assert len(sections(app)[0][1]) == FIRST


@pytest.mark.parametrize(
    "text",
    [
        BOATS,
        "boat -red",
        "cat OR windmill",
        '"red boat"^2 snow date:2019..',
        f"{ALL} sort:name",
        "dog sort:date",
        NOTHING,
    ],
)
def test_the_page_finds_what_the_searcher_finds_in_the_same_order(app: AppTest, searcher: Searcher, text: str) -> None:
    shown = sections(asked(app, text))
    open_ = [name for title, section in shown for name in section if "Less similar" not in title]
    assert open_ == names(searcher, text)
    hits = searcher.search(parse(text), limit=FIRST).hits
    assert [name for _, section in shown for name in section] == [hit.photo.display.rsplit("/", 1)[-1] for hit in hits]


def test_hits_come_in_sections_and_what_is_below_the_line_is_folded(app: AppTest, searcher: Searcher) -> None:
    result = searcher.search(parse("lighthouse"))
    assert result.strong
    shown = sections(asked(app, "lighthouse"))
    wanted = ["Matches"] if not result.maybe else ["Matches", "Possible matches"]
    rest = COUNT - result.strong - result.maybe
    assert [title for title, _ in shown] == [*wanted, f"Less similar ({rest})"]
    assert f"{result.strong} match" in said(app)
    help_ = next(caption.help for caption in app.caption if "match" in caption.value)
    assert f"Of {COUNT} pictures, in" in help_
    assert "ms, with the model demo." in help_
    assert "Show more" not in buttons(app), "more of what is folded away says nothing"


def test_the_page_tells_quietly_what_models_can_not_do(app: AppTest) -> None:
    assert "Counts are unreliable" in said(asked(app, "three boats"))
    assert "Counts are unreliable" not in said(asked(app, "a red boat"))


def test_where_nothing_matches_the_page_says_so_and_shows_the_closest(app: AppTest) -> None:
    asked(app, NOTHING)
    assert "No clear match. Closest pictures:" in said(app)
    assert [(title, len(names)) for title, names in sections(app)] == [("", FIRST)]
    assert "Show more" in buttons(app)


def test_filters_that_no_picture_matches_can_be_cleared(app: AppTest) -> None:
    asked(app, "boat date:1950 -ext:png")
    assert "No pictures match these filters." in said(app)
    next(button for button in app.button if button.label == "Clear filters").click().run()
    assert query_box(app).value == "boat"
    assert sections(app)


def test_filters_alone_are_a_search(app: AppTest) -> None:
    asked(app, "orientation:portrait")
    assert "1 picture" in [caption.value for caption in app.caption]
    assert sections(app) == [("", ["strip.jpg"])]


def test_chips_say_what_was_understood(app: AppTest, searcher: Searcher) -> None:
    id_ = first_id(searcher, "cat")
    chips = component(asked(app, f"red boat -people like:{id_} date:2023 sort:date"), "query_chips")["chips"]
    assert [chip["label"] for chip in chips] == ["red boat", "-people", f"like:{id_}", "date:2023", "sort:date"]
    assert [chip["kind"] for chip in chips] == ["wanted", "without", "wanted", "fact", "fact"]
    assert [len(chip["pictures"]) for chip in chips] == [0, 0, 1, 0, 0]
    assert "taken in 2023" in chips[3]["meaning"]


def test_an_unknown_picture_is_one_sentence(app: AppTest) -> None:
    asked(app, f"like:{10**12}")
    assert "There is no picture 1000000000000" in said(app)
    assert component(app, "query_chips")["chips"][0]["pictures"] == []


def test_a_dropped_picture_that_is_gone_is_one_sentence(app: AppTest) -> None:
    asked(app, "boat picture:0123abc")
    assert "is not here any more" in said(app)
    assert component(app, "query_chips")["chips"][1]["label"] == "your picture"


def test_a_space_that_is_not_there_is_one_sentence(app: AppTest) -> None:
    for text in ("boat space:nowhere", "space:nowhere"):
        asked(app, text)
        assert "The library has no model 'nowhere'; it has demo." in said(app)


def test_an_address_says_what_to_search_for(app: AppTest) -> None:
    asked(app, "snow")
    assert query_box(app).value == "snow"


@pytest.mark.parametrize("photo", ["-1", "0", "x", "1e9", "٣", "9" * 40, "'; drop table photos", ""])
def test_nonsense_in_the_url_opens_nothing(app: AppTest, photo: str) -> None:
    app.query_params["photo"] = photo
    app.run()
    assert not app.exception
    assert "Indexed last" in said(app)
    assert app.session_state["photo"] is None


@pytest.mark.parametrize(
    ("text", "word", "corrected"),
    [
        ("red boat camra:sony", "camra:", "red boat camera:sony"),
        ("boat orientation:landscap", "landscap", "boat orientation:landscape"),
        ("boat date:2023-6-1 snow", "2023-6-1", "boat date:2023-06-01 snow"),
    ],
)
def test_a_mistake_is_marked_and_the_suggestion_puts_it_right(
    app: AppTest, text: str, word: str, corrected: str
) -> None:
    asked(app, text)
    assert f"<mark>{word}</mark>" in "".join(element.proto.body for element in app.get("html"))
    app.button(key="suggestion").click().run()
    assert query_box(app).value == corrected
    assert app.query_params["q"] in (corrected, [corrected])
    assert "<mark>" not in "".join(element.proto.body for element in app.get("html"))


def test_a_mistake_without_a_suggestion_offers_none(app: AppTest) -> None:
    asked(app, 'boat "two')
    assert "not closed" in said(app)
    assert "<mark>&quot;</mark>" in "".join(element.proto.body for element in app.get("html"))
    assert not any(label.startswith("Change it") for label in buttons(app))


def test_what_was_typed_is_never_markup(app: AppTest) -> None:
    typed = '<img src=x onerror=alert(1)> **b** [l](http://c.example) wdith:"<b>1</b>"'
    asked(app, typed)
    html = "".join(element.proto.body for element in app.get("html"))
    assert "<img" not in html
    assert "&lt;img src=x" in html
    with pytest.raises(QueryError):
        parse(typed)


def test_more_grows_and_a_new_query_starts_small(app: AppTest) -> None:
    asked(app, ALL)
    assert len(sections(app)[0][1]) == FIRST
    next(button for button in app.button if button.label == "Show more").click().run()
    assert len(sections(app)[0][1]) == COUNT
    assert "Show more" not in buttons(app)
    query_box(app).set_value(f"{ALL} height:>=1").run()
    assert len(sections(app)[0][1]) == FIRST


@pytest.mark.parametrize("text", ["word " * 300, "x" * 3000, "x " * 9000])
def test_a_text_too_long_is_one_sentence(app: AppTest, text: str) -> None:
    app.run()
    query_box(app).set_value(text).run()
    assert not app.exception
    assert "Shorten it" in said(app)


def test_a_tile_stands_for_its_near_duplicates(app: AppTest) -> None:
    tiles = grid(asked(app, BOATS))[0]["tiles"]
    shown = [tile["name"] for tile in tiles]
    folded = sum(tile["folded"] for tile in tiles)
    assert folded
    apart = grid(asked(AppTest.from_file(str(APP), default_timeout=60), f"{BOATS} dedup:off"))
    every = [tile["name"] for tile in apart[0]["tiles"]]
    assert len(every) == len(shown) + folded
    assert "again.jpg" in every


def test_an_address_says_how_far_down_and_what_is_open(app: AppTest) -> None:
    app.query_params.update(shown="99999", below="open", photo="0")
    asked(app, "boat")
    assert app.session_state["k"] == page_state.MAX_SHOWN
    assert app.session_state["unfolded"] is True
    assert app.session_state["photo"] is None


@pytest.mark.parametrize("shown", ["x", "-5", "0", "1e9", "٣", ""])
def test_nonsense_about_how_far_down_is_the_usual(app: AppTest, shown: str) -> None:
    app.query_params["shown"] = shown
    asked(app, "width:>=1")
    assert app.session_state["k"] == FIRST


def saved_buttons(app: AppTest, what: str) -> list[Any]:
    return [button for button in app.button if (button.key or "").startswith(f"{what}-")]


def test_a_button_of_a_saved_search_stays_that_of_this_search_when_others_go(app: AppTest) -> None:
    marks = services().library().marks
    for name in ("a", "b", "c"):
        marks.save_search(name, "boat")
    asked(app, "boat")
    before = [button.key for button in saved_buttons(app, "delete")]
    saved_buttons(app, "delete")[0].click().run()
    assert [button.key for button in saved_buttons(app, "delete")] == before[1:]
    for name in ("b", "c"):
        marks.delete_search(name)


def test_a_saved_search_is_never_replaced_in_silence(app: AppTest) -> None:
    marks = services().library().marks
    marks.save_search("mine", "boat")
    asked(app, "cat")
    app.text_input(key="save_as").set_value("mine")
    next(button for button in app.button if button.label == "Save").click().run()
    assert "There is a saved search" in said(app)
    assert [search.query for search in marks.saved_searches()] == ["boat"]
    marks.delete_search("mine")


def test_another_library_in_the_same_place_is_searched_at_once(
    app: AppTest, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, other = tmp_path / "library", tmp_path / "other"
    shutil.copytree(made / "library", here)
    shutil.copytree(made / "library", other)
    with sqlite3.connect(other / "library.sqlite") as connection:
        connection.execute("UPDATE photos SET display = 'other/' || display")
    connection.close()
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(here))

    def folders() -> set[str]:
        return {tile["folder"] for each in grid(app) for tile in each["tiles"]}

    asked(app, BOATS)
    assert folders() and not any("other/" in folder for folder in folders())
    here.rename(tmp_path / "gone")
    other.rename(here)
    app.run()
    assert all("other/" in folder for folder in folders())


def test_searches_are_saved_gone_to_and_deleted(app: AppTest) -> None:
    asked(app, "cat -dog")
    app.text_input(key="save_as").set_value(HOSTILE_NAME)
    next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception
    query_box(app).set_value("boat").run()
    label = saved_buttons(app, "go")[0].label
    assert re.sub(r"\\(.)", r"\1", label) == HOSTILE_NAME
    assert "\\*\\*a\\*\\*" in label
    saved_buttons(app, "go")[0].click().run()
    assert query_box(app).value == "cat -dog"
    saved_buttons(app, "delete")[0].click().run()
    assert "No search is saved yet" in said(app)
    assert services().library().marks.saved_searches() == []


def test_a_search_can_only_be_saved_where_there_is_one_and_under_a_name(app: AppTest) -> None:
    app.run()
    assert "Save" not in buttons(app)
    query_box(app).set_value("boat nope:1").run()
    assert "Save" not in buttons(app)
    query_box(app).set_value("boat").run()
    next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception
    assert "name" in said(app)
    assert services().library().marks.saved_searches() == []


def test_no_library_gives_the_command(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "my pictures"))
    app.run()
    assert not app.exception
    assert app.code[0].value == f"python -m indexer ./photos --library '{tmp_path}/my pictures'"


def test_a_library_without_pictures_and_one_without_words(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path))
    with Library.create(tmp_path) as library:
        app.run()
        assert "Nothing to search yet" in app.subheader[0].value
        identity = SpaceIdentity("k" * 32, "pictures_only", "hf-hub:nobody/nothing", "w", "{}", 8, False)
        writer = Writer(library._engine)
        writer.make_default(space := writer.add_space(identity))
        app.run()
        assert "Nothing to search yet" in app.subheader[0].value
        facts = {"width": 4, "height": 3, "format": "JPEG", "orientation": 1}
        file = File(writer.add_root(b"/photos"), b"one.jpg", 10, 1)
        writer.commit([Indexed(file, bytes(32), facts, {space: np.eye(1, 8, dtype=np.float32)[0]})], [])
    app.run()
    query_box(app).set_value("boat").run()
    assert "knows pictures but no words" in said(app)


def test_a_run_that_is_going_on_is_told(app: AppTest, made: Path) -> None:
    with locked(made / "library"):
        app.run()
        assert component(app, "live")["run"]["head"] == "Starting to index"
        assert "indexed just now" not in said(app)
    app.run()
    assert component(app, "live")["run"] is None


def test_a_damaged_database_is_one_sentence(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "library.sqlite").write_bytes(b"this is no database" * 1000)
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path))
    app.run()
    assert not app.exception
    assert "can't be read" in said(app) and "restore a backup" in said(app)
    assert not app.subheader  # no word of there being nothing yet


@pytest.mark.browser
def test_typing_words_shows_hits(page: Page, searcher: Searcher) -> None:
    page.goto("/")
    expect(page).to_have_title("Sightline")
    expect(box(page)).to_be_focused()
    page.keyboard.type("a red boat")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile(r"^(\d+ match|No clear match)"))).to_be_visible()
    tiles(page, names(searcher, "a red boat"))
    expect(page).to_have_url(re.compile(r"q=a(%20|\+)red(%20|\+)boat"))
    page.reload()
    tiles(page, names(searcher, "a red boat"))
    expect(box(page)).to_have_value("a red boat")


@pytest.mark.browser
def test_chips_show_what_was_understood_and_take_it_out_again(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=boat+-snow+orientation%3Alandscape")
    chips(page, ["boat", "-snow", "orientation:landscape"])
    meaning = page.locator(".chip").nth(1).locator(".meaning")
    expect(meaning).to_contain_text("count less")
    expect(meaning).to_have_css("opacity", "0")
    page.get_by_role("button", name="Remove -snow").focus()
    expect(meaning).to_have_css("opacity", "1")
    page.keyboard.press("Enter")
    chips(page, ["boat", "orientation:landscape"])
    expect(box(page)).to_have_value("boat orientation:landscape")
    page.get_by_role("button", name="Remove orientation:landscape").click()
    expect(box(page)).to_have_value("boat")
    expect(page).to_have_url(re.compile(r"\?q=boat$"))
    tiles(page, names(searcher, "boat"))
    page.get_by_role("button", name="Remove boat").click()
    expect(page.get_by_text("Indexed last")).to_be_visible()
    chips(page, [])


@pytest.mark.browser
def test_two_chips_closed_within_a_moment_both_go(page: Page) -> None:
    page.goto("/?q=boat+-snow+orientation%3Alandscape")
    chips(page, ["boat", "-snow", "orientation:landscape"])
    page.locator(".chip .close").evaluate_all("all => { all[1].click(); all[2].click() }")
    chips(page, ["boat"])
    expect(box(page)).to_have_value("boat")


@pytest.mark.browser
def test_show_more_is_in_the_link_and_keeps_the_place(page: Page) -> None:
    page.goto(f"/?q={ALL}")
    expect(page.locator(".tile").first).to_be_visible()
    more = page.get_by_role("button", name="Show more")
    more.scroll_into_view_if_needed()
    before = page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")
    more.click()
    expect(more).to_have_count(0)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") >= before - 5
    expect(page).to_have_url(re.compile(r"shown=360"))
    page.reload()
    expect(page.locator(".tile").first).to_be_visible()
    expect(more).to_have_count(0)


@pytest.mark.browser
def test_several_pictures_dropped_at_once_are_all_taken(page: Page, made: Path) -> None:
    page.goto("/")
    expect(page.locator(".tile").first).to_be_visible()
    page.locator("input.file").set_input_files([made / "photos" / name for name in ("panorama.jpg", "strip.jpg")])
    chips(page, ["your picture", "your picture"])
    page.get_by_role("button", name="Choose a part of your picture").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(chromium: Browser, url: str, scheme: Any) -> None:
    with browser.visiting(chromium, url, color_scheme=scheme) as page:
        page.goto("/?q=boat+-snow")
        expect(page.locator(".tile").first).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sightline")
        page.wait_for_timeout(500)
        assert violations(page) == []


@pytest.mark.browser
def test_a_mistake_shows_its_place_and_a_click_puts_it_right(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=boat")
    tiles(page, names(searcher, "boat"))
    search(page, "boat orientatoin:landscape")
    expect(page.get_by_role("alert")).to_contain_text("Did you mean orientation:?")
    expect(page.locator("mark")).to_have_text("orientatoin:")
    page.get_by_role("button", name="Change it to orientation:").click()
    expect(box(page)).to_have_value("boat orientation:landscape")
    expect(page.get_by_role("alert")).to_have_count(0)
    tiles(page, names(searcher, "boat orientation:landscape"))


@pytest.mark.browser
def test_a_picture_that_is_not_there_can_be_taken_out_again(page: Page) -> None:
    page.goto("/?q=like:999999")
    expect(page.get_by_text("There is no picture 999999")).to_be_visible()
    page.get_by_role("button", name="Remove like:999999").click()
    expect(page.get_by_text("Indexed last")).to_be_visible()
    chips(page, [])


@pytest.mark.browser
def test_back_and_forward_go_from_search_to_search(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=boat")
    tiles(page, names(searcher, "boat"))
    id_ = first_id(searcher, "boat")
    page.locator(f'.open[data-id="{id_}"]').focus()
    page.keyboard.press("l")
    tiles(page, names(searcher, more("boat", id_)))
    page.go_back()
    expect(box(page)).to_have_value("boat")
    tiles(page, names(searcher, "boat"))
    chips(page, ["boat"])
    page.go_forward()
    tiles(page, names(searcher, more("boat", id_)))
    chips(page, parts(more("boat", id_)))


def transfer(page: Page, path: Path) -> str:
    """JavaScript that makes a DataTransfer with a file in it."""
    data = list(path.read_bytes())
    return (
        f"const transfer = new DataTransfer(); transfer.items.add(new File([new Uint8Array({data})],"
        f" 'some.jpg', {{type: 'image/jpeg'}}));"
    )


def paste(page: Page, picture: Path) -> None:
    """Paste a picture into the box."""
    box(page).evaluate(
        f"box => {{ {transfer(page, picture)} box.dispatchEvent(new ClipboardEvent('paste', "
        "{clipboardData: transfer, bubbles: true, cancelable: true, composed: true})) }"
    )


@pytest.mark.browser
@pytest.mark.parametrize("way", ["pick", "drop", "paste"])
def test_a_picture_that_is_given_finds_itself_first(page: Page, made: Path, way: str) -> None:
    page.goto("/")
    expect(page.locator(".tile")).to_have_count(FIRST)
    picture = made / "photos" / "panorama.jpg"
    if way == "pick":
        page.locator("input.file").set_input_files(picture)
    elif way == "drop":
        page.evaluate(
            f"{transfer(page, picture)} for (const name of ['dragover', 'drop']) document.body.dispatchEvent("
            "new DragEvent(name, {dataTransfer: transfer, bubbles: true, cancelable: true}))"
        )
    else:
        paste(page, picture)
    expect(page.locator(".tile .name").first).to_have_text("panorama.jpg")
    chips(page, ["your picture"])
    expect(box(page)).to_have_value(re.compile(r"^picture:[0-9a-zA-Z]+$"))
    expect(page.locator(".veil")).to_be_hidden()
    search(page, f"{box(page).input_value()} ext:jpg")
    chips(page, ["your picture", "ext:jpg"])
    page.reload()
    chips(page, ["your picture", "ext:jpg"])
    assert page.locator(".chip img").evaluate("i => i.decode().then(() => i.naturalWidth)") > 0
    expect(page.locator(".tile .name").first).to_have_text("panorama.jpg")
    page.get_by_role("button", name="Remove your picture").click()
    expect(box(page)).to_have_value("ext:jpg")


@pytest.mark.browser
def test_a_picture_joins_what_was_typed_and_not_entered(page: Page, made: Path) -> None:
    page.goto("/")
    expect(page.locator(".tile")).to_have_count(FIRST)
    page.keyboard.type("cat")
    paste(page, made / "photos" / "panorama.jpg")
    chips(page, ["cat", "your picture"])
    expect(box(page)).to_have_value(re.compile(r"^cat picture:[0-9a-zA-Z]+$"))


@pytest.mark.browser
def test_a_broken_picture_is_one_sentence(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    expect(page.locator(".tile")).to_have_count(FIRST)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    page.locator("input.file").set_input_files(broken)
    expect(page.get_by_text("The picture can't be read")).to_be_visible()
    page.evaluate(
        "const transfer = new DataTransfer(); transfer.items.add(new File(['x'], 'x.txt', {type: 'text/plain'}));"
        "document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}))"
    )
    expect(page.get_by_text("That is no picture")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(FIRST)


@pytest.mark.browser
def test_a_saved_search_is_a_click_away(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=windmill")
    tiles(page, names(searcher, "windmill"))
    page.get_by_role("button", name="Saved").click()
    page.get_by_label("Name of this search").fill(HOSTILE_NAME)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=HOSTILE_NAME)).to_be_visible()
    page.goto("/?q=boat")
    tiles(page, names(searcher, "boat"))
    page.get_by_role("button", name="Saved").click()
    page.get_by_role("button", name=HOSTILE_NAME).first.click()
    expect(box(page)).to_have_value("windmill")
    tiles(page, names(searcher, "windmill"))
    expect(page.get_by_role("button", name=HOSTILE_NAME)).to_have_count(0)
    page.get_by_role("button", name="Saved").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No search is saved yet")).to_be_visible()
    assert page.locator("a[href*='.io']").count() == 0


@pytest.mark.browser
@pytest.mark.parametrize("text", [ALL, BOATS, f"{BOATS} -snow date:2001..2030 orientation:landscape", "boat camra:x"])
def test_narrow_and_dark(chromium: Browser, url: str, text: str) -> None:
    context = chromium.new_context(viewport={"width": 375, "height": 700}, color_scheme="dark", base_url=url)
    browser.let_in(context, url)
    page = context.new_page()
    page.goto(f"/?q={text}")
    expect(page.locator(".tile:visible, mark").first).to_be_visible(timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    red, green, blue = page.evaluate(
        "getComputedStyle(document.querySelector('.stApp')).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    assert max(red, green, blue) < 60
    for part in (".tile:visible", ".chip", ".mistake", ".note"):
        widths = page.locator(part).evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
        assert max(widths, default=0) <= 375
    context.close()


@pytest.mark.browser
def test_no_library_then_one(chromium: Browser, tmp_path: Path, made: Path) -> None:
    with serving.running(tmp_path / "library", tmp_path / "log.txt") as url:
        context = chromium.new_context(base_url=url)
        browser.let_in(context, url)
        page = context.new_page()
        page.goto("/")
        expect(page.get_by_test_id("stCode").first).to_contain_text("python -m indexer ./photos", timeout=30_000)
        (tmp_path / "library").symlink_to(made / "library")
        page.reload()
        expect(page.locator(".tile")).to_have_count(FIRST, timeout=30_000)
        context.close()
