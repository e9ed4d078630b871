"""The component that takes new tags: what is typed into it counts, entered or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import streamlit as st

from search_ui.components.assets import component, css, javascript

_HERE: Final = Path(__file__).parent
_drawn: Final = component("tag_field", js=javascript(_HERE, "tag_field"), css=css(_HERE, "tag_field"))


def tag_field(label: str, known: Sequence[str], *, key: str) -> list[str]:
    """Show a field for tags, which has the focus at once; return those that were typed or chosen.

    A text that was not entered counts once the field loses the focus, as by a click on a button.

    Args:
        label: above the field.
        known: tags to suggest.
        key: of the component. Under another one it is empty again.
    """
    _drawn(
        key=key, data={"key": key, "label": label, "known": list(known)}, default={"tags": []},
        on_tags_change=lambda: None,
    )  # fmt: skip
    tags = st.session_state[key].tags
    return [str(tag) for tag in tags] if isinstance(tags, list) else []
