"""The form of how a folder is walked: links, hidden files, exclusions, other programs' caches."""

from __future__ import annotations

import json
import zlib

import streamlit as st

from store.tables.records import RootState
from store.walk_options import WalkChoice, WalkOptions


def key_of(root: RootState) -> str:
    """The key of a root's form: another one when its options were changed elsewhere."""
    return f"walk_{root.id}_{zlib.crc32(json.dumps(root.options.to_dict()).encode()):08x}"


def draw(key: str, options: WalkOptions) -> None:
    """Draw the form, with what is kept of a folder."""
    st.checkbox("Take hidden files and folders", value=options.hidden, key=f"{key}_hidden")
    st.checkbox("Follow links", value=options.follow_symlinks, key=f"{key}_links")
    st.checkbox("Take bins, and caches of other programs", value=options.caches, key=f"{key}_caches")
    st.text_area(
        "Leave out, one pattern a line", value="\n".join(options.exclude), key=f"{key}_exclude", height=100,
        placeholder="private\n*.png", help="Names, or paths from the folder where there is a slash in them",
    )  # fmt: skip


def chosen(key: str, options: WalkOptions) -> WalkChoice:
    """What a form says other than what is kept. The click may come with a choice not yet drawn."""
    state = st.session_state
    text = state.get(f"{key}_exclude", "\n".join(options.exclude))
    exclude = tuple(line.strip() for line in text.splitlines() if line.strip())
    hidden, links, caches = (
        state.get(f"{key}_{name}", old)
        for name, old in (("hidden", options.hidden), ("links", options.follow_symlinks), ("caches", options.caches))
    )
    return WalkChoice(
        exclude if exclude != options.exclude else None,
        hidden if hidden != options.hidden else None,
        links if links != options.follow_symlinks else None,
        caches if caches != options.caches else None,
    )
