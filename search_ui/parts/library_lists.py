"""The lists of the Library page: folders, models, disk use, runs, failures, commands; all escaped."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import PurePosixPath
from typing import Final

import streamlit as st

from search_ui.parts import run_text
from search_ui.parts.messages import caption, named_library
from search_ui.runtime.folder_input import Presence
from sightline.humanize import ago, count, size
from store.library import Library
from store.paths import display, to_bytes, to_path
from store.remote import shown
from store.tables import library_reports, tiles
from store.tables.library_reports import FailedFile, FailureKind, RunRow
from store.tables.records import RootState, SpaceState

PAGE: Final = 20
_ABSENT: Final[Mapping[Presence, str]] = {
    "gone": "This folder is not there now. If it is on a drive, connect that: nothing is forgotten meanwhile.",
    "empty": "This folder is empty now. Its drive may not be mounted: nothing is forgotten meanwhile.",
    "silent": "This folder does not answer. A network drive may be away.",
}
_STATES: Final = {
    "done": "done", "interrupted": "stopped", "failed": "failed", "killed": "was killed",
    "running": "running",
}  # fmt: skip


def root(of: RootState, presence: Presence) -> None:
    """Draw a folder: its path, what is in it, when it was last scanned, and whether it is there."""
    parent, _, name = of.display.rstrip("/").rpartition("/")
    parts = [count(of.photos, "picture")]
    parts += [f"{of.missing:,} missing"] if of.missing else []
    parts += [f"{of.failed:,} unreadable"] if of.failed else []
    parts += [f"checked {ago(of.last_walked_at)}" if of.last_walked_at else "scan not finished"]
    if words := of.options.in_words():
        parts += ["; ".join(words)]
    alert = f'<div class="lib-alert">{escape(_ABSENT[presence])}</div>' if presence != "there" else ""
    st.html(
        f'<div class="lib-root"><div class="lib-path"><span class="quiet">{escape(parent)}/</span>'
        f'<strong>{escape(name)}</strong></div><div class="quiet">{escape(" · ".join(parts))}</div>{alert}</div>'
    )


def spaces(
    library: Library, held: Sequence[SpaceState], default: SpaceState | None, behind: Mapping[int, int]
) -> None:  # fmt: skip
    """Draw the models of the library, and how many pictures each has seen, and is behind."""
    all_ = library_reports.contents(library.catalog)
    cut = tiles.counts(library.catalog.engine)
    rows = []
    for space in held:
        part = space.count / all_ if all_ else 0.0
        mark = '<span class="lib-tag">active</span>' if default and default.id == space.id else ""
        text = "words and pictures" if space.has_text else "pictures only"
        text += f" · {count(behind[space.id], 'picture')} behind" if behind.get(space.id) else " · up to date"
        if own := cut.get(space.id):
            text += f" · with parts: {own.grid} along the shorter side, of {count(own.pictures, 'picture')}"
        rows.append(
            f'<li><div class="lib-space"><strong>{escape(space.name)}</strong>{mark}'
            f"<span>{space.count:,} of {all_:,}</span></div>{_bar(part, f'{space.name}: {part:.0%} of the pictures')}"
            f'<div class="quiet">{escape(space.model)} · {text}</div></li>'
        )
    st.html(f'<ul class="lib-list">{"".join(rows)}</ul>')


def _bar(part: float, label: str) -> str:
    return f'<progress max="1" value="{part:.4f}" aria-label="{escape(label)}"></progress>'


def disk(library: Library, use: Mapping[str, int]) -> None:
    """Draw what the parts of the library take on the disk, in bytes, and what is free there."""
    most = max(use.values(), default=0) or 1
    rows = "".join(
        f"<dt>{escape(name.capitalize())}</dt><dd>{_bar(part / most, f'{name}: {size(part)}')}</dd>"
        f"<dd>{size(part)}</dd>"
        for name, part in use.items()
    )
    try:
        free = f"{size(shutil.disk_usage(library.path).free)} are free on this disk."
    except OSError:
        free = ""
    where = str(library.path)
    if library.remote.database is not None:
        free = f"The database is on its server. {free}"
        where = f"{shown(library.path)} · {where}"
    st.html(
        f'<dl class="lib-disk">{rows}</dl><div class="quiet">{size(sum(use.values()))} in all. {free}</div>'
        f'<div class="quiet lib-where">{escape(where)}</div>'
    )


def runs(rows: Sequence[RunRow]) -> None:
    """Draw the last runs, and what each did."""
    if not rows:
        caption("No run yet.")
        return
    items = []
    for row in rows:
        did = run_text.summary(row.summary) if row.summary else ""
        names = (row.summary or {}).get("spaces") or [row.space]
        model = f" · {'models' if len(names) > 1 else 'model'} {', '.join(names)}" if names[0] else ""
        head = f"{ago(row.started_at).capitalize()}: {_STATES.get(row.state, row.state)}{model}"
        items.append(f'<li><div>{escape(head)}</div><div class="quiet">{escape(did)}</div></li>')
    st.html(f'<ul class="lib-list lib-runs">{"".join(items)}</ul>')


# -- failures -------------------------------------------------------------------------------------------------------


@st.fragment
def failures(library: Library, total: int) -> None:
    """Draw the files that failed, by kind and text, a page at a time. The rest of the page stays."""
    kinds = library_reports.kinds(library.catalog)
    by_text: dict[str, FailureKind] = {kind.text: kind for kind in kinds}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lib_failed_which"):
        chosen = st.selectbox(
            "Reason", ["", *by_text], key="failed_kind", on_change=_first_page,
            format_func=lambda text: f"{by_text[text].count:,}: {text}" if text else f"All {total:,}",
        )  # fmt: skip
        text = st.text_input(
            "In the path or the reason", key="failed_text", on_change=_first_page, placeholder=".tif, holiday, damaged"
        )
    page = int(st.session_state.get("failed_page", 0))
    rows, found = library_reports.failed(library.catalog, by_text.get(chosen or ""), text.strip(), PAGE, page * PAGE)
    if not rows:
        caption("No file that failed is like that." if found == 0 else "There are no more.")
    st.html(f'<ul class="lib-unread">{"".join(_failed(row) for row in rows)}</ul>')
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if found > PAGE:
            st.button("Before", key="failed_before", disabled=page == 0, on_click=_turn, args=[-1])
            st.button("Next", key="failed_next", disabled=(page + 1) * PAGE >= found, on_click=_turn, args=[1])
        if rows:
            caption(f"{page * PAGE + 1:,} to {page * PAGE + len(rows):,} of {found:,}. Tried again when they change.")


def _first_page() -> None:
    st.session_state["failed_page"] = 0


def _turn(by: int) -> None:
    st.session_state["failed_page"] = max(0, int(st.session_state.get("failed_page", 0)) + by)


def _failed(row: FailedFile) -> str:
    folder, _, name = row.where.rpartition("/")
    ending = PurePosixPath(name).suffix.lstrip(".").upper()[:5]
    may_show = row.stage == "encode" or (row.stage == "decode" and ending in ("JPG", "JPEG"))
    # With an empty alt nothing is drawn where there is no picture, and what lies below shows.
    picture = f'<img src="/failed/{row.id}.jpg" loading="lazy" alt="">' if may_show else ""
    plate = f'<div class="lib-plate" aria-hidden="true">{escape(ending)}{picture}</div>'
    about = f"{size(row.size)} · " if row.size else ""
    return (
        f'<li>{plate}<div><div class="lib-path"><strong>{escape(name)}</strong></div>'
        f"<div>{escape(row.reason)}</div>"
        f'<div class="quiet lib-path">{escape(about)}{escape(folder)}</div></div></li>'
    )


# -- commands -------------------------------------------------------------------------------------------------------


def commands(roots: Sequence[RootState], *, opened: bool) -> None:
    """Draw the commands that do what the page does."""
    named = named_library()
    folders = " ".join(shlex.quote(display(to_bytes(to_path(root.path)))) for root in roots) or "./photos"
    with st.expander("The same in a terminal", icon=":material/terminal:", expanded=opened):
        for text, command in (
            ("Index again what is here, or add a folder", f"index {folders}{named}")
            if roots
            else ("Index a folder", f"{folders}{named}"),
            ("Add a model", f"index {folders}{named} --space NAME"),
            ("List the models", f"spaces{named}"),
            ("Why files failed", f"failures{named}"),
            ("Check the library", f"verify{named}"),
            ("Forget what is missing", f"index {folders}{named} --prune"),
            ("Forget a folder", f"forget FOLDER{named}"),
        )[: None if roots else 1]:
            caption(text)
            st.code(f"python -m indexer {command}", language="bash", wrap_lines=True)
        if not roots:
            caption("Or try it on drawn pictures first, with the small model Sightline ships")
            st.code(
                f"python -m indexer.demo ./demo-photos\npython -m indexer ./demo-photos --space demo{named}",
                language="bash", wrap_lines=True,
            )  # fmt: skip
