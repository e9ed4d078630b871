"""What is selected: the bar, the marks and searches it makes, and what leaves the page as files and lists."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import browser
import indexing
import numpy as np
import pytest
import serving
from browser import box, search, slowed, violations
from click.testing import CliRunner
from pages import ALL, HOSTILE, HOSTILE_NAME, asked, buttons, names, query_box, said, tiles
from playwright.sync_api import Browser, Page, WebSocketRoute, expect
from streamlit.testing.v1 import AppTest
from support import DEMO

from search_ui.__main__ import cli
from search_ui.parts import selection_bar
from search_ui.parts.selection_bar import nearest_to_mean, table
from search_ui.runtime.zip_registry import KEPT, ZipRegistry
from search_ui.server.zip_routes import NOT_INCLUDED, archive
from sightline.query.parser import parse
from sightline.query.types import MAX_TERMS
from sightline.searcher import Searcher
from store.library import Library


def first(searcher: Searcher, count: int, text: str = "boat") -> list[int]:
    return [hit.photo.content_id for hit in searcher.search(parse(text)).hits[:count]]


def opened(data: bytes) -> zipfile.ZipFile:
    found = zipfile.ZipFile(io.BytesIO(data))
    assert found.testzip() is None
    return found


# -- archives -------------------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, tiny_space: str) -> Iterator[Library]:
    """A library whose files a test may change, with names that are taken twice."""
    photos = tmp_path / "own photos"
    source = sorted(DEMO.rglob("*.jpg"))[:5]
    for number, (folder, name) in enumerate(
        [("a", "x.jpg"), ("b", "x.jpg"), ("c", "X.JPG"), ("d", HOSTILE), ("e", "a\\..\\..\\up.jpg")]
    ):
        (photos / folder).mkdir(parents=True)
        shutil.copy(source[number], photos / folder / name)
    indexing.add(tmp_path / "library", photos, tiny_space)
    with Library.open(tmp_path / "library") as library:
        yield library


def ids_by_name(library: Library) -> dict[str, int]:
    photos = library.catalog.photos(list(range(1, 50)))
    return {photo.display: id_ for id_, photo in photos.items()}


def test_an_archive_holds_the_files_as_they_are_under_names_of_their_own(own: Library, tmp_path: Path) -> None:
    ids = ids_by_name(own)
    order = [ids["a/x.jpg"], ids["b/x.jpg"], ids["c/X.JPG"], ids[f"d/{HOSTILE}"]]
    found = opened(b"".join(archive(own, order)))
    assert found.namelist() == ["x.jpg", "x (2).jpg", "X (3).JPG", HOSTILE]
    for member, name in zip(found.infolist(), ("a/x.jpg", "b/x.jpg", "c/X.JPG", f"d/{HOSTILE}"), strict=True):
        path = tmp_path / "own photos" / name
        assert found.read(member) == path.read_bytes()
        assert member.compress_type == zipfile.ZIP_STORED
        when = time.mktime((*member.date_time, 0, 0, -1))
        assert abs(when - path.stat().st_mtime) <= 2


def test_no_name_leads_out_of_where_an_archive_is_opened(own: Library, tmp_path: Path) -> None:
    id_ = next(id_ for name, id_ in ids_by_name(own).items() if name.startswith("e/"))
    assert opened(b"".join(archive(own, [id_]))).namelist() == ["a_.._.._up.jpg"]


@pytest.mark.skipif(os.name != "posix", reason="names are bytes there alone")
def test_a_name_that_is_no_text_can_be_written(own: Library, tmp_path: Path) -> None:
    folder = tmp_path / "own photos" / "a"
    (folder / "x.jpg").rename(folder / os.fsdecode(b"caf\xe9\n.jpg"))
    indexing.add(tmp_path / "library", tmp_path / "own photos", own.catalog.spaces()[0].model)
    id_ = next(id_ for name, id_ in ids_by_name(own).items() if "caf" in name)
    assert opened(b"".join(archive(own, [id_]))).namelist() == ["caf�_.jpg"]


def test_what_can_not_be_included_is_named_with_the_reason(own: Library, tmp_path: Path) -> None:
    ids = ids_by_name(own)
    (tmp_path / "own photos" / "a" / "x.jpg").unlink()
    (tmp_path / "own photos" / "b" / "x.jpg").write_bytes(b"another picture")
    found = opened(b"".join(archive(own, [ids["a/x.jpg"], ids["b/x.jpg"], ids["c/X.JPG"], 10**9])))
    assert found.namelist() == ["X.JPG", NOT_INCLUDED]
    lines = found.read(NOT_INCLUDED).decode().splitlines()
    assert len(lines) == 3
    assert "own photos/a/x.jpg: the file is not there any more" in lines[0]
    assert "picture 1000000000" in lines[2]


def test_a_file_that_shrinks_while_it_is_read_is_named(
    own: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = ids_by_name(own)
    path = tmp_path / "own photos" / "c" / "X.JPG"
    size = path.stat().st_size
    monkeypatch.setattr("search_ui.server.zip_routes._CHUNK", 1000)
    made = archive(own, [ids["c/X.JPG"], ids["a/x.jpg"]])
    data = next(made)
    os.truncate(path, 1000)
    found = opened(data + b"".join(made))
    assert found.namelist() == ["X.JPG", "x (2).jpg", NOT_INCLUDED]
    assert f"the last {size - 1000:,} bytes are missing in X.JPG" in found.read(NOT_INCLUDED).decode()


def test_an_archive_is_never_whole_in_memory(own: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search_ui.server.zip_routes._CHUNK", 1000)
    ids = list(ids_by_name(own).values())
    assert max(len(part) for part in archive(own, ids)) < 3000


def test_who_stops_ends_the_reading(own: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search_ui.server.zip_routes._CHUNK", 1000)
    held = Path("/proc/self/fd")
    before = len(list(held.iterdir())) if held.is_dir() else 0
    made = archive(own, list(ids_by_name(own).values()))
    next(made)
    made.close()
    assert next(made, None) is None
    if before:
        assert len(list(held.iterdir())) <= before


def test_archives_have_names_that_can_not_be_guessed_and_the_oldest_go(own: Library) -> None:
    offers = ZipRegistry()
    addresses = [offers.offer(own, [number]) for number in range(1, KEPT + 2)]
    assert len(set(addresses)) == KEPT + 1
    assert all(re.fullmatch(r"/zip/[0-9a-f]{32}\.zip", address) for address in addresses)
    named = [address.removeprefix("/zip/").removesuffix(".zip") for address in addresses]
    assert offers.get(named[0]) is None
    assert offers.get(named[1]) == (own, (2,))
    assert offers.offer(own, [3]) == addresses[2]
    assert offers.get("../../etc/passwd") is None


# -- rows and searches ----------------------------------------------------------------------------------------------


def test_the_table_is_that_of_the_command_line(made: Path, searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "boat dedup:off"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said = CliRunner().invoke(cli, ["query", text, "--csv", "-k", "9", "--library", str(made / "library")])
    assert said.exit_code == 0, said.output
    lines = said.stdout.splitlines()
    hits = searcher.search(parse(text)).hits
    chosen = [hits[place].photo.content_id for place in (1, 4, 7)]
    rows = (
        table(
            searcher.library,
            chosen,
            lambda _: {hit.photo.content_id: (hit, place) for place, hit in enumerate(hits, 1)},
        )
        .decode()
        .splitlines()
    )
    assert rows == [lines[0], lines[2], lines[5], lines[8]]


def test_a_picture_that_is_no_hit_any_more_is_in_the_table(searcher: Searcher) -> None:
    rows = list(csv.DictReader(io.StringIO(table(searcher.library, [3, 10**9, 1], lambda _: {}).decode())))
    assert [(row["id"], row["rank"]) for row in rows] == [("3", "0"), ("1", "0")]


def test_the_nearest_to_the_mean_are_those_with_the_highest_cosine(searcher: Searcher) -> None:
    index = searcher.library.vectors.get(searcher.space().id)
    ids = index.ids[:50].tolist()
    chosen = nearest_to_mean(index, [*ids, 10**9], 8)
    vectors = index.vectors_of(np.array(ids))
    cosines = vectors @ vectors.mean(axis=0)
    assert set(chosen) == {ids[place] for place in np.argsort(-cosines)[:8]}
    assert chosen == [id_ for id_ in ids if id_ in set(chosen)]
    assert nearest_to_mean(index, [10**9, ids[0]], 2) == [10**9, ids[0]]


# -- the bar, without a browser -------------------------------------------------------------------------------------


def selecting(app: AppTest, text: str, ids: list[int]) -> AppTest:
    app.session_state["selected"] = (text, ids)
    return asked(app, text)


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def test_the_bar_is_there_when_something_is_selected(app: AppTest, searcher: Searcher) -> None:
    asked(app, "boat")
    assert "selected" not in said(app)
    selecting(app, "boat", first(searcher, 3))
    assert "3 selected" in said(app)
    assert {"Favourite", "Tags", "Export", "Duplicates", "Search", "Clear"} <= set(buttons(app))
    press(app, "select-clear")
    assert "selected" not in said(app)
    selecting(app, "boat", first(searcher, 3))
    query_box(app).set_value("cat").run()
    assert "selected" not in said(app)


def test_what_the_grid_has_selected_is_taken_once_it_is_of_this_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.session_state", {"query": "boat"})
    sent = {"query": "boat", "stamp": 0, "ids": [3, 1]}
    # However often it comes, and also where the run that it came with was ended: nothing depends on what it was before.
    for _ in range(2):
        selection_bar.receive(sent)
        assert selection_bar.selected() == [3, 1]
    for other in ({**sent, "query": "cat"}, {**sent, "ids": None}, {"query": "boat"}, {}, None, "boat", [3]):
        selection_bar.receive(other)
        assert selection_bar.selected() == [3, 1], other
    selection_bar.clear()
    selection_bar.receive(sent)
    assert selection_bar.selected() == [], "from before it was cleared"
    selection_bar.receive({**sent, "stamp": selection_bar.stamp(), "ids": [2]})
    assert selection_bar.selected() == [2]


def test_after_a_restart_the_server_takes_what_a_page_of_before_has_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.session_state", {"query": "boat"})
    selection_bar.clear()
    before = selection_bar.stamp()
    time.sleep(0.01)  # a server takes longer than that to start
    monkeypatch.setattr("streamlit.session_state", {"query": "boat"})
    selection_bar.receive({"query": "boat", "stamp": before, "ids": [3]})
    assert selection_bar.selected() == [3]
    selection_bar.clear()
    assert selection_bar.stamp() > before, "the grid follows a stamp that rises"


def test_all_become_favourites_and_all_end_being_some(app: AppTest, searcher: Searcher) -> None:
    ids, marks = first(searcher, 3), searcher.library.marks
    marks.favourite(ids[:1], True)
    press(selecting(app, "boat", ids), "select-favourite")
    assert marks.favourites_of(ids) == set(ids)
    assert "No favourites" in buttons(app)
    press(app, "select-favourite")
    assert marks.favourites_of(ids) == set()


def test_search_with_all_of_them(app: AppTest, searcher: Searcher) -> None:
    ids = first(searcher, 3)
    press(selecting(app, ALL, ids), "select-search")
    assert query_box(app).value == " ".join([*(f"like:{id_}" for id_ in ids), ALL])


def test_search_with_more_than_fit_says_which(app: AppTest, searcher: Searcher) -> None:
    ids = first(searcher, 50, ALL)
    press(selecting(app, ALL, ids), "select-search")
    assert f"of the 50 pictures it has the {MAX_TERMS} that are most like all of them" in said(app)
    query = parse(str(query_box(app).value))
    assert len(query.terms) == MAX_TERMS


def test_three_thousand_can_be_selected(app: AppTest) -> None:
    asked(app, "boat")
    app.session_state["selected"] = ("boat", list(range(1, 3001)))
    app.run()
    assert "3,000 selected" in said(app)


def test_on_a_library_that_may_not_be_written_only_what_reads_is_offered(
    app: AppTest, made: Path, public_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from support import as_nobody

    library = public_tmp / "library"
    shutil.copytree(made / "library", library)
    for path in (library, *library.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(library))
    with as_nobody():
        selecting(app, ALL, [1, 2])
    assert {"Export", "Search", "Clear"} <= set(buttons(app))
    assert not {"Favourite", "Tags", "Duplicates"} & set(buttons(app))
    for path in (library, *library.rglob("*")):
        path.chmod(0o755)


# -- in a browser ---------------------------------------------------------------------------------------------------


def pick(page: Page, *places: int) -> None:
    """Select pictures by keyboard."""
    for count, place in enumerate(places, 1):
        page.locator(".tile .open").nth(place).press("Space")
        expect(page.locator(".picked")).to_have_text(f"{count} selected")


@pytest.mark.browser
def test_what_is_selected_is_told_once_also_where_answers_are_late(page: Page, searcher: Searcher) -> None:
    """Each run ends the one before it: one without need would take a click with it."""
    said_to_server: list[str | bytes] = []
    late: list[Callable[[], None]] = []

    def connect(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            said_to_server.append(message)
            server.send(message)

        route.on_message(pass_on)
        server.on_message(lambda message: late.append(partial(route.send, message)))

    def answer(count: int) -> None:
        for _ in range(count):
            late.pop(0)()

    page.route_web_socket("**/_stcore/stream", connect)
    page.goto("/?q=boat")
    while page.locator(".tile").count() == 0 or late:
        answer(len(late))
        page.wait_for_timeout(500)
    said_to_server.clear()
    page.locator(".tile .open").nth(0).press("Space")
    page.wait_for_timeout(1_500)
    of_the_first = len(late)
    assert of_the_first, "the server answers"
    page.locator(".tile .open").nth(1).press("Space")
    while len(said_to_server) < 2:
        page.wait_for_timeout(20)
    answer(of_the_first)  # which tell of one, while two are selected
    page.wait_for_timeout(1_500)
    answer(len(late))
    expect(page.locator(".picked")).to_have_text("2 selected")
    assert len(said_to_server) == 2


@pytest.mark.browser
def test_three_selected_leave_as_zip_csv_and_paths(page: Page, searcher: Searcher, tmp_path: Path) -> None:
    hits = searcher.search(parse("boat")).hits
    chosen = [hits[place].photo for place in (0, 1, 2)]
    page.goto("/?q=boat")
    tiles(page, names(searcher, "boat"))
    pick(page, 0, 1, 2)
    page.get_by_role("button", name="Export").click()
    dialog = page.get_by_role("dialog")
    with page.expect_download() as download:
        dialog.get_by_text("ZIP of the files").click()
    assert download.value.suggested_filename == "sightline-3.zip"
    with zipfile.ZipFile(download.value.path()) as found:
        held = {hashlib.sha256(found.read(name)).digest() for name in found.namelist()}
    assert held == {photo.hash for photo in chosen}
    with page.expect_download() as download:
        dialog.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [(row["rank"], row["id"]) for row in rows] == [
        (str(rank), str(photo.content_id)) for rank, photo in enumerate(chosen, 1)
    ]
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Paths").click()
    lines = download.value.path().read_bytes().splitlines()
    assert lines == [photo.root + b"/" + photo.path for photo in chosen]
    expect(dialog.locator("code")).to_contain_text(chosen[0].display)
    assert violations(page) == []


@pytest.mark.browser
def test_copies_go_to_a_folder_once(page: Page, made: Path, searcher: Searcher, tmp_path: Path) -> None:
    page.goto("/?q=boat")
    tiles(page, names(searcher, "boat"))
    pick(page, 0, 1, 2)
    page.get_by_role("button", name="Export").click()
    dialog = page.get_by_role("dialog")
    folder = dialog.get_by_label("Copy to a folder of this machine")
    folder.fill("somewhere")
    folder.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("Write the whole path")
    folder.fill(str((made / "photos").resolve() / "inside"))
    folder.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("which is indexed")
    target = tmp_path / "<b>out</b>"
    folder.fill(str(target))
    folder.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_count(0)
    dialog.get_by_role("button", name="Copy 3 files").click()
    expect(dialog.get_by_text("3 files copied.")).to_be_visible()
    hits = searcher.search(parse("boat")).hits[:3]
    assert {hashlib.sha256(path.read_bytes()).digest() for path in target.iterdir()} == {h.photo.hash for h in hits}
    dialog.get_by_role("button", name="Copy 3 files").click()
    expect(dialog.get_by_text("0 files copied, 3 there already.")).to_be_visible()
    assert not (made / "photos" / "inside").exists()


@pytest.mark.browser
def test_tags_are_given_and_taken(page: Page, searcher: Searcher) -> None:
    ids, marks = first(searcher, 2, "windmill"), searcher.library.marks
    page.goto("/?q=windmill")
    tiles(page, names(searcher, "windmill"))
    pick(page, 0, 1)
    page.get_by_role("button", name="Tags").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Add", exact=True).fill(HOSTILE_NAME)
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("list", name="New tags").get_by_role("listitem")).to_contain_text(HOSTILE_NAME)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".picked")).to_have_text("2 selected")
    assert marks.tags_of(ids) == dict.fromkeys(ids, (HOSTILE_NAME,))
    page.get_by_role("button", name="Tags").click()
    dialog.get_by_role("combobox", name="Remove", exact=True).click()
    page.get_by_role("option").first.click()
    dialog.get_by_text("Of 2 pictures.").click()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert marks.tags_of(ids) == {}


@pytest.mark.browser
def test_a_tag_that_is_typed_as_the_dialog_opens_is_saved_on_a_slow_machine(page: Page, searcher: Searcher) -> None:
    """Every second one without Enter, which the click on Save stands for."""
    ids, marks = first(searcher, 1, "windmill"), searcher.library.marks
    page.goto("/?q=windmill")
    tiles(page, names(searcher, "windmill"))
    pick(page, 0)
    slowed(page)
    dialog = page.get_by_role("dialog")
    typed = dialog.get_by_label("Add", exact=True)
    for visit, tag in enumerate(("at the seaside", "holiday")):
        page.get_by_role("button", name="Tags").click()
        typed.wait_for()
        page.wait_for_function("name => document.activeElement.shadowRoot?.activeElement?.id === name", arg="tag")
        page.keyboard.type(tag, delay=20)
        expect(typed).to_have_value(tag)
        if visit:
            page.keyboard.press("Enter")
            expect(typed).to_have_value("")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_have_count(0)
        expect(page.locator(".picked")).to_have_text("1 selected")
        assert tag in marks.tags_of(ids)[ids[0]]
    marks.change(ids, remove=["at the seaside", "holiday"])


@pytest.mark.browser
def test_duplicates_are_looked_for_among_them(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=boat")
    tiles(page, names(searcher, "boat"))
    pick(page, 0, 1, 2)
    page.get_by_role("button", name="Duplicates", exact=True).click()
    expect(page).to_have_url(re.compile(r"/duplicates\?.*among=[0-9a-f]{12}"))
    name = re.search(r"among=([0-9a-f]{12})", page.url)
    assert name
    ids = searcher.library.marks.set_ids(name[1])
    assert ids is not None and set(ids.tolist()) == set(first(searcher, 3))
    page.go_back()
    expect(box(page)).to_have_value("boat")
    tiles(page, names(searcher, "boat"))


@pytest.mark.browser
def test_the_bar_by_keyboard_and_what_ends_a_selection(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=boat")
    tiles(page, names(searcher, "boat"))
    pick(page, 0, 1)
    page.get_by_role("button", name="Clear", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".picked")).to_have_count(0)
    expect(page.locator(".tile [role=checkbox][aria-checked=true], .tile input:checked")).to_have_count(0)
    pick(page, 0, 1)
    search(page, "windmill")
    tiles(page, names(searcher, "windmill"))
    expect(page.locator(".picked")).to_have_count(0)
    page.go_back()
    tiles(page, names(searcher, "boat"))
    expect(page.locator(".picked")).to_have_count(0)
    pick(page, 2)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(box(page)).to_have_value(re.compile(rf"^boat like:{first(searcher, 3)[2]}\^"))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_bar_is_accessible_and_fits_a_phone(chromium: Browser, url: str, scheme: Any) -> None:
    options: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": 375, "height": 700}}
    with browser.visiting(chromium, url, **options) as page:
        page.goto("/?q=boat")
        expect(page.locator(".tile").first).to_be_visible()
        pick(page, 0, 1)
        page.wait_for_timeout(500)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        bar = page.locator(".st-key-selection").bounding_box()
        assert bar and bar["x"] >= 0 and bar["x"] + bar["width"] <= 375 and bar["y"] + bar["height"] <= 700
        page.get_by_role("button", name="Clear", exact=True).click()
        expect(page.locator(".picked")).to_have_count(0)


@pytest.mark.browser
def test_an_archive_that_was_not_offered_is_not_there(url: str) -> None:
    for name in ("0" * 32, "..%2f..%2fetc%2fpasswd", "x", ""):
        with pytest.raises(HTTPError) as refused:
            serving.urlopen(f"{url}/zip/{name}.zip")
        assert refused.value.code == 404
    with pytest.raises(HTTPError) as refused:
        serving.urlopen(Request(f"{url}/zip/{'0' * 32}.zip", headers={"Origin": "http://elsewhere.example"}))
    assert refused.value.code == 403
