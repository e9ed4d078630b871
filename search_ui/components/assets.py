"""The JavaScript and CSS that a component is made of: files beside its module, without a build step."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_SHARED: Final = Path(__file__).parent


def javascript(folder: Path, *names: str, events: bool = False) -> str:
    """Join scripts of a folder, named without suffix, into one; `events`: the event queue before them."""
    files = [_SHARED / "event_queue.js"] if events else []
    files += [folder / f"{name}.js" for name in names]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def css(folder: Path, name: str) -> str:
    """Read the style sheet of a component."""
    return (folder / f"{name}.css").read_text(encoding="utf-8")
