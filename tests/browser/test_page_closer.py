"""A closer look, on the page and over HTTP, and the part that a picture was found by."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import browser
import pytest
import serving
from pages import APP, asked, buttons, component, opened, said
from playwright.sync_api import Locator, Page, expect
from streamlit.testing.v1 import AppTest

from sightline.query.parser import parse
from sightline.searcher import Searcher

TEXT = "a mug"


def _press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def _wait(app: AppTest) -> None:
    """Wait for the end of a closer look."""
    ends = time.monotonic() + 180
    while "Looked closer" not in said(app) and time.monotonic() < ends:
        time.sleep(0.2)
        app.run()
    assert not app.exception


def test_the_page_offers_a_closer_look_and_shows_what_it_found(app: AppTest, searcher: Searcher) -> None:
    asked(app, TEXT)
    assert component(app, "gallery")["sections"]
    before = component(app, "gallery")
    assert before["boxes"] == {}
    _press(app, "Look closer")
    _wait(app)
    searcher.look_closer(parse(TEXT))
    hits = searcher.search(parse(TEXT), looks="closer").hits
    shown = component(app, "gallery")
    ids = [int(id_) for id_ in shown["ids"].split()]
    assert ids[: len(hits)] == [hit.photo.content_id for hit in hits][: len(ids)]
    found = {str(place): list(hit.box) for place, hit in enumerate(hits) if hit.band != "below" and hit.box}
    assert found and {place: list(map(float, each)) for place, each in shown["boxes"].items()} == found
    assert "Look closer" not in buttons(app)
    hit = next(hit for hit in hits if hit.band != "below" and hit.box)
    opened(app, hit.photo.content_id)
    assert "It was found by a part of it" in said(app)
    pictures = component(app, "viewer")["pictures"]
    around = {picture["id"]: picture["found"] for picture in pictures}
    parts = {each.photo.content_id: each.box if each.band != "below" else None for each in hits}
    assert len(around) > 2 and hit.photo.content_id in around
    assert around == {id_: box and list(box) for id_, box in parts.items() if id_ in around}
    assert hit.box is not None
    (part,) = (each["part"] for each in pictures if each["id"] == hit.photo.content_id)
    assert list(map(float, part.split(","))) == [round(share, 4) for share in hit.box]
    asked(app, "a boat")  # another search begins without
    assert "Look closer" in buttons(app) and component(app, "gallery")["boxes"] == {}


class _EndsSoon(threading.Event):
    """A job's end: not yet where the page looks for hits, and a moment later."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def is_set(self) -> bool:
        self.asked += 1
        return self.asked > 1


def test_a_look_that_ends_while_the_page_is_drawn_is_shown(app: AppTest, searcher: Searcher) -> None:
    asked(app, TEXT)
    _press(app, "Look closer")
    _wait(app)
    boxes = component(app, "gallery")["boxes"]
    app.session_state["closer_look"].job._ended = ends = _EndsSoon()
    app.run()
    assert not app.exception
    assert ends.asked > 1 and "Looked closer" in said(app)
    assert boxes and component(app, "gallery")["boxes"] == boxes


def test_a_closer_look_that_is_stopped_says_how_far_it_came(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made / "library", tmp_path / "library")  # of which nothing was looked at
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    app = asked(AppTest.from_file(str(APP), default_timeout=60), TEXT)
    _press(app, "Look closer")
    _press(app, "Stop")
    _wait(app)
    found = re.search(r"Looked closer at (\d+) of the first (\d+) pictures", said(app))
    assert found is not None and int(found[1]) < int(found[2])
    assert not {"Look closer", "Stop"} & set(buttons(app))


def test_a_closer_look_is_taken_over_http(url: str, searcher: Searcher) -> None:
    def found(**more: object) -> dict[int, list[float] | None]:
        answer = serving.urlopen(f"{url}/api/v1/search?{urlencode({'q': TEXT, 'limit': 200, **more})}").read()
        return {hit["id"]: hit["box"] and list(hit["box"].values()) for hit in json.loads(answer)["hits"]}

    assert not any(found().values())
    closer = found(closer="true")
    searcher.look_closer(parse(TEXT))
    hits = searcher.search(parse(TEXT), limit=200, looks="closer").hits
    assert closer.keys() == {hit.photo.content_id for hit in hits}
    # Both may encode by other means: of tiles that are nearly as near, either is right.
    same = [closer[hit.photo.content_id] == (hit.box and pytest.approx(hit.box)) for hit in hits]
    assert any(closer.values()) and sum(same) >= 0.9 * len(same)


def test_a_search_without_words_or_pictures_offers_none(app: AppTest, searcher: Searcher) -> None:
    searcher.library.concepts.teach("few", searcher.match_ids(parse("a boat"))[:3].tolist())
    for text in ("date:2000..", "concept:few"):
        asked(app, text)
        assert "Look closer" not in buttons(app)
    searcher.library.concepts.forget("few")


def test_the_part_is_outlined_where_its_picture_is_pointed_at_and_where_it_is_open(page: Page) -> None:
    page.goto("/")
    browser.search(page, TEXT)
    page.get_by_role("button", name="Look closer").click()
    expect(page.get_by_text("Looked closer at")).to_be_visible(timeout=180_000)
    part = page.get_by_role("img", name="Found by this part").first
    expect(part).to_be_attached()
    frame = part.locator("xpath=..")
    expect(part).to_have_css("opacity", "0")
    frame.hover()
    expect(part).to_have_css("opacity", "1")
    inner, outer = part.bounding_box(), frame.bounding_box()
    assert inner is not None and outer is not None
    assert outer["x"] - 1 <= inner["x"] and inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 1
    assert inner["width"] < 0.7 * outer["width"] and inner["height"] < 0.7 * outer["height"]
    page.mouse.move(0, 0)
    expect(part).to_have_css("opacity", "0")
    frame.get_by_role("button").first.focus()
    expect(part).to_have_css("opacity", "1")
    page.keyboard.press("Enter")
    large = page.get_by_role("dialog").get_by_role("img", name="Found by this part")
    canvas = page.get_by_role("dialog").locator("div.canvas")
    button = page.get_by_role("dialog").get_by_role("button", name="Outline the part")
    expect(button).to_have_attribute("aria-pressed", "true")
    for _ in range(2):
        assert _shares(large, canvas) == pytest.approx(_shares(part, frame), abs=0.01)
        assert large.evaluate(WIDTH) == pytest.approx(4, abs=0.1)  # however large the picture is
        page.keyboard.press("+")
    page.keyboard.press("p")
    expect(large).to_be_hidden()
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(large).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Search in this picture").click()
    expect(large).to_be_hidden()  # another rectangle is drawn
    page.keyboard.press("Escape")
    expect(large).to_be_visible()
    page.get_by_role("button", name="Show why").click()
    expect(page.get_by_text("What is striped took no part.")).to_be_visible(timeout=60_000)


# How thick the frame is on the screen, px.
WIDTH = """node => Math.max(...getComputedStyle(node).boxShadow.match(/[\\d.]+(?=px)/g)) *
  node.getBoundingClientRect().width / parseFloat(getComputedStyle(node).width)"""


def _shares(part: Locator, whole: Locator) -> list[float]:
    """Where a rectangle lies in another one: left, top, width and height as shares."""
    inner, outer = part.bounding_box(), whole.bounding_box()
    assert inner is not None and outer is not None
    wide, high = outer["width"], outer["height"]
    left, top = (inner["x"] - outer["x"]) / wide, (inner["y"] - outer["y"]) / high
    return [left, top, inner["width"] / wide, inner["height"] / high]
