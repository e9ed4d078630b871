"""The choice of parts of pictures that are indexed too, for small things, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from search_ui.parts.messages import caption
from search_ui.runtime.services import services
from sightline.tiles.grid import boxes
from store.tables import tiles
from store.tables.records import SpaceState

_AS_BEFORE: Final = ""
_NO_MORE: Final = "0"
_GRIDS: Final = ("2", "3", "4")


def draw(key: str, held: Sequence[SpaceState]) -> None:
    """Draw the choice, closed until it is opened.

    Args:
        key: of the widget.
        held: the models of the library; empty where there is none yet.
    """
    grids = tiles.grids(services().library().catalog.engine) if held else {}
    now = ", ".join(f"{space.name}: {grids[space.id]}" for space in held if space.id in grids)
    options = {
        _AS_BEFORE: ("As before", f"{now}. New models have none") if now else ("None", "Whole pictures only"),
        **{grid: (grid, _cost(int(grid))) for grid in _GRIDS},
        **({_NO_MORE: ("None from now on", "The parts that are indexed are removed")} if now else {}),
    }
    # No popover: the focus of keyboards does not go into those.
    with st.expander("Small things: also index parts of each picture", key=f"{key}_more", icon=":material/grid_on:"):
        caption("A thing that covers a few percent of a picture is often overlooked, and found in a part of it.")
        st.radio(
            "Parts along the shorter side", list(options), key=key, format_func=lambda each: options[each][0],
            captions=[text for _, text in options.values()],
        )  # fmt: skip
        caption(
            "Vectors take as many times the disk. Later runs do the same. Known pictures are read again, those of "
            "other folders when these are indexed again."
        )


def chosen(key: str) -> int | None:
    """Return what is chosen by now, as `--tiles` takes it; None for what each model has."""
    grid = st.session_state.get(key) or _AS_BEFORE
    return None if grid == _AS_BEFORE else int(grid)


def reset(key: str) -> None:
    """Choose what each model has; call it in handlers only.

    What was chosen for one run would remove, in a later one, what was chosen elsewhere meanwhile.
    """
    st.session_state[key] = _AS_BEFORE


def _cost(grid: int) -> str:
    """What parts cost: of a photo of 4:3, by whether a model squashes pictures or crops them."""
    few, many = (1 + len(boxes((4_000, 3_000), grid, square=square)) for square in (False, True))
    return f"About {few} to {many} times the encoding"
