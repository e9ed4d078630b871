"""The component of the search box: text, pictures to search with, Back and Forward."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from search_ui.components.assets import component, css, javascript
from search_ui.components.event_queue import acknowledged

_HERE: Final = Path(__file__).parent
_drawn: Final = component(
    "query_input",
    js=javascript(_HERE, "pictures", "box", "query_input", events=True),
    css=css(_HERE, "query_input"),
)


def query_input(
    *, key: str, address: Mapping[str, str], version: int, max_bytes: int, room: int, redirect: str = ""
) -> None:
    """Show the box; take pictures that are picked, pasted or dropped anywhere on the page.

    What it sends is at `st.session_state[key].sent`, for `event_queue.apply` at the beginning of a run. An event has

    - `text`: what was sent with Enter, or typed when a picture was given;
    - `draft`: what was typed and not sent when the box lost the focus;
    - `pictures`: the names under which the route /picture keeps the files that were given;
    - `address`: where Back or Forward led to, the parameters of the URL by name.

    Args:
        key: of the component.
        address: the parameters of the URL that belongs to the session's state, by name; `q` is the text of the query.
        version: when it rises, the box takes the text of the query, unless something was typed that the page does not
            know of.
        max_bytes: the largest size of a picture.
        room: how many pictures can be taken now.
        redirect: the URL of another page to go to; empty to stay.
    """
    _drawn(
        key=key,
        data={
            "address": dict(address),
            "version": version,
            "max_bytes": max_bytes,
            "room": room,
            "redirect": redirect,
            "acknowledged": acknowledged(key),
        },
        default={"sent": []},
        on_sent_change=lambda: None,
    )
