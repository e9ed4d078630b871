"""What tests of the pages ask: of the page without a browser, of the one in a browser, and of the library itself."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest
from support import ROOT

from search_ui.parts import page_state
from sightline.query.edits import disliked, liked
from sightline.query.parser import explain, parse, to_text
from sightline.searcher import Searcher

APP = ROOT / "search_ui" / "app.py"
HOSTILE = "<img src=x onerror=alert(1)>.jpg"
HOSTILE_NAME = "**a** [b](//c.io) <img src=x onerror=alert(1)> www.d.io"
DRAWN = 132
COUNT = DRAWN + 4  # more than the page shows at first
FIRST = page_state.FIRST
ALL = "width:>=1 dedup:off"  # what every picture is
BOATS = "two red boats"
NOTHING = "purple elephant"


def names(searcher: Searcher, text: str) -> list[str]:
    """File names of what the page is to show first, in order: hits that are not folded away."""
    hits = searcher.search(parse(text), limit=FIRST).hits
    above = [hit for hit in hits if hit.band != "below"]
    return [hit.photo.display.rsplit("/", 1)[-1] for hit in above or hits]


def more(text: str, content_id: int) -> str:
    return to_text(liked(parse(text), content_id))


def less(text: str, content_id: int) -> str:
    return to_text(disliked(parse(text), content_id))


def parts(text: str) -> list[str]:
    return [line.text for line in explain(parse(text))]


def first_id(searcher: Searcher, text: str) -> int:
    return searcher.search(parse(text)).hits[0].photo.content_id


def said(app: AppTest) -> str:
    """All small texts and messages of the page."""
    htmls = [
        re.sub(r"<[^>]*>", "", element.proto.body) for element in app.get("html") if "<style" not in element.proto.body
    ]
    return unescape("\n".join([*(caption.value for caption in app.caption), *htmls]))


def component(app: AppTest, name: str) -> Any:
    """What one of the page's own components was given to draw."""
    found = [element.proto for element in app.get("bidi_component")]
    return next(json.loads(each.json)[0] for each in found if each.component_name == f"sightline_{name}")


def components(app: AppTest) -> list[str]:
    """The names of the page's own components that are drawn."""
    return [element.proto.component_name.removeprefix("sightline_") for element in app.get("bidi_component")]


def grid(app: AppTest) -> list[dict[str, Any]]:
    """The sections of pictures that the page was given to draw, unpacked: `title`, `fold`, `tiles`."""
    data = component(app, "gallery")
    ids = [int(id_) for id_ in data["ids"].split()]
    folders = [data["folders"][int(place)] for place in data["folder"].split()]
    tiles = [
        {"id": id_, "name": name, "folder": folder, "folded": data["folded"].get(str(place), 0)}
        for place, (id_, name, folder) in enumerate(zip(ids, data["names"].split("/"), folders, strict=True))
    ] if ids else []  # fmt: skip
    made, first = [], 0
    for section in data["sections"]:
        made.append({**section, "tiles": tiles[first : first + section["count"]]})
        first += section["count"]
    return made


def sections(app: AppTest) -> list[tuple[str, list[str]]]:
    """Title, or what opens it, and file names of each section of pictures."""
    return [(part["title"] or part["fold"], [tile["name"] for tile in part["tiles"]]) for part in grid(app)]


def asked(app: AppTest, text: str) -> AppTest:
    """The page with what was found for a query, when the model is loaded."""
    app.query_params["q"] = text
    # The address is read when a session begins, and never again.
    if "query" in app.session_state:
        app.session_state["query"] = text
    for _ in range(100):
        app.run()
        assert not app.exception, app.exception
        if "Loading the model" not in said(app):
            break
    return app


class QueryBox:
    """The box that holds the text of the query: a component, which AppTest can't type into."""

    def __init__(self, app: AppTest) -> None:
        self._app = app

    @property
    def value(self) -> str:
        """The text that the page last gave the box, or was sent by it."""
        return str(component(self._app, page_state.BOX)["address"].get("q", ""))

    def set_value(self, text: str) -> AppTest:
        """Send a text with the next run, as Enter does."""
        told = component(self._app, page_state.BOX)["acknowledged"]
        self._app.session_state[page_state.BOX] = {"sent": [{"of": told["of"], "n": told["seen"] + 1, "text": text}]}
        return self._app


def query_box(app: AppTest) -> QueryBox:
    """The box that holds the text of the query."""
    return QueryBox(app)


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def opened(app: AppTest, content_id: int) -> AppTest:
    """The page with the dialog of a picture open."""
    app.query_params["photo"] = str(content_id)
    app.session_state["photo"] = content_id
    query = app.query_params.get("q", "")  # a text or a list of texts
    return asked(app, query if isinstance(query, str) else query[0])


def tiles(page: Page, names: list[str]) -> None:
    """Wait until these are the pictures that can be seen, in this order."""
    expect(page.locator(".tile:visible .name")).to_have_text(names)


def chips(page: Page, labels: list[str]) -> None:
    expect(page.locator(".chip .label")).to_have_text(labels)
