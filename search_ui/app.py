"""The page. Streamlit runs this script from top to bottom for every visitor and every click.

What a visitor asked for is in the address (`?q=` words, `?like=` a picture) or in the session (a dropped picture, how
many hits), so that a reload or a shared link shows the same. Handlers only change that; drawing follows from it.
"""

from __future__ import annotations

import os
import shlex
from contextlib import nullcontext
from html import escape
from typing import Any, Final

import streamlit as st
from sqlalchemy.exc import DatabaseError

from search_ui.gallery import Chip, Tile, gallery, intake
from search_ui.pictures import thumbnail
from search_ui.query import MAX_HITS, MAX_PICTURE_BYTES, Query
from search_ui.searcher import Found, Result, Searcher
from search_ui.services import services
from search_ui.words import ago, count, facts, file_name, headline
from store.catalog import Counts, PhotoRow
from store.errors import LibraryError, SightlineError
from store.library import is_indexing
from store.paths import display, to_bytes, to_path

PAGE: Final = 60
MAX_FAILURES: Final = 200
WRONG: Final = "The library's database can't be read just now. Reload the page; if it stays so, restore a backup."
# Drawn here: a browser would fetch Streamlit's `:material/...:` page icons from Google.
ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0f766e"/>'
    '<circle cx="16" cy="16" r="8" fill="none" stroke="#fff" stroke-width="3"/>'
    '<circle cx="16" cy="16" r="2.5" fill="#fff"/></svg>'
)
STYLE: Final = """
.stMainBlockContainer { padding: 2rem clamp(1rem, 4vw, 4rem) 3rem; max-width: 1800px; }
.stMainBlockContainer h1 { font-size: 1.6rem; letter-spacing: -0.01em; padding: 0 0 0.6rem; }
.stMainBlockContainer h3 { font-size: 1.2rem; }
.st-key-q input { font-size: 1.05rem; }
dl.facts.facts.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1rem; margin: 0; padding: 0; }
.facts dt { opacity: 0.65; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
"""

# -- what was asked for ---------------------------------------------------------------------------------------------


def asked_like() -> int | None:
    """The content id in the address; None where there is none, or something that is no id."""
    said = st.query_params.get("like", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None


def asked() -> Query | None:
    """The query that the page is at, or None where nothing was asked for.

    Raises:
        QueryError: what was asked can't be searched for.
    """
    text, like = st.session_state.get("q") or "", asked_like()
    dropped = services().shelf.get(st.session_state.get("picture") or "")
    if not text.strip() and like is None and dropped is None:
        return None
    return Query(text, dropped.data if dropped else None, like, st.session_state.get("k", PAGE))


def ask(text: str, like: int | None, picture: str | None) -> None:
    """Go to another query, at its first page: words, a picture of the library, the name of a dropped picture."""
    st.session_state.update(q=text, picture=picture, k=PAGE)
    address = {name: value for name, value in (("q", text), ("like", str(like or ""))) if value}
    if address != st.query_params.to_dict():
        # All at once: each change of the address is a step that the browser's Back takes.
        st.query_params.from_dict(address)


def ask_words() -> None:
    """Search for what the box holds now, beside the pictures that are there."""
    ask(st.session_state["q"], asked_like(), st.session_state.get("picture"))


def look_like(content_id: int) -> None:
    """Search for pictures like one of the library; words and a dropped picture go, and can be added to it again."""
    ask("", content_id, None)


def take_picture(name: str) -> None:
    """Search with a picture that was put on the server's shelf, beside the words that are there."""
    ask(st.session_state["q"], None, name)


def remove_term(term: str) -> None:
    """Take a picture out of the query."""
    like, picture = asked_like(), st.session_state.get("picture")
    ask(st.session_state["q"], None if term == "like" else like, None if term == "picture" else picture)


def show_more() -> None:
    """A page more of the same query."""
    st.session_state["k"] = min(st.session_state.get("k", PAGE) + PAGE, MAX_HITS)


# -- parts of the page ----------------------------------------------------------------------------------------------


def search_bar(searcher: Searcher) -> None:
    """The box for words, the way in for pictures, and the pictures that are part of the query."""
    st.session_state.setdefault("q", st.query_params.get("q", ""))
    st.text_input(
        "Search", key="q", label_visibility="collapsed", icon=":material/search:", on_change=ask_words,
        placeholder="Describe a picture: two red boats, snow on a roof …",
    )  # fmt: skip
    chips: list[Chip] = []
    like, name = asked_like(), st.session_state.get("picture")
    if like is not None:
        content_hash = searcher.library.catalog.hash_of(like)
        # Shown also where there is no such picture: it must be possible to take it out of the query.
        src = f"/thumb/{content_hash.hex()}.jpg" if content_hash else ""
        chips.append({"term": "like", "src": src, "label": "like this picture" if src else "unknown picture"})
    if name is not None and services().shelf.get(name) is not None:
        chips.append({"term": "picture", "src": f"/picture/{name}.jpg", "label": "your picture"})
    intake(
        chips, key="intake", max_bytes=MAX_PICTURE_BYTES,
        on_picture=lambda: take_picture(st.session_state["intake"].picture),
        on_remove=lambda: remove_term(st.session_state["intake"].removed),
    )  # fmt: skip


def tile(photo: PhotoRow, found: Found | None = None) -> Tile:
    """A picture as the grid wants it."""
    parts = "" if found is None else "".join(f"\n{name} {score:.3f}" for name, score in found.parts.items())
    return {
        "id": photo.content_id,
        "src": f"/thumb/{photo.hash.hex()}.jpg",
        "name": file_name(photo),
        "score": "" if found is None else f"{found.score:.3f}" if len(found.parts) == 1 else f"{found.score:+.2f}",
        "title": f"{photo.display}{parts}",
        "ratio": photo.facts["width"] / max(1, photo.facts["height"]),
    }


def results(searcher: Searcher, query: Query) -> dict[int, Found]:
    """Search, draw the hits, say what they are. Returns them by content id."""
    loading = searcher.needs_model(query)
    note = "Loading the model: only the first search waits for it …" if loading else "Searching …"
    with st.spinner(note) if loading else nullcontext():
        result = remembered(searcher, query)
    if not result.hits:
        st.info("No picture can be found: all that were indexed are missing from their folders.")
        return {}
    st.caption(headline(result, query))
    grid([tile(hit.photo, hit) for hit in result.hits])
    more_button(len(result.hits), query.k, result.total)
    return {hit.photo.content_id: hit for hit in result.hits}


def remembered(searcher: Searcher, query: Query) -> Result:
    """The result of a query; of the session's last one where neither it nor the library changed since."""
    state = (query, searcher.library.catalog.generation(), searcher.space().key)
    if st.session_state.get("result_of") != state:
        st.session_state["result"] = searcher.search(query)
        st.session_state["result_of"] = state
    result: Result = st.session_state["result"]
    return result


def newest(searcher: Searcher, k: int) -> None:
    """The page before anything was asked for: what was indexed last."""
    photos = searcher.recent(k)
    if not photos:
        st.info("The library holds no pictures that are there now. Index a folder:")
        st.code(f"python -m indexer ./photos{named_library()}", language="bash")
        return
    st.caption("Indexed last. Type above, or show a picture, to search.")
    grid([tile(photo) for photo in photos])
    more_button(len(photos), k, searcher.library.catalog.counts(searcher.space().id).pictures)


def grid(tiles: list[Tile]) -> None:
    """The grid of pictures, wired to this page."""
    gallery(
        tiles, key="gallery", on_open=lambda: None,
        on_like=lambda: look_like(st.session_state["gallery"].liked),
    )  # fmt: skip


def more_button(shown: int, k: int, total: int) -> None:
    """Offers more where there are more."""
    if shown >= k and shown < min(total, MAX_HITS):
        with st.container(horizontal_alignment="center"):
            st.button("Show more", on_click=show_more)


@st.dialog("Picture", width="medium")
def detail(searcher: Searcher, content_id: int, found: Found | None) -> None:
    """One picture, larger, with what is known of it."""
    photo = searcher.library.catalog.photos([content_id]).get(content_id)
    if photo is None:
        st.write("This picture is no longer where it was.")
        return
    data = thumbnail(searcher.library, photo.hash)
    if data is None:
        st.write("The file of this picture changed or can't be read; the next indexing run will see to it.")
    else:
        with st.container(horizontal_alignment="center"):
            st.image(data)
    # As code: names are not ours, and Markdown in them must stay text. It also brings a button to copy the path.
    st.code(display(to_bytes(to_path(photo.root, photo.path))), language=None, wrap_lines=True)
    rows = facts(photo)
    if found is not None:
        rows.append(("Score", ", ".join(f"{name} {score:.3f}" for name, score in found.parts.items())))
        if len(found.parts) > 1:
            rows.append(("Together", f"{found.score:+.2f}"))
    table = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in rows)
    st.html(f'<dl class="facts">{table}</dl>')
    # As a handler: it runs before the box for words is drawn again, which may not be changed after.
    if st.button("More like this", type="primary", on_click=look_like, args=[content_id]):
        st.rerun()


@st.dialog("Files that could not be read", width="large")
def failures(searcher: Searcher) -> None:
    """Which files are not in the library, and why."""
    rows = searcher.library.catalog.failures()
    st.caption("They are tried again when they change. Everything else can be searched.")
    st.dataframe(
        [{"File": display(to_bytes(to_path(row.root, row.path))), "Why": row.reason} for row in rows[:MAX_FAILURES]],
        hide_index=True,
    )
    if len(rows) > MAX_FAILURES:
        st.caption(f"The first {MAX_FAILURES} of {len(rows):,}.")


def status(searcher: Searcher, counts: Counts) -> None:
    """A quiet line on the state of the library."""
    last = searcher.library.catalog.last_run()
    ended = last["finished_at"] if last else None
    said = [count(counts.pictures, "picture"), f"space {searcher.space().name}", f"state {counts.generation}"]
    if is_indexing(searcher.library.path):
        said.append("an indexing run is going on: new pictures appear with the next search")
    elif ended:
        said.append(f"indexed {ago(ended)}")
    if counts.missing:
        said.append(f"{count(counts.missing, 'file')} missing")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(" · ".join(said).replace("_", r"\_"))
        if counts.failed and st.button(f"{count(counts.failed, 'file')} could not be read", type="tertiary"):
            failures(searcher)


# -- the page -------------------------------------------------------------------------------------------------------


def first_run(reason: str) -> None:
    """The page of someone who has indexed nothing yet."""
    st.subheader("Nothing to search yet", anchor=False)
    st.write("Give Sightline a folder of pictures. They stay where they are, and nothing leaves this computer:")
    st.code(f"python -m indexer ./photos{named_library()}", language="bash")
    st.write("Or try it on drawn ones first, with the small model Sightline ships:")
    st.code(
        f"python -m indexer.demo ./demo-photos\npython -m indexer ./demo-photos --space demo{named_library()}",
        language="bash",
    )
    st.caption("Then reload this page.")
    with st.expander("Details"):
        st.text(reason)


def named_library() -> str:
    """The option that makes the indexer write the library this page shows; empty where it is the default one."""
    return f" --library {shlex.quote(str(services().path))}" if "SIGHTLINE_LIBRARY" in os.environ else ""


def page() -> None:
    """Draw the page."""
    st.title("Sightline", anchor=False)
    try:
        searcher = services().searcher()
        space = searcher.library.catalog.default_space()
    except LibraryError as error:
        first_run(str(error))
        return
    if space is None:
        first_run("The library is there, but nothing was indexed into it yet.")
        return
    search_bar(searcher)
    shown: dict[int, Found] = {}
    try:
        query = asked()
        if query is None:
            newest(searcher, st.session_state.get("k", PAGE))
        else:
            shown = results(searcher, query)
    except SightlineError as error:
        st.warning(_escaped(str(error)), icon=":material/info:")
    status(searcher, searcher.library.catalog.counts(space.id))
    opened: Any = st.session_state.get("gallery", {}).get("opened")
    if opened is not None:
        detail(searcher, int(opened), shown.get(int(opened)))


def _escaped(text: str) -> str:
    """Text as Markdown that shows the same: messages may quote what was typed."""
    return "".join(f"\\{char}" if char in r"\`*_{}[]()<>#+-!|$:~" else char for char in text)


st.set_page_config("Sightline", page_icon=ICON, layout="wide")
st.html(f"<style>{STYLE}</style>")
try:
    page()
except DatabaseError:
    st.error(WRONG)
