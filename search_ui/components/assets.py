"""What a component is made of: JavaScript and CSS, files beside its module, without a build step."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import streamlit as st

_SHARED: Final = Path(__file__).parent


def component(name: str, *, js: str, css: str | None = None, isolate_styles: bool = True) -> Callable[..., Any]:
    """Declare the component `sightline_NAME`; called with `key`, `data` and more, it draws itself.

    Its script gets `data` in a list. In a mapping Streamlit looks for data frames among lists and mappings, and imports
    pandas and pyarrow for that: 0.2 s and 52 MB, with the first page.
    """
    drawn = st.components.v2.component(f"sightline_{name}", js=js, css=css, isolate_styles=isolate_styles)

    def draw(*, data: Mapping[str, Any], **options: Any) -> Any:
        return drawn(data=[data], **options)

    return draw


def javascript(folder: Path, *names: str, events: bool = False) -> str:
    """Join scripts of a folder, named without suffix, into one; `events`: the event queue before them.

    Without comments that have a line of their own and without indents, also in texts over several lines: Streamlit
    sends the script whenever data change.
    """
    files = [_SHARED / "event_queue.js"] if events else []
    files += [folder / f"{name}.js" for name in names]
    return _packed("\n".join(file.read_text(encoding="utf-8") for file in files))


def css(folder: Path, name: str) -> str:
    """Read the style sheet of a component, without comments and indents."""
    text = (folder / f"{name}.css").read_text(encoding="utf-8")
    return _packed(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))


def _packed(text: str) -> str:
    # Several lines: Streamlit takes a single one for the name of a file.
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))
