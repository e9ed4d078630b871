"""Marks, written to a file beside the library before any are lost."""

from __future__ import annotations

import json
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from store.files import replace_file
from store.library import Library


def write_marks(target: Path, marks: dict[str, Any]) -> None:
    """Write marks, as `Marks.export` gives them, to a file, whole or not at all."""
    text = json.dumps(marks, ensure_ascii=False, indent=1)
    replace_file(target, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def back_up_marks(library: Library) -> Path:
    """Write all marks to a new file `marks-before-DATE.json` in the library's folder, and return its path.

    Call under `locked`: what is there is never overwritten.

    Raises:
        OSError: it can't be written.
        LibraryMovedError: the library is not where it was.
    """
    library.place.check()
    name = f"marks-before-{date.today().isoformat()}"
    names = (f"{name}{f'-{number}' if number > 1 else ''}.json" for number in count(1))
    target = next(path for path in (library.path / each for each in names) if not path.exists())
    write_marks(target, library.marks.export())
    return target
