"""What a watcher says: a line for each run, and when it can't watch a folder as usual."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from indexer.summary import Summary
from sightline.humanize import count
from store.paths import display, to_bytes


def shown(folder: Path) -> str:
    """A folder for people, with `~` for their home."""
    home = Path.home()
    if folder != home and folder.is_relative_to(home):
        return display(b"~/" + to_bytes(folder.relative_to(home)))
    return display(to_bytes(folder))


def line(summary: Summary, folders: list[Path]) -> str:
    """What a run did, at what time."""
    counted = ", ".join(
        f"{number:,} {name}"
        for number, name in (
            (summary.added, "new"),
            (summary.changed, "changed"),
            (summary.moved, "moved"),
            (summary.duplicates, "duplicates" if summary.duplicates != 1 else "duplicate"),
            (summary.restored, "back"),
            (summary.missing, "missing"),
            (summary.failed_now, "unreadable"),
        )
        if number
    )
    where = ", ".join(map(shown, folders[:3])) + (" …" if len(folders) > 3 else "")
    return f"{datetime.now():%H:%M:%S} {where}: {counted or 'nothing new'}"


def watching(folders: list[Path]) -> str:
    """What is watched from now on."""
    if len(folders) == 1:
        return f"Watching {shown(folders[0])} for changes. Ctrl-C stops it."
    return f"Watching {count(len(folders), 'folder')} for changes. Ctrl-C stops it."


def polling(folder: Path, why: str, every: float) -> str:
    """That a folder is looked at every so often."""
    return f"{shown(folder)} {why}: looking for changes every {count(round(every), 'second')} instead."


def limit_reached() -> str:
    """Why the system does not report the changes in a folder."""
    most = ""
    with suppress(OSError, ValueError):
        most = f" ({int(Path('/proc/sys/fs/inotify/max_user_watches').read_text()):,} at most)"
    return (
        f"has more folders than the system watches for a user{most}; fs.inotify.max_user_watches raises that"
        if os.name == "posix"
        else "has more folders than the system watches"
    )
