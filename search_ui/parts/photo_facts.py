"""The facts of one picture, in its dialog. Names are foreign: they are escaped, or shown as code."""

from __future__ import annotations

from html import escape
from typing import Final

import streamlit as st

from search_ui.components.globe import coordinates, globe
from search_ui.parts import page_state
from search_ui.parts.messages import caption, escape_markdown
from search_ui.parts.result_text import facts
from search_ui.parts.tiles import found_by
from sightline.humanize import count, file_name, number
from sightline.query.formatting import printed_filter
from sightline.ranking.results import Hit
from store.library import Library
from store.paths import display, to_bytes, to_path
from store.tables.catalog import PhotoRow
from store.tables.fact_filters import LEVEL
from store.tables.fact_table import FILTERS, WordKey
from store.tables.filters import Place, Word
from store.tables.patterns import literal
from store.tables.tiles import Box
from store.tables.written import words_of

MAX_COPIES: Final = 50
MAX_WORDS: Final = 60
# What "near here" searches: a walk around.
KILOMETRES: Final = 5


def title(photo: PhotoRow) -> None:
    """Draw the file's name."""
    st.html(f'<h3 class="photo-name">{escape(file_name(photo))}</h3>')


def fact_list(photo: PhotoRow) -> None:
    """Draw the facts, label and value."""
    table = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in facts(photo))
    st.html(f'<dl class="facts">{table}</dl>')


def words(photo: PhotoRow) -> None:
    """Draw its keywords and people, each with a button that finds the pictures that have it too."""
    for row in (row for row in FILTERS.values() if isinstance(row, WordKey) and photo.facts[row.kind]):
        caption(row.facet.title if row.facet else row.key)
        with st.container(key=f"words-{row.key}", horizontal=True, gap="small"):
            for at, value in enumerate(photo.facts[row.kind][:MAX_WORDS]):
                levels = words_of(value)
                if not levels:
                    continue
                text = printed_filter(Word(row.key, (literal(levels[-1]),)))
                shown = " \u203a ".join(levels[-1].split(LEVEL))
                st.button(
                    escape_markdown(shown), key=f"word-{row.key}-{at}", type="tertiary",
                    on_click=page_state.set_query, args=[text],
                )  # fmt: skip


def why(photo: PhotoRow, hit: Hit | None) -> None:
    """Draw how it was found, folded away: the cosines and scores, and what names the picture in a query."""
    with st.expander("Why this picture?"):
        if hit is None:
            caption("This search does not show it. It was opened by a link, or from another picture.")
        elif hit.parts:
            _parts_table(hit)
            if (box := found_by(hit)) is not None:
                caption(f"It was found by a part of it: {_sides(box)}.")
        else:
            caption("Nothing was compared: the search has no words and no picture.")
        caption(f"In a query its name is like:{photo.content_id}")


def _sides(box: Box) -> str:
    left, top, width, height = (round(100 * share) for share in box)
    return f"{left} to {left + width} % from the left, {top} to {top + height} % from the top"


def _parts_table(hit: Hit) -> None:
    """Draw how the picture suits each term of the query."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(of.term)}</th><td>{of.cosine:.3f}</td><td>{of.score:+.2f}</td></tr>"
        for of in hit.parts
    )
    if len(hit.parts) > 1:
        rows += f"<tr><th scope='row'>Together</th><td></td><td>{number(hit)}</td></tr>"
    head = "<tr><th scope='col'>Searched for</th><th scope='col'>Cosine</th><th scope='col'>Score</th></tr>"
    st.html(f'<table class="parts"><thead>{head}</thead><tbody>{rows}</tbody></table>')
    together = " Together is between 0 and 1." if len(hit.parts) > 1 else ""
    caption(
        "The cosine says how near the picture is to what was searched for. The score counts standard deviations from "
        f"the threshold of a match, which is 0. What is excluded should be below it.{together}"
    )


def copies(library: Library, photo: PhotoRow) -> None:
    """Draw every path that holds this very file, each with a button that copies it."""
    # As code: Markdown in a name must stay text. It also brings a button to copy the path.
    shown = (photo.root, photo.path)
    _path(*shown)
    others = [place for place in library.catalog.paths_of(photo.content_id) if place != shown]
    if others:
        caption(f"The same file is in {count(len(others), 'more place')}:")
    for root, path in others[:MAX_COPIES]:
        _path(root, path)
    if len(others) > MAX_COPIES:
        caption(f"The first {MAX_COPIES} of {len(others):,}.")


def _path(root: bytes, path: bytes) -> None:
    st.code(display(to_bytes(to_path(root, path))), language=None, wrap_lines=True)


def place(photo: PhotoRow) -> None:
    """Draw where it was taken, with buttons that find pictures of there; nothing where unknown."""
    town, country = photo.facts["town"], photo.facts["country"]
    if town or country:
        names = tuple(name.replace(",", " ") for name in (town, country) if name)
        st.button(
            f"Pictures in {escape_markdown(town or country)}", key="in-place", type="tertiary",
            on_click=page_state.set_query, args=[printed_filter(Place("place", (", ".join(names),)))],
        )  # fmt: skip
    latitude, longitude = photo.facts["latitude"], photo.facts["longitude"]
    if latitude is None or longitude is None:
        return
    st.html(globe(latitude, longitude))
    st.code(coordinates(latitude, longitude), language=None)
    near = f"near:{coordinates(latitude, longitude).replace(' ', '')},{KILOMETRES}"
    st.button("Pictures near here", key="near", type="tertiary", on_click=page_state.set_query, args=[near])
