"""Marks that stayed with an old version of a picture, as a record and as a line of text."""

from __future__ import annotations

from typing import Any

from store.paths import as_json, display, to_bytes, to_path
from store.tables.marks import LeftMarks


def left_marks_record(of: LeftMarks) -> dict[str, Any]:
    """Return them as JSON: `picture`, the id that has the marks, and `now`, the id that is there now.

    `path` is null where the library does not know it; `path_b64` is there instead where it is no valid text.
    """
    place = {"path": None} if of.root is None or of.path is None else as_json(to_bytes(to_path(of.root, of.path)))
    return {
        "picture": of.content_id, **place, "tags": list(of.tags), "favourite": of.is_favourite,
        "selections": list(of.selections), "concepts": list(of.concepts), "now": of.now,
    }  # fmt: skip


def left_marks_text(of: LeftMarks) -> str:
    """Return them as `path: tags holiday, sea; a favourite (picture 7; now picture 9)`."""
    known = of.root is not None and of.path is not None
    where = display(to_bytes(to_path(of.root or b"", of.path or b""))) if known else "a path that is not known any more"
    marks = [f"tagged {', '.join(of.tags)}"] if of.tags else []
    marks += ["a favourite"] if of.is_favourite else []
    marks += [f"in the selection {name}" for name in of.selections]
    marks += [f"an example or a counter-example of {', '.join(of.concepts)}"] if of.concepts else []
    now = f"now picture {of.now}" if of.now is not None else "the file is missing" if known else "no file"
    return f"{where}: {'; '.join(marks)} (picture {of.content_id}; {now})"
