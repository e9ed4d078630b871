"""The page of duplicates: its logic without a browser, and what a person sees and does with a real one."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import browser
import indexing
import pytest
import streamlit
from pages import HOSTILE, buttons, component, said
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from streamlit.testing.v1 import AppTest
from support import as_nobody

from indexer.demo.pictures import write_pictures
from search_ui.components.event_queue import acknowledged
from search_ui.parts import set_aside_changes
from search_ui.runtime.services import services
from search_ui.views import duplicates as view
from sightline.duplicates import groups as duplicates
from sightline.duplicates.groups import Group, Groups
from sightline.duplicates.steps import DEFAULT_STEP, DISTANCE_STEPS
from sightline.humanize import count
from store.errors import LibraryError
from store.library import Library
from store.lock import locked

DRAWN = 36
SCRIPT = "from search_ui.views import duplicates\nduplicates.page()"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos/` and their `library/`: a smaller version of each picture, and copies of three."""
    folder = tmp_path_factory.mktemp("page-duplicates")
    photos = folder / "photos"
    drawn = [photos / picture.path for picture in write_pictures(photos, DRAWN, 3, (320, 240))]
    (photos / "small").mkdir()
    for number, path in enumerate(drawn):
        with Image.open(path) as image:
            # Every fourth cut so that it is not identical-looking any more.
            cut = image if number % 4 else image.crop((image.width // 30, 0, image.width, image.height))
            cut.resize((256, 192)).save(photos / "small" / f"{path.stem}.jpg", quality=90)
    shutil.copy2(drawn[1], photos / HOSTILE)
    shutil.copy2(drawn[1], photos / "another.jpg")
    for number in (2, 3):
        shutil.copy2(drawn[number], photos / f"{drawn[number].stem} (1).jpg")
    indexing.add(folder / "library", photos, "demo")
    return folder


@pytest.fixture
def library(made: Path) -> Iterator[Library]:
    """The library of the page; nothing is set aside in it before and after."""
    with Library.open(made / "library") as library:
        library.marks.set_aside(library.marks.set_aside_of(), False)
        yield library
        library.marks.set_aside(library.marks.set_aside_of(), False)


def exact(library: Library) -> Groups:
    return duplicates.exact(library, lambda done, doing: None)


def near(library: Library) -> Groups:
    space = library.catalog.default_space()
    assert space is not None
    return duplicates.near(library, space, lambda done, doing: None)[DEFAULT_STEP]


def loaded(library: Library, groups: Groups) -> list[Group]:
    return duplicates.load_groups(library, groups, 0, len(groups))


@pytest.fixture
def app(made: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(made / "library"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return AppTest.from_string(SCRIPT, default_timeout=60)


def at(app: AppTest, **address: str) -> AppTest:
    app.query_params.update(address)
    app.run()
    assert not app.exception
    return app


def cards(app: AppTest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = component(app, "groups")["cards"]
    return found


def is_shown(app: AppTest) -> bool:
    """Whether the page shows groups."""
    return any(each.proto.component_name == "sightline_groups" for each in app.get("bidi_component"))


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


# -- its logic ------------------------------------------------------------------------------------------------------


def test_exact_copies_come_first_the_largest_group_at_the_top(app: AppTest, library: Library) -> None:
    shown = cards(at(app))
    assert [card["number"] for card in shown] == [1, 2, 3]
    assert [len(card["pictures"]) for card in shown] == [1, 1, 1]
    assert [len(card["pictures"][0]["places"]) for card in shown] == [3, 2, 2]
    groups = exact(library)
    assert "**3 groups** · 7 photos" in app.markdown[0].value
    assert [[place["id"] for place in card["pictures"][0]["places"]] for card in shown] == [
        [version.photo_id for version in group.versions] for group in loaded(library, groups)
    ]
    assert "Nothing is deleted or moved here" in said(app)
    assert "Nothing is marked for removal. No file was touched." in said(app)


def test_near_duplicates_stand_side_by_side_with_what_differs(app: AppTest) -> None:
    shown = cards(at(app, kind="near"))
    assert len(shown) == view.PAGE
    card = next(card for card in shown if len(card["pictures"]) == 2 and "256 x 192" in str(card))
    kept, other = card["pictures"]
    assert any(place["is_kept"] for place in kept["places"])
    assert not any(place["is_kept"] for place in other["places"])
    assert {"text": "256 x 192 px", "differs": ["64 % of the pixels"]} in other["facts"]
    assert not any(fact["differs"] for fact in kept["facts"])
    assert other["places"][0]["differs"]
    assert "it has more pixels" in card["keep"]


def test_pages_follow_each_other_without_a_gap(app: AppTest, library: Library) -> None:
    first = [card["number"] for card in cards(at(app, kind="near"))]
    second = [card["number"] for card in cards(at(app, kind="near", page="2"))]
    assert first + second == list(range(1, len(near(library)) + 1))
    # An address may have been written by anyone.
    assert [card["number"] for card in cards(at(app, kind="near", page="99"))] == second
    for page in ("0", "-1", "x", "²", "9" * 30):
        assert [card["number"] for card in cards(at(app, kind="near", page=page))] == first


def test_the_slider_makes_groups_stricter_and_looser(app: AppTest) -> None:
    totals = []
    for alike in range(1, len(DISTANCE_STEPS) + 1):
        at(app, kind="near", alike=str(alike))
        assert app.select_slider[0].value == view._ALIKE[alike - 1]
        totals.append(int(app.markdown[0].value.split("·")[1].split()[0]) if app.markdown else 0)
    assert totals == sorted(totals)
    assert totals[0] < totals[-1]


def test_a_selection_is_looked_through_alone_and_left_again(app: AppTest, library: Library) -> None:
    name = library.marks.keep_set(exact(library)[1].tolist())
    assert len(cards(at(app, among=name))) == 1
    assert "Only in your selection of 1 picture." in said(app)
    press(app, "Look in all pictures")
    assert len(cards(app)) == 3
    at(app, among="gone")
    assert "There is no selection 'gone'" in said(app)
    assert not is_shown(app)


def test_the_groups_of_a_folder_are_those_with_a_picture_in_it(app: AppTest, library: Library) -> None:
    whole = cards(at(app, kind="near"))
    (where,) = (box for box in app.selectbox if box.label == "Folder")
    assert "photos/small" in where.options and where.options[0] == "All folders"
    where.select("photos/small").run()
    assert app.query_params["folder"] == ["photos/small"] or app.query_params["folder"] == "photos/small"
    # Each smaller version lies there, and what it is a version of lies elsewhere: the groups are whole.
    assert [len(card["pictures"]) for card in cards(app)] == [len(card["pictures"]) for card in whole]
    at(app, kind="exact")
    assert "No exact copies in photos/small" in said(app)
    at(app, folder="no such folder")
    assert "No exact copies in no such folder" in said(app)
    at(app, folder="")
    assert len(cards(app)) == 3


def test_a_click_with_the_address_of_before_stays_at_what_is_shown(app: AppTest, library: Library) -> None:
    assert len(cards(at(app))) == 3
    app.query_params["kind"] = "near"  # as the browser sends it when the click follows at once
    press(app, "Mark the rest for removal")
    assert len(cards(app)) == 3
    assert "kind" not in app.query_params


def test_all_copies_on_all_pages_are_marked_with_one_press_and_one_undo(
    app: AppTest, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "PAGE", 2)
    press(at(app), "Mark the rest in all 3 groups")
    assert library.marks.set_aside_of() == {id_ for group in loaded(library, exact(library)) for id_ in group.rest}
    press(app, "Undo")
    assert library.marks.set_aside_of() == set()
    # Near-duplicates differ: they are to be looked at.
    assert not [label for label in buttons(at(app, kind="near")) if "in all" in label]


def test_setting_aside_the_rest_of_a_page_leaves_one_of_each_group_and_can_be_undone(
    app: AppTest, library: Library
) -> None:
    press(at(app), "Mark the rest for removal")
    groups = loaded(library, exact(library))
    assert [sum(version.is_aside for version in group.versions) for group in groups] == [2, 1, 1]
    assert not any(group.suggestion.kept.is_aside for group in groups)
    size = sum(version.size for group in groups for version in group.versions if version.is_aside)
    assert duplicates.set_aside(library).size == size
    assert "4 photos marked for removal" in said(app)
    press(app, "Undo")
    assert library.marks.set_aside_of() == set()
    assert "Undo" not in buttons(app)


def test_a_group_that_is_set_aside_whole_says_so_and_its_rest_gives_one_back(app: AppTest, library: Library) -> None:
    group = loaded(library, exact(library))[1]
    library.marks.set_aside([version.photo_id for version in group.versions], True)
    assert "nothing of it would be left" in cards(at(app))[1]["lost"]
    press(app, "Mark the rest for removal")
    assert not loaded(library, exact(library))[1].suggestion.kept.is_aside
    assert not cards(app)[1]["lost"]


def test_where_all_is_there_once_the_page_says_so(
    app: AppTest, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(next((made / "photos").glob("*.jpg")), tmp_path / "photos")
    indexing.add(tmp_path / "library", tmp_path / "photos", "demo")
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "library"))
    assert "No exact copies in the library" in said(at(app))
    assert "No two pictures in the library are this similar" in said(at(app, kind="near"))


def test_a_library_that_may_not_be_written_is_shown_without_switches(
    made: Path, public_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, script = public_tmp / "library", public_tmp / "page.py"
    script.write_text(SCRIPT)
    app = AppTest.from_file(str(script), default_timeout=60)
    shutil.copytree(made / "library", library)
    for path in (library, *library.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(library))
    with as_nobody():
        at(app)
        assert component(app, "groups")["readonly"]
        assert "This library is read-only here" in said(app)
        assert not [label for label in buttons(app) if "removal" in label]
    for path in (library, *library.rglob("*")):
        path.chmod(0o755)


def test_while_it_looks_the_page_shows_how_far_it_is(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "PATIENCE", 0.01)
    ours, released = threading.Event(), threading.Event()

    def other(report: Any) -> None:
        ours.set()
        released.wait(60)

    busy = services().background.job("other work", other)
    assert ours.wait(60)
    # Another selection: these groups were never looked for.
    library = services().library()
    name = library.marks.keep_set(exact(library)[2].tolist())
    at(app, among=name)
    assert app.get("progress")[0].proto.text == "Waiting for other work to end"
    assert not is_shown(app)
    released.set()
    assert busy.wait(60)
    monkeypatch.setattr(view, "PATIENCE", 60)
    assert len(cards(at(app))) == 1
    assert not app.get("progress")


def test_an_indexer_at_work_does_not_change_the_list_under_ones_hands(
    app: AppTest, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made / "library", tmp_path / "library")
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "library"))
    with locked(tmp_path / "library"), Library.open(tmp_path / "library") as library:
        assert len(cards(at(app))) == 3
        gone = loaded(library, exact(library))[2].versions[0].photo_id
        with library.catalog.engine.execution_options(write=True).begin() as connection:
            connection.exec_driver_sql("UPDATE photos SET missing_since = '2020-01-01' WHERE id = ?", (gone,))
            connection.exec_driver_sql("UPDATE library SET generation = generation + 1")
        at(app)
        assert "**3 groups**" in app.markdown[0].value
        assert "This list is from before it started" in said(app)
        press(app, "Refresh")
        assert "**2 groups**" in app.markdown[0].value
        assert "This list is from before it started" not in said(app)


# -- its handlers ---------------------------------------------------------------------------------------------------


@pytest.fixture
def ours(made: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """The library as the page's handlers have it, for a visitor who has done nothing yet."""
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(made / "library"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in list(streamlit.session_state):
        del streamlit.session_state[name]
    yield services().library()
    for name in list(streamlit.session_state):
        del streamlit.session_state[name]


def clicked(number: int, **change: Any) -> dict[str, Any]:
    """A change as the component sends it."""
    return {"of": acknowledged("dup_groups")["of"], "n": number, **change}


def apply_clicks(library: Library, groups: Sequence[duplicates.Group], clicks: Any) -> None:
    set_aside_changes.apply_clicks(library, "dup_groups", groups, clicks)


def test_clicks_that_come_again_are_applied_once(ours: Library) -> None:
    groups = loaded(ours, exact(ours))
    one, two = (version.photo_id for version in groups[1].versions)
    clicks = [clicked(1, photo=one, yes=True)]
    apply_clicks(ours, groups, clicks)
    set_aside_changes.apply_clicks(
        ours, "dup_groups", groups, [*clicks, clicked(2, photo=one, yes=False), clicked(3, photo=two, yes=True)]
    )
    apply_clicks(ours, groups, clicks)
    assert ours.marks.set_aside_of() == {two}
    assert acknowledged("dup_groups")["seen"] == 3
    left = []
    while streamlit.session_state["dup_undo"][1]:
        set_aside_changes.undo(ours)
        left.append(ours.marks.set_aside_of())
    assert left == [set(), {one}, set()]


def test_the_rest_of_a_group_is_that_of_the_group_alone(ours: Library) -> None:
    groups = loaded(ours, exact(ours))
    apply_clicks(ours, groups, [clicked(1, group=groups[0].suggestion.kept.photo_id)])
    assert ours.marks.set_aside_of() == set(groups[0].rest)


def test_a_group_that_is_no_longer_there_and_clicks_of_another_session_change_nothing(ours: Library) -> None:
    groups = loaded(ours, exact(ours))
    set_aside_changes.apply_clicks(
        ours, "dup_groups", groups[1:], [clicked(1, group=groups[0].suggestion.kept.photo_id)]
    )
    kept = groups[0].suggestion.kept.photo_id
    for sent in (None, "no list", [7], [{"n": 2, "group": kept}], [{**clicked(3, group=kept), "of": "another"}],
                 [clicked(4, group=kept) | {"n": "5"}]):  # fmt: skip
        apply_clicks(ours, groups, sent)
    assert ours.marks.set_aside_of() == set()


def test_a_click_that_can_not_be_done_is_not_tried_for_ever(
    ours: Library, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made / "library", tmp_path / "library")
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "library"))
    with pytest.raises(LibraryError, match="Another library"):
        apply_clicks(ours, [], [clicked(1, photo=1, yes=True)])
    assert acknowledged("dup_groups")["seen"] == 1
    assert ours.marks.set_aside_of() == set()


@pytest.mark.parametrize(
    "address",
    [
        {},
        {"kind": "near"},
        {"kind": "near", "alike": "1", "page": "7"},
        {"among": "3f9a1c20", "folder": "photos/a b", "page": "2"},
    ],
)
def test_url_parameters_are_read_as_they_are_written(address: dict[str, str]) -> None:
    assert view.Params.from_url(address).for_url() == address


# -- in a browser ---------------------------------------------------------------------------------------------------


def switches(page: Page) -> Locator:
    return page.get_by_role("switch")


def is_said(page: Page, text: str) -> None:
    expect(page.locator(".st-key-dup_bar")).to_contain_text(text)


def digest(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.browser
def test_photos_are_set_aside_kept_over_a_reload_undone_and_never_touched(
    page: Page, library: Library, made: Path
) -> None:
    before = digest(made / "photos")
    page.goto("/duplicates")
    expect(page.locator(".card")).to_have_count(3)
    # Quicker than the script runs: none may get lost.
    for number in (1, 2, 4):
        switches(page).nth(number).check()
    is_said(page, "3 photos marked for removal")
    page.reload()
    expect(page.get_by_role("switch", checked=True)).to_have_count(3)
    first, second, _ = loaded(library, exact(library))
    assert {version.photo_id for version in first.versions[1:]} | {second.versions[1].photo_id} == (
        library.marks.set_aside_of()
    )
    # What was done before the reload is no longer this visitor's to take back; what is done now is.
    switches(page).nth(1).uncheck()
    is_said(page, "2 photos marked for removal")
    page.get_by_role("button", name="Undo").click()
    is_said(page, "3 photos marked for removal")
    expect(switches(page).nth(1)).to_be_checked()
    assert digest(made / "photos") == before


@pytest.mark.browser
def test_all_but_the_suggestion_goes_with_one_press_by_keyboard_too(page: Page, library: Library) -> None:
    page.goto("/duplicates?kind=near")
    group = loaded(library, near(library))[0]
    button = page.get_by_role("button", name="Mark the rest for removal in group 1", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    is_said(page, f"{count(len(group.rest), 'photo')} marked for removal")
    assert library.marks.set_aside_of() == set(group.rest)
    # The focus is where it was, so that the next group is a Tab away.
    expect(button).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    kept = page.get_by_role("switch").first
    expect(kept).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_text("nothing of it would be left")).to_be_visible()
    expect(kept).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_text("nothing of it would be left")).to_have_count(0)


@pytest.mark.browser
def test_the_exported_lists_are_the_groups_and_what_is_set_aside(page: Page, library: Library) -> None:
    page.goto("/duplicates")
    page.get_by_role("button", name="Mark the rest for removal in group 1", exact=True).click()
    is_said(page, "2 photos marked for removal")

    def export(name: str) -> bytes:
        with page.expect_download() as download:
            page.get_by_role("button", name=name, exact=True).click()
        return Path(download.value.path()).read_bytes()

    page.locator(".st-key-dup_bar").get_by_role("button", name="Export").click()
    records = list(duplicates.group_records(library, exact(library)))
    assert [json.loads(line) for line in export("JSON lines").splitlines()] == records
    rows = list(csv.DictReader(io.StringIO(export("CSV").decode(), newline="")))
    assert [(row["path"], row["state"]) for row in rows] == [(each["path"], each["state"]) for each in records]
    aside = [each["path"] for each in records if each["state"] == "set aside"]
    assert sorted(export("Paths").decode().splitlines()) == sorted(aside)
    assert len(aside) == 2


@pytest.mark.browser
def test_every_state_is_a_link_and_back_goes_from_one_to_the_one_before(page: Page, library: Library) -> None:
    page.goto("/duplicates")
    heading = page.locator(".card h2").first
    expect(heading).to_contain_text("Group 1: 3 photos,")
    page.get_by_text("Near-duplicates", exact=True).click()
    expect(page).to_have_url(f"{page.url.split('?')[0]}?kind=near")
    page.get_by_role("button", name="Next page").click()
    expect(heading).to_contain_text(f"Group {view.PAGE + 1}:")
    assert page.url.endswith("?kind=near&page=2")
    page.reload()
    expect(heading).to_contain_text(f"Group {view.PAGE + 1}:")
    page.go_back()
    expect(heading).to_contain_text("Group 1:")
    page.go_back()
    expect(heading).to_contain_text("Group 1: 3 photos,")
    expect(page.locator(".card")).to_have_count(3)
    page.go_forward()
    expect(page.locator(".card")).to_have_count(view.PAGE)  # the slider stands there before, and is set again
    page.get_by_role("slider").press("ArrowLeft")
    expect(page).to_have_url(f"{page.url.split('?')[0]}?kind=near&alike=2")


@pytest.mark.browser
def test_versions_are_looked_at_large_one_in_the_place_of_the_other(page: Page) -> None:
    page.goto("/duplicates?kind=near")
    look = page.locator(".look").first
    look.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("1 of 2 · keep")
    assert dialog.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    page.keyboard.press("ArrowRight")
    expect(dialog).to_contain_text("2 of 2")
    expect(dialog).to_contain_text("of the pixels")
    page.keyboard.press("ArrowRight")
    expect(dialog).to_contain_text("1 of 2")
    assert browser.violations(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(look).to_be_focused()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["exact", "near"])
def test_everyone_can_use_it(chromium: Browser, url: str, library: Library, scheme: Any, kind: str) -> None:
    library.marks.set_aside(loaded(library, exact(library))[0].rest, True)
    with browser.visiting(chromium, url, color_scheme=scheme) as page:
        page.goto(f"/duplicates?kind={kind}")
        expect(page.locator(".card").first).to_be_visible()
        expect(page.locator(".look img").first).to_have_js_property("complete", True)
        assert browser.violations(page) == []


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["exact", "near"])
def test_it_fits_a_phone_and_hostile_names_are_text(chromium: Browser, url: str, kind: str) -> None:
    with browser.visiting(chromium, url, viewport={"width": 375, "height": 800}) as page:
        page.goto(f"/duplicates?kind={kind}")
        expect(page.get_by_text(HOSTILE).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        boxes = page.locator(".card *").evaluate_all("all => all.map(each => each.getBoundingClientRect().right)")
        assert max(boxes) <= 375
