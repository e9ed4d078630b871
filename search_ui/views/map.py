"""The Map page: pictures as points, by content, or by location on a world map."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Literal, get_args

import numpy as np
import streamlit as st

from search_ui.components.map import Entry, Name, draw_map
from search_ui.parts import page_state
from search_ui.parts.messages import caption, escape_markdown, handler_error, message, run_handler
from search_ui.parts.page_frame import with_library
from search_ui.parts.run_banner import banner
from search_ui.runtime.map_builders import maps_of
from search_ui.runtime.map_payloads import map_payloads, packed
from sightline.humanize import count
from sightline.maps import colours, lasso
from sightline.maps.builder import Look
from sightline.maps.colours import BYS, By, Colouring
from sightline.maps.files import Layout
from sightline.maps.layout import separated
from sightline.query.types import QueryError
from sightline.searcher import Searcher
from store.arrays import Floats, Ids
from store.library import Library
from store.tables.catalog import SpaceState
from store.tables.filters import Place

Tab = Literal["meaning", "earth"]
TABS: Final[tuple[Tab, ...]] = get_args(Tab)

_TAB_NAMES: Final[dict[Tab, str]] = {"meaning": "By content", "earth": "World map"}
_BY_NAMES: Final[dict[By, str]] = {"cluster": "Group", "folder": "Folder", "year": "Year"}
_KEY: Final = "map"
_TOWNS: Final = 24  # as many names are tried; those that would hide others are not drawn
_STEP: Final = 1e-5  # of 180 degrees: 200 m, as far as a telephone's position may be off


@with_library
def page(searcher: Searcher) -> None:
    """Draw the page."""
    st.title("Map", anchor=False)
    banner()
    handler_error()
    space, tab, by = _controls(searcher)
    look = maps_of(searcher).look(space)
    # What is being made, also where the other tab is shown: colours by group come of it.
    if tab == "earth":
        _earth(searcher, space, look.layout, by)
    elif look.layout is not None:
        _meaning(searcher, space, look.layout, by)
    if look.is_making or look.job.error:
        _progress(searcher, space, look)


# -- what is shown --------------------------------------------------------------------------------------------------


def _controls(searcher: Searcher) -> tuple[SpaceState, Tab, By]:
    """Draw the controls; returns the space, the tab and the colours that the URL or a click says."""
    spaces = {space.name: space for space in searcher.library.catalog.spaces() if space.count}
    default = searcher.space()
    space = spaces.get(st.query_params.get("space", ""), default)
    tab = _one_of(st.query_params.get("tab", ""), TABS)
    by = _one_of(st.query_params.get("by", ""), BYS)
    for key, value in (("map_tab", tab), ("map_by", by), ("map_space", space.name)):
        st.session_state[key] = value  # what the URL says, which Back may have changed

    def navigate() -> None:
        chosen = {"tab": st.session_state["map_tab"] or tab, "by": st.session_state["map_by"] or by,
                "space": st.session_state.get("map_space") or space.name}  # fmt: skip
        defaults = {"tab": TABS[0], "by": BYS[0], "space": default.name}
        st.query_params.from_dict({name: value for name, value in chosen.items() if value != defaults[name]})

    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="map-controls"):
        st.segmented_control("View", TABS, key="map_tab", format_func=lambda each: _TAB_NAMES[each], on_change=navigate)
        st.segmented_control("Colour", BYS, key="map_by", format_func=lambda each: _BY_NAMES[each], on_change=navigate)
        if len(spaces) > 1:
            st.selectbox("Model", list(spaces), key="map_space", on_change=navigate, width=220)
    return space, tab, by


def _one_of(given: str, known: tuple[Any, ...]) -> Any:
    return given if given in known else known[0]


def _meaning(searcher: Searcher, space: SpaceState, layout: Layout, by: By) -> None:
    if not len(layout.ids):
        message("There are no pictures to show.")
        return
    colouring = _grouped(layout) if by == "cluster" else _coloured(searcher, layout.ids, by)
    shown = count(len(layout.ids), "picture")
    changes = f" {count(layout.since, 'change')} since the map was made." if layout.since else ""
    caption(f"{shown}. Similar pictures are close together.{changes}")
    _draw(
        searcher, layout.ids, layout.places, colouring, space, "meaning", names_of(layout),
        about=f"A map of {shown}: similar pictures are close together.",
    )  # fmt: skip


def _earth(searcher: Searcher, space: SpaceState, layout: Layout | None, by: By) -> None:
    ids, latitudes, longitudes = searcher.library.catalog.located()
    if not len(ids):
        message("No picture has a location. Cameras write it into their files only if told to.")
        return
    places = separated(np.stack([longitudes, latitudes], axis=1).astype(np.float32) / np.float32(180), step=_STEP)
    shown = f"{len(ids):,} of {count(searcher.library.catalog.counts().pictures, 'picture')}"
    caption(f"{shown} have a location. Pictures at one spot are spread out a little.")
    if by != "cluster":
        colouring = _coloured(searcher, ids, by)
    elif layout is not None:  # the same colours as on the other tab
        colouring = _grouped(layout).picked(layout.ids, ids)
    else:
        colouring = Colouring(np.full(len(ids), colours.REST, np.uint8), ())
    _draw(
        searcher, ids, places, colouring, space, "earth", town_names(searcher.library, ids, places),
        about=f"{shown} as points on a world map.",
    )  # fmt: skip


def _coloured(searcher: Searcher, ids: Ids, by: Literal["folder", "year"]) -> Colouring:
    return (colours.by_folder if by == "folder" else colours.by_year)(searcher.library, ids)


def _grouped(layout: Layout) -> Colouring:
    if not layout.labels:  # they are made last
        return Colouring(np.full(len(layout.ids), colours.REST, np.uint8), ())
    return colours.by_cluster(layout.clusters, layout.labels, layout.places)


def _draw(
    searcher: Searcher, ids: Ids, places: Floats, colouring: Colouring, space: SpaceState, tab: Tab,
    names: Sequence[Name], *, about: str,
) -> None:  # fmt: skip
    legend: list[Entry] = [
        {"number": each.number, "name": each.name, "count": each.count, "light": each.light, "dark": each.dark}
        for each in colouring.categories
    ]
    choose = partial(choose_pictures, searcher, ids, places, colouring)
    draw_map(
        map_payloads().register(space.id, packed(ids, places, colouring.of)), key=_KEY, kind=tab,
        view=f"{tab} {space.id}", about=about, legend=legend, names=names, quiet=colours.QUIET,
        reach=(1.0, 0.5) if tab == "earth" else reach_of(places),
        on_open=lambda: run_handler(lambda: open_picture(st.session_state[_KEY].opened)),
        on_choose=lambda: run_handler(lambda: choose(st.session_state[_KEY].chosen)),
    )  # fmt: skip


def reach_of(places: Floats) -> tuple[float, float]:
    """Return the largest |x| and |y| of places float32 (n, 2), but at least 0.2."""
    x, y = np.maximum(np.abs(places).max(axis=0), 0.2).tolist()
    return round(x, 3), round(y, 3)


def names_of(layout: Layout) -> list[Name]:
    """Return the names written on the map, each at the middle of its group, the largest group first."""
    names: list[Name] = []
    for number, name in enumerate(layout.labels):
        places = layout.places[layout.clusters == number]
        if name and len(places):
            # The median: a few that lie elsewhere do not draw a name away from the others.
            x, y = np.median(places, axis=0).tolist()
            names.append({"name": name, "x": x, "y": y})
    return names


def town_names(library: Library, ids: Ids, places: Floats) -> list[Name]:
    """Return the names of the towns with the most pictures, each at the middle of them, the most first.

    Args:
        library: tells the towns.
        ids: content ids, int64 (n,).
        places: float32 (n, 2).
    """
    names: list[Name] = []
    for name, _ in library.catalog.facets(limit=_TOWNS)["towns"]:
        there = places[np.isin(ids, library.catalog.matching([Place("town", (name,))]), kind="table")]
        if len(there):
            x, y = np.median(there, axis=0).tolist()
            names.append({"name": name, "x": x, "y": y})
    return names


# -- work in the background -----------------------------------------------------------------------------------------


def _progress(searcher: Searcher, space: SpaceState, look: Look) -> None:
    if look.job.error:
        message(f"The map could not be made: {look.job.error}", role="alert")
        st.button("Try again", on_click=maps_of(searcher).again, args=[space])
        return
    # Not more often: after each run Streamlit collects garbage, which takes time from the work itself.
    st.fragment(_watch, run_every=2.0)(searcher, space, look)


def _watch(searcher: Searcher, space: SpaceState, shown: Look) -> None:
    if not shown.job.is_running or maps_of(searcher).newest(space) is not shown.layout:
        st.rerun()
    st.progress(shown.job.done, text=escape_markdown(shown.job.doing or "Waiting for other work"))


# -- handlers -------------------------------------------------------------------------------------------------------


def open_picture(given: Any) -> None:
    """Open a picture on the Search page, by its content id. A handler.

    Raises:
        QueryError: it is no id.
    """
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise QueryError("That is no picture. Click on a point.")
    page_state.open_photo_in_search(given)


def choose_pictures(searcher: Searcher, ids: Ids, places: Floats, colouring: Colouring, given: Any) -> None:
    """Search for the pictures in a `{"polygon": ...}`, or of a `{"category": number}`. A handler.

    Raises:
        QueryError: it is neither, or there is no picture there.
        SightlineError: the selection can't be kept.
    """
    wanted = given if isinstance(given, dict) else {}
    if "polygon" in wanted:
        chosen = ids[lasso.inside(lasso.corners(wanted["polygon"]), places)]
    elif isinstance(wanted.get("category"), int):
        chosen = ids[colouring.of == wanted["category"]]
    else:
        raise QueryError("Nothing is selected. Draw around some pictures, or press a name below the map.")
    if not len(chosen):
        raise QueryError("No pictures there. Draw around some.")
    page_state.open_search(f"set:{searcher.library.marks.keep_set(chosen.tolist())}")
