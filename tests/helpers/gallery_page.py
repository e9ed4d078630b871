"""A page with the gallery and nothing of the search: as many pictures as the address asks for, of what a library holds.

Run by the tests of the gallery, with the routes of the server before it. `?count=` pictures, in `?sections=` parts;
with `?moving=1` what stands above them moves them; with `?deaf=1` the first changes of favourites are lost.
"""

from __future__ import annotations

import random
from contextlib import nullcontext
from typing import Any, Final

import streamlit as st

from search_ui.components.event_queue import apply, pending
from search_ui.components.gallery import Section, Tile, gallery
from search_ui.runtime.services import services

NAMES: Final = {3: "<img src=x onerror=alert(1)>.jpg", 5: "a  b \u202e\U0001f6a4.jpg"}
BROKEN: Final = 7
SHAPES: Final = (4 / 3, 3 / 2, 3 / 4, 2 / 3, 1.0, 16 / 9, 6.0, 0.2)
TITLES: Final = (("Matches", ""), ("Possible matches", ""), ("", "Less similar"))


def tile(id_: int, content_hash: bytes, ratio: float) -> Tile:
    """A picture under a made-up name."""
    said = st.session_state
    return {
        "id": id_,
        "hash": bytes(32).hex() if id_ == BROKEN else content_hash.hex(),
        "folder": "/photos/made up/",
        "name": NAMES.get(id_, f"picture {id_}.jpg"),
        "ratio": ratio,
        "colour": f"#{id_ * 7919:06x}",
        "folded": 2 if id_ == 2 else 0,
        "favourite": id_ in said.favourites,
        "asked": "liked" if id_ in said.liked else "disliked" if id_ in said.disliked else "",
    }


def sections(count: int, parts: int, query: str) -> list[Section]:
    """As many made-up pictures, those of the library again and again; the other way round where the query says so."""
    photos = list(services().searcher().recent(60))
    shapes = random.Random(0)
    tiles = [
        tile(number + 1, photos[number % len(photos)].hash, shapes.choice(SHAPES)) for number in range(count)
    ]  # fmt: skip
    if query == "reversed":
        tiles.reverse()
    each = -(-count // parts)
    return [
        {"title": title, "fold": fold, "tiles": tiles[part * each : (part + 1) * each]}
        for part, (title, fold) in enumerate(TITLES[:parts])
    ]


@st.dialog("Picture", on_dismiss="rerun")
def dialog(id_: int) -> None:
    """What an opened picture shows."""
    st.write(f"picture {id_} is open")
    if st.button("Next"):
        st.session_state.at = id_ + 1
        st.write(f"picture {id_ + 1} is open")
    st.text_input("Tags")


def draw() -> None:
    """Draw the page."""
    said: Any = st.session_state
    for name, value in {
        "favourites": set(), "liked": set(), "disliked": set(), "more": 0, "stamp": 0, "unfolded": False, "events": 0,
        "at": None, "chosen": [],
    }.items():  # fmt: skip
        said.setdefault(name, value)

    def change(name: str, trigger: str) -> None:
        said[name] = said[name] ^ {said.gallery[trigger]}
        for other in {"liked": ["disliked"], "disliked": ["liked"]}.get(name, []):
            said[other] = said[other] - {said.gallery[trigger]}

    st.set_page_config(layout="wide")
    words = st.query_params

    def star(change: dict[str, Any]) -> None:
        said.favourites = said.favourites | {change["id"]} if change["yes"] else said.favourites - {change["id"]}

    stars = said.get("gallery", {}).get("favourites")
    if "deaf" in words and pending("gallery", stars) and "deaf" not in said:
        said.deaf = True
    else:
        apply("gallery", stars, star)
    query = st.text_input("Search", key="q")
    sent = said.get("gallery", {}).get("selected") or {"query": None}
    if sent["query"] == query and sent["stamp"] >= said.stamp and sent["ids"] != said.chosen:
        said.update(chosen=sent["ids"], events=said.events + 1)
    # Where what is above it comes and goes, Streamlit takes the gallery away and makes it again.
    with nullcontext() if "moving" in words else st.container():
        if said.chosen:
            st.write(f"selected: {said.chosen}")
            st.button("Clear", on_click=lambda: said.update(stamp=said.stamp + 1, chosen=[]))
    opened = said.get("gallery", {}).get("opened")
    if opened is not None:
        said.at = None
        dialog(opened)
    gallery(
        sections(int(words.get("count", 60)) + said.more, int(words.get("sections", 1)), query),
        key="gallery", query=query, is_unfolded=said.unfolded, selected=said.chosen, stamp=said.stamp, focus=said.at,
        on_open=lambda: None, on_like=lambda: change("liked", "liked"),
        on_dislike=lambda: change("disliked", "disliked"),
        may_star="readonly" not in words,
        on_fold=lambda: said.update(unfolded=said.gallery.fold == "open"),
    )  # fmt: skip
    st.button("Show more", on_click=lambda: said.update(more=said.more + 60))
    st.caption(f"favourites {sorted(said.favourites)}, told {said.events} times")


if __name__ == "__main__":
    draw()
