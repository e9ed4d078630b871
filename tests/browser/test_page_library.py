"""The page of the library, without a browser and with one; and what other pages show of an indexer at work."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import browser
import indexing
import pytest
import serving
from pages import BOATS, COUNT, buttons, component, names, said, tiles
from PIL import ExifTags, Image
from playwright.sync_api import Browser, Page, WebSocket, expect
from streamlit.testing.v1 import AppTest
from support import as_nobody

from indexer.demo.pictures import write_pictures
from search_ui.runtime.services import services
from search_ui.server.failed_routes import SIDE, picture_of_failed
from search_ui.views import library as view
from sightline.models.presets import EVERYDAY, OTHERS, PICTURES
from sightline.searcher import Searcher
from store import progress
from store.library import Library
from store.lock import locked
from store.progress import Progress
from store.tables import library_reports
from store.tables.records import now
from store.tables.writer import Failed, File, Writer

FOLDER = "<img src=x onerror=alert(1)> [x](y) **b**"
PAGE = "from search_ui.views import library\nlibrary.page()"


@pytest.fixture
def shown(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The page alone, on a server that manages its machine."""
    with page_of(made / "library", monkeypatch) as app:
        yield app.run()


@contextmanager
def page_of(library: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(library))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    services().manages = True
    # In a folder that others can read: the file may be read as another user.
    script = library.parent / "page.py"
    script.write_text(PAGE)
    yield AppTest.from_file(str(script), default_timeout=60)
    services().runner.stop()
    assert services().runner.wait(120)
    services().runner.dismiss()


def state(**changes: object) -> Progress:
    usual = {"pid": os.getpid(), "started": now(), "folders": ("/else/where",), "phase": "indexing", "done": 200,
             "total": 1000, "rate": 4.0, "bound_by": "encode", "failed": 3, "updated": now()}  # fmt: skip
    return Progress(**{**usual, **changes})  # type: ignore[arg-type]


# -- without a browser ----------------------------------------------------------------------------------------------


def test_the_page_lists_folders_models_disk_use_runs_and_failures(shown: AppTest, made: Path) -> None:
    assert not shown.exception
    text = said(shown)
    assert f"{COUNT} done1 unreadable" in text
    assert f"{COUNT} pictures · 1 unreadable · checked" in text
    assert f"{COUNT} of {COUNT}" in text and "active" in text
    for part in ("Database", "Vectors", "Thumbnails", "Previews", "are free on this disk", str(made / "library")):
        assert part in text
    assert f"{COUNT} new, 1 unreadable" in text
    assert "zz _broken_ [x](y).jpg" in text and "the file is cut short" in text
    offered = ["Look at 1 unreadable file", "Index again", "Index like this", "Index this folder", "Index all with it"]
    assert [each for each in buttons(shown) if each in [*offered, "Verify"]] == [*offered, "Verify"]
    assert any("python -m indexer index" in code.value and "--prune" in code.value for code in shown.code)


def test_a_server_that_does_not_manage_its_machine_only_says_the_commands(shown: AppTest) -> None:
    services().manages = False
    shown.run()
    assert "--manage" in said(shown)
    assert buttons(shown) == []
    assert [each.label for each in shown.expander if each.proto.expanded] == ["The same in a terminal"]


def test_a_click_that_comes_once_the_server_does_not_manage_any_more_does_nothing(shown: AppTest) -> None:
    verify = next(button for button in shown.button if button.label == "Verify")
    services().manages = False
    verify.click().run()
    assert services().runner.run is None
    assert said(shown).count("--manage") == 2  # refused, and said above


def test_a_read_only_library_is_shown_and_nothing_is_offered(
    indexed: Path, public_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(indexed / "library", public_tmp / "library")
    for path in (public_tmp / "library").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (public_tmp / "library").chmod(0o555)
    with page_of(public_tmp / "library", monkeypatch) as app, as_nobody():
        app.run()
        assert not app.exception
        assert "read-only" in said(app)
        assert buttons(app) == []
    (public_tmp / "library").chmod(0o755)


def test_a_click_takes_the_space_that_was_chosen_a_moment_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "photos", 1, 5, (64, 48))
    with page_of(tmp_path / "library", monkeypatch) as app:
        app.run()
        # All three in one run of the script.
        app.text_input(key="lib_folder").set_value(str(tmp_path / "photos"))
        app.radio(key="add_space").set_value("demo")
        next(button for button in app.button if button.label == "Index this folder").click().run()
        assert services().runner.wait(120)
        run = services().runner.run
        assert run is not None
        assert (run.state, [each["added"] for each in run.results]) == ("done", [1])


def test_models_beside_those_of_everyday_are_behind_one_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "photos", 1, 5, (64, 48))
    with page_of(tmp_path / "library", monkeypatch) as app:
        app.run()
        assert len(app.radio(key="add_space").options) == len(EVERYDAY) + 1
        assert not app.selectbox
        app.radio(key="add_space").set_value("more").run()
        which = app.selectbox(key="add_space_more")
        kinds = ["pictures only" if "pictures only" in option else "with words" for option in which.options]
        assert kinds == ["with words"] * len(OTHERS) + ["pictures only"] * len(PICTURES)
        which.set_value("dinov2-small").run()
        assert "What looks alike, quickly" in said(app) and "words need another model" in said(app)
        app.text_input(key="lib_folder").set_value(str(tmp_path / "photos"))
        press(app, "Index this folder")
        assert services().runner.wait(120)
        run = services().runner.run
        assert run is not None
        assert run.state == "failed" and "dinov2-small" in str(run)  # offline here


def test_a_folder_keeps_what_the_page_was_told_of_how_it_is_walked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    write_pictures(photos, 1, 5, (64, 48))
    write_pictures(photos / ".hidden", 2, 6, (64, 48))
    write_pictures(photos / "private", 3, 7, (64, 48))

    def ended(app: AppTest) -> dict[str, Any]:
        assert services().runner.wait(120)
        run = services().runner.run
        assert run is not None
        assert run.state == "done", run.log
        app.run()
        return run.results[-1]

    with page_of(tmp_path / "library", monkeypatch) as app:
        app.run()
        app.text_input(key="lib_folder").set_value(str(photos))
        app.radio(key="add_space").set_value("demo")
        app.checkbox(key="walk_added_hidden").set_value(True)
        app.text_area(key="walk_added_exclude").set_value("private/\n")
        next(button for button in app.button if button.label == "Index this folder").click().run()
        assert ended(app)["added"] == 2 + 1
        assert "hidden files too; without private/" in said(app)
        next(button for button in app.button if button.label == "Index again").click().run()
        assert ended(app)["unchanged"] == 2 + 1
        next(box for box in app.checkbox if "hidden" in box.label and "added" not in str(box.key)).set_value(False)
        next(area for area in app.text_area if "added" not in str(area.key)).set_value("")
        next(button for button in app.button if button.label == "Index like this").click().run()
        result = ended(app)
        assert (result["added"], result["missing"]) == (3, 2)
        assert "hidden files too" not in said(app)


def test_a_folder_that_is_gone_is_forgotten_only_when_that_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    write_pictures(photos / "stays", 1, 5, (64, 48))
    write_pictures(photos / "drive", 2, 6, (64, 48))
    with page_of(tmp_path / "library", monkeypatch) as app:
        services().runner.index([photos], space="demo")
        assert services().runner.wait(120)
        shutil.rmtree(photos / "drive")
        services().runner.index([photos], prune=True)
        assert services().runner.wait(120)
        app.run()
        assert "2 missing files were not forgotten" in said(app)
        assert f"{photos / 'drive'}: 2 files not forgotten, it is gone" in said(app)
        next(button for button in app.button if "meant to be gone" in button.label).click().run()
        assert services().runner.wait(120)
        run = services().runner.run
        assert run is not None
        assert (run.state, run.results[-1]["forgotten"]) == ("done", 2)


def test_without_a_library_the_page_offers_the_first_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with page_of(tmp_path / "library", monkeypatch) as app:
        app.run()
        assert not app.exception
        assert [each.value for each in app.subheader] == ["Nothing is indexed yet"]
        press(app, "Index this folder")
        assert "Type the path of a folder" in said(app)
        app.text_input(key="lib_folder").set_value("/no/such").run()
        assert "There is no folder /no/such" in said(app)
        assert not (tmp_path / "library").exists()


def test_a_first_run_that_is_stopped_leaves_its_folder_in_the_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    write_pictures(tmp_path / "photos", 1, 5, (64, 48))
    with page_of(tmp_path / "library", monkeypatch) as app:
        app.run()
        app.text_input(key="lib_folder").set_value(str(tmp_path / "photos"))
        app.radio(key="add_space").set_value("demo")
        press(app, "Index this folder")
        services().runner.stop()
        assert services().runner.wait(60)
        run = services().runner.run
        assert run is not None and run.state == "stopped"
        app.run()
        assert app.text_input(key="lib_folder").value == str(tmp_path / "photos")


def test_parts_of_pictures_are_indexed_where_that_is_chosen_and_their_model_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "photos", 2, 5, (320, 240))

    def ended(app: AppTest) -> dict[str, Any]:
        assert services().runner.wait(120)
        run = services().runner.run
        assert run is not None
        assert run.state == "done", run.log
        app.run()
        return run.results[-1]

    with page_of(tmp_path / "library", monkeypatch) as app:
        app.run()
        app.text_input(key="lib_folder").set_value(str(tmp_path / "photos"))
        app.radio(key="add_space").set_value("demo")
        assert "Small things: also index parts of each picture" in [each.label for each in app.expander]
        app.radio(key="add_parts").set_value("2")
        press(app, "Index this folder")
        assert ended(app)["tiled"] == 2
        assert "with parts: 2 along the shorter side, of 2 pictures" in said(app)
        # What was chosen for one run is not for the next ones, which leave the parts as they are.
        assert (app.radio(key="add_parts").value, app.radio(key="other_parts").options[0]) == ("", "As before")
        press(app, "Index again")
        assert ended(app)["tiled"] == 0
        assert "with parts: 2" in said(app)
        app.radio(key="other_space").set_value("demo")
        app.radio(key="other_parts").set_value("0")
        press(app, "Index all with it")
        ended(app)
        assert "with parts" not in said(app)


def test_what_a_prune_forgets_is_said_before_with_what_is_lost_for_good(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(indexed / "photos", tmp_path / "photos")
    copies = tmp_path / "copies"
    copies.mkdir()
    files = sorted((tmp_path / "photos").glob("*.jpg"))[:4]
    shutil.copy(files[0], copies / "stays.jpg")
    indexing.add(tmp_path / "library", tmp_path / "photos", "demo")
    indexing.add(tmp_path / "library", copies, "demo")
    with Library.open(tmp_path / "library") as library:
        ids = {os.fsdecode(photo.path): photo.content_id for photo in library.catalog.photos_of(list(range(1, 300)))}
        library.marks.favourite([ids[files[1].name]], True)
        library.marks.change([ids[files[1].name], ids[files[0].name]], add=["holiday"])
    for file in files:
        file.unlink()
    indexing.add(tmp_path / "library", tmp_path / "photos", "demo")
    with page_of(tmp_path / "library", monkeypatch) as app:
        app.run()
        assert "Forget them" not in buttons(app)
        press(app, "Forget what is missing …")
        assert (
            "4 files missing from 1 folder will be forgotten. 3 pictures of them are in no other place and go from "
            "the library. Lost for good with them: 1 picture with tags and 1 favourite. All marks are first written"
        ) in said(app)
        press(app, "Keep them")
        assert "Forget them" not in buttons(app)
        press(app, "Forget what is missing …")
        press(app, "Forget them")
        assert services().runner.wait(120)
        app.run()
        assert "4 forgotten" in said(app)
        (kept,) = (tmp_path / "library").glob("marks-before-*.json")
        assert str(kept) in said(app)
        assert "Forget what is missing …" not in buttons(app)
    with Library.open(tmp_path / "library") as library:
        assert (library.catalog.counts().missing, library.marks.tags()) == (0, [("holiday", 1)])


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def test_a_folder_that_is_not_there_is_marked_and_is_left_out(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("drive", "disk"):
        write_pictures(tmp_path / name, 2, len(name), (64, 48))
        indexing.add(tmp_path / "library", tmp_path / name, "demo")
    (tmp_path / "drive").rename(tmp_path / "away")
    with page_of(tmp_path / "library", monkeypatch) as app:
        app.run()
        assert "This folder is not there now." in said(app)
        assert "Index all 1 that are there" in buttons(app)
        assert [button.disabled for button in app.button if button.label == "Index again"] == [True, False]
        press(app, "Index all 1 that are there")
        assert services().runner.wait(120)
        run = services().runner.run
        assert run is not None and (run.state, run.folders) == ("done", (str(tmp_path / "disk"),))


def test_an_indexer_in_a_terminal_is_shown_and_keeps_buttons_from_starting_another(
    shown: AppTest, made: Path
) -> None:  # fmt: skip
    with locked(made / "library"):
        progress.write(made / "library", state())
        shown.run()
        assert component(shown, "live")["run"]["head"] == "Indexing: 200 of 1,000 pictures"
        assert "started in a terminal" in said(shown)
        assert "Stop" not in buttons(shown)
        starting = ("Index again", "Index this folder", "Index like this", "Index all with it", "Verify")
        assert all(button.disabled for button in shown.button if button.label in starting)
        assert "Look at 1 unreadable file" not in buttons(shown)
        view._index([made / "photos"], None)  # what a click does that came just too late
    assert services().runner.run is None


# -- failures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def failing(indexed: Path, tmp_path: Path) -> Iterator[Library]:
    """A library in which 300 more files failed, in three ways."""
    shutil.copytree(indexed / "library", tmp_path / "library")
    with Library.open(tmp_path / "library") as library:
        reasons = ("{0}x{0} is {0}.5 megapixels; the limit is 200.0", "the file is cut short: {0} bytes", "odd {0}%_")
        failed = [
            Failed(File(1, f"sub/{number:03}.jpg".encode(), number, 1), "open", reasons[number % 3].format(number))
            for number in range(300)
        ]
        Writer(library.catalog.engine.execution_options(write=True)).commit([], failed)
        yield library


def test_failures_are_counted_by_what_their_reasons_have_in_common(failing: Library) -> None:
    kinds = {kind.text: kind.count for kind in library_reports.kinds(failing.catalog)}
    assert kinds.pop("… is … megapixels; the limit is …") == 100
    assert kinds.pop("the file is cut short") == 101  # and that of the pictures
    assert kinds.pop("odd …%_") == 100
    assert not kinds


def test_failures_are_found_by_kind_and_by_text_a_page_at_a_time(failing: Library) -> None:
    everything, count = library_reports.failed(failing.catalog, None, "", 1000, 0)
    assert (len(everything), count) == (301, 301)
    page, count = library_reports.failed(failing.catalog, None, "", 20, 40)
    assert (page, count) == (everything[40:60], 301)
    for kind in library_reports.kinds(failing.catalog):
        found, count = library_reports.failed(failing.catalog, kind, "", 1000, 0)
        assert len(found) == count == kind.count
    big = next(kind for kind in library_reports.kinds(failing.catalog) if "megapixels" in kind.text)
    assert [
        row.where.rsplit("/", 2)[1:] for row in library_reports.failed(failing.catalog, big, "SUB/003", 20, 0)[0]
    ] == [["sub", "003.jpg"]]
    assert library_reports.failed(failing.catalog, None, "%_", 20, 0)[1] == 100  # no wildcards
    assert library_reports.failed(failing.catalog, None, "nothing like this", 20, 0) == ([], 0)


def photograph(folder: Path) -> bytes:
    """A photograph as cameras write it: lying on its side, with a thumbnail of its own."""
    small, kept = Image.new("RGB", (160, 120), "teal"), io.BytesIO()
    small.save(kept, "JPEG")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    tiff = exif.tobytes().removeprefix(b"Exif\0\0")
    # The second part of the data, IFD1, is written by hand: Pillow writes none.
    first = 8 + 2 + 12 * int.from_bytes(tiff[8:10], "big")
    start = len(tiff)
    body = start + 2 + 2 * 12 + 4
    entries = b"".join(
        tag.to_bytes(2, "big") + b"\0\4" + (1).to_bytes(4, "big") + value.to_bytes(4, "big")
        for tag, value in ((0x0201, body), (0x0202, len(kept.getvalue())))
    )
    tiff = tiff[:first] + start.to_bytes(4, "big") + tiff[first + 4 :]
    data = b"Exif\0\0" + tiff + b"\0\2" + entries + bytes(4) + kept.getvalue()
    Image.effect_noise((640, 480), 80).convert("RGB").save(folder / "whole.jpg", exif=data)
    return (folder / "whole.jpg").read_bytes()


def test_a_photograph_that_was_cut_short_shows_the_thumbnail_its_camera_made(tmp_path: Path) -> None:
    whole = photograph(tmp_path)
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "none.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    Image.new("RGB", (64, 48)).save(photos / "good.png")
    indexing.add(tmp_path / "library", photos, "demo")
    with Library.open(tmp_path / "library") as library:
        rows = {
            row.where.rsplit("/", 1)[1]: row.id for row in library_reports.failed(library.catalog, None, "", 9, 0)[0]
        }
        place = library_reports.place_of_failure(library.catalog, rows["cut.jpg"])
        assert place is not None
        data = picture_of_failed(place)
        assert data is not None
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (120, 160)  # upright
            assert "exif" not in image.info
        other = library_reports.place_of_failure(library.catalog, rows["none.jpg"])
        assert other is not None and picture_of_failed(other) is None
        (photos / "cut.jpg").write_bytes(whole)
        assert picture_of_failed(place) is None  # another file by now
        assert library_reports.place_of_failure(library.catalog, 10**9) is None


def test_what_only_the_model_could_not_take_is_shown_whole(indexed: Path, tmp_path: Path) -> None:
    shutil.copytree(indexed / "library", tmp_path / "library")
    file = indexed / "photos" / "again.jpg"
    facts = file.stat()
    with Library.open(tmp_path / "library") as library:
        one = File(1, os.fsencode(file.name), facts.st_size, facts.st_mtime_ns)
        Writer(library.catalog.engine.execution_options(write=True)).commit([], [Failed(one, "encode", "no vector")])
        row = library_reports.failed(library.catalog, None, "no vector", 1, 0)[0][0]
        place = library_reports.place_of_failure(library.catalog, row.id)
        assert place is not None
        data = picture_of_failed(place)
    assert data is not None
    with Image.open(io.BytesIO(data)) as image:
        assert max(image.size) == SIDE


# -- with a browser ---------------------------------------------------------------------------------------------------


def drawn(page: Page) -> None:
    """Wait for the last part of the page: what is clicked before may be drawn anew under the click."""
    expect(page.locator(".lib-unread li").first).to_be_visible(timeout=60_000)


def open_adding(page: Page, path: Path) -> None:
    drawn(page)
    page.get_by_text("Add a folder", exact=True).click()
    box = page.get_by_role("textbox", name="Folder of pictures")
    box.fill(str(path))
    box.press("Enter")
    expect(page.get_by_text("This folder is new to the library.")).to_be_visible()


def test_a_folder_is_added_and_its_pictures_can_be_found(
    page: Page, made: Path, searcher: Searcher
) -> None:  # fmt: skip
    odd = made / FOLDER
    write_pictures(odd, 6, 77, (320, 240))
    page.goto("/library")
    open_adding(page, odd)
    page.get_by_role("button", name="Index this folder").click()
    expect(page.locator(".run-head")).to_be_visible()
    expect(page.get_by_role("button", name="Index again").first).to_be_disabled()
    expect(page.locator(".note")).to_contain_text("Done: 6 new", timeout=120_000)
    expect(page.locator(".lib-root strong")).to_have_text(["photos", FOLDER])
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".note")).to_have_count(0)
    page.goto("/?q=folder:*onerror*")
    expect(page.locator(".tile:visible")).to_have_count(6)


@pytest.mark.slow
def test_a_run_is_stopped_from_the_page(page: Page, made: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    with Image.open(made / "photos" / "again.jpg") as image:
        for number in range(5000):
            image.resize((96, 72)).rotate(number / 14).save(many / f"{number}.png")
    page.goto("/library")
    open_adding(page, many)
    page.get_by_role("button", name="Index this folder").click()
    expect(page.locator(".run-head")).to_be_visible()
    page.reload()  # everyone sees the same run
    expect(page.locator(".run-head")).to_contain_text("of 5,000 pictures", timeout=120_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".note")).to_contain_text("Stopped. What was done is kept", timeout=120_000)
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    with Library.open(made / "library") as library:
        last = library.catalog.last_run()
    assert last is not None and last["state"] == "interrupted"
    page.get_by_role("button", name="Dismiss").click()


def test_a_run_begun_elsewhere_shows_on_the_search_page_and_disturbs_nothing(
    page: Page, made: Path, searcher: Searcher
) -> None:
    """What is typed, a dialog that is open, and the focus stay as they are; a search works meanwhile."""
    library = made / "library"
    page.goto("/")
    expect(page.locator(".tile").first).to_be_visible()
    typed = browser.box(page)
    typed.click()
    page.keyboard.type("two red")
    expect(page.locator(".run")).to_have_count(0)
    with locked(library):
        progress.write(library, state(done=200))
        expect(page.locator(".run-head")).to_have_text("Indexing: 200 of 1,000 pictures")
        expect(page.locator(".run-said")).to_contain_text("about 3 minutes left · 3 unreadable")
        expect(typed).to_be_focused()
        page.keyboard.type(" bo")
        progress.write(library, state(done=400))
        expect(page.locator(".run-head")).to_have_text("Indexing: 400 of 1,000 pictures")
        page.keyboard.type("ats")
        expect(typed).to_have_value(BOATS)
        page.keyboard.press("Enter")
        tiles(page, names(searcher, BOATS))
        page.locator(".tile").first.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        progress.write(library, state(done=600))
        expect(page.locator(".run-head")).to_have_text("Indexing: 600 of 1,000 pictures")
        expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
    expect(page.locator(".run")).to_have_count(0)


def test_pictures_that_came_are_offered_and_the_page_stays_until_they_are_asked_for(
    page: Page, made: Path, tmp_path: Path
) -> None:
    page.goto("/")
    first = page.locator(".tile .name").first
    expect(first).to_be_visible()
    before = first.inner_text()
    write_pictures(tmp_path / "more", 3, 99, (320, 240))
    indexing.add(made / "library", tmp_path / "more", "demo")
    offer = page.get_by_role("button", name="3 new pictures: show them")
    expect(offer).to_be_visible()
    expect(first).to_have_text(before)
    offer.click()
    expect(offer).to_have_count(0)
    expect(first).not_to_have_text(before)


def test_failures_show_their_names_as_they_are(page: Page) -> None:
    page.goto("/library")
    drawn(page)
    row = page.locator(".lib-unread li").first
    expect(row.locator("strong")).to_have_text("zz _broken_ [x](y).jpg")
    page.get_by_role("textbox", name="In the path or the reason").fill("nothing like this")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No file that failed is like that.")).to_be_visible()


def test_the_route_of_failed_files_takes_ids_only(url: str) -> None:
    for name in ("0.jpg", "1.png", "1", "../library.sqlite", "x.jpg", "9" * 30 + ".jpg", "123456.jpg", ""):
        with pytest.raises(HTTPError) as refused:
            serving.urlopen(f"{url}/failed/{name}")
        assert refused.value.code == 404
        assert refused.value.headers["content-type"] == "application/json"


def test_the_page_works_by_keyboard_alone(page: Page) -> None:
    page.goto("/library")
    drawn(page)
    for target in (page.locator("summary", has_text="Maintenance"), page.get_by_role("button", name="Verify")):
        expect(target).to_be_visible()
        for _ in range(60):
            page.keyboard.press("Tab")
            if target.evaluate("element => element === document.activeElement"):
                break
        page.keyboard.press("Enter")
    expect(page.locator(".note")).to_contain_text("Verified: all is well.", timeout=120_000)
    page.get_by_role("button", name="Dismiss").press("Enter")
    expect(page.locator(".note")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_bars_people_who_use_it_otherwise(chromium: Browser, url: str, made: Path, scheme: str) -> None:
    with browser.visiting(chromium, url, color_scheme=scheme) as page, locked(made / "library"):
        page.goto("/library")
        drawn(page)
        progress.write(made / "library", state())
        expect(page.locator(".run-said")).to_contain_text("3 unreadable")
        page.get_by_text("Add a folder", exact=True).click()
        page.get_by_text("The same in a terminal", exact=True).click()
        assert browser.violations(page) == []
        progress.write(made / "library", state(phase="loading"))
        expect(page.locator(".run-head")).to_have_text("Loading the model")
        assert browser.violations(page) == []


def test_a_narrow_window_needs_no_scrolling_sideways(chromium: Browser, url: str, made: Path) -> None:
    with browser.visiting(chromium, url, viewport={"width": 375, "height": 800}) as page, locked(made / "library"):
        page.goto("/library")
        drawn(page)
        progress.write(made / "library", state())
        expect(page.locator(".run-said")).to_contain_text("3 unreadable")
        page.get_by_text("Add a folder", exact=True).click()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator(".lib-root").first.evaluate("element => element.getBoundingClientRect().width") > 150


def test_the_first_folder_is_indexed_in_the_browser_and_its_pictures_appear_by_themselves(
    chromium: Browser, tmp_path: Path
) -> None:
    """On the page with the form, and on that of another visitor. So do those that a command adds."""
    write_pictures(tmp_path / "photos", 3, 5, (64, 48))
    write_pictures(tmp_path / "others", 2, 9, (64, 48))
    with (
        serving.running(tmp_path / "library", tmp_path / "log", str(tmp_path / "photos")) as url,
        browser.visiting(chromium, url) as other,
        browser.visiting(chromium, url) as page,
    ):
        other.goto("/map")
        expect(other.get_by_text("Nothing to search yet")).to_be_visible()
        page.goto("/")
        # The folder that the server was started with.
        expect(page.get_by_role("textbox", name="Folder of pictures")).to_have_value(str(tmp_path / "photos"))
        expect(page.get_by_text("3 pictures in it.")).to_be_visible()
        page.get_by_test_id("stRadioGroup").get_by_text("demo", exact=True).click()
        page.get_by_role("button", name="Index this folder").click()
        expect(page.locator(".run-head")).to_be_visible()
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        expect(page.locator(".tile:visible")).to_have_count(3, timeout=120_000)
        expect(other.get_by_text("Nothing to search yet")).to_have_count(0)
        indexing.add(tmp_path / "library", tmp_path / "others", "demo")
        expect(page.locator(".tile:visible")).to_have_count(3 + 2)
        page.goto("/library")
        expect(page.locator(".lib-root strong")).to_have_text(["photos", "others"])
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_an_idle_page_makes_no_traffic_and_a_run_elsewhere_shows_within_three_seconds(page: Page, made: Path) -> None:
    frames: list[object] = []

    def count_frames(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: frames.append(frame))
        socket.on("framereceived", lambda frame: frames.append(frame))

    def settle() -> None:
        for _ in range(20):
            frames.clear()
            page.wait_for_timeout(2_000)
            if not frames:
                return

    page.on("websocket", count_frames)
    for path, drawn in (("/", ".tile"), ("/library", ".lib-root")):
        page.goto(path)
        expect(page.locator(drawn).first).to_be_visible()
        settle()
        page.wait_for_timeout(6_000)
        assert not frames, "nobody asked for anything"
    page.goto("/")
    expect(page.locator(".tile").first).to_be_visible()
    settle()
    with locked(made / "library"):
        progress.write(made / "library", state(done=200))
        expect(page.locator(".run-head")).to_have_text("Indexing: 200 of 1,000 pictures", timeout=3_000)
        progress.write(made / "library", state(done=700))
        expect(page.locator(".run-head")).to_have_text("Indexing: 700 of 1,000 pictures", timeout=3_000)
    expect(page.locator(".run-head")).to_have_count(0, timeout=3_000)
    assert not frames, "the strip is drawn without a run of the script"
