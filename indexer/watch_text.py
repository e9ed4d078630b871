"""What a watcher says: a line for each run, and when it can't watch a folder as usual."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from indexer.summary import Summary
from sightline.humanize import count, short_path


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
    where = ", ".join(map(short_path, folders[:3])) + (" …" if len(folders) > 3 else "")
    return f"{datetime.now():%H:%M:%S} {where}: {counted or 'nothing new'}"


def watching(folders: list[Path]) -> str:
    """What is watched from now on."""
    if len(folders) == 1:
        return f"Watching {short_path(folders[0])} for changes. Ctrl-C stops it."
    return f"Watching {count(len(folders), 'folder')} for changes. Ctrl-C stops it."


def polling(folder: Path, why: str, every: float) -> str:
    """That a folder is looked at every so often."""
    return f"{short_path(folder)} {why}: looking for changes every {count(round(every), 'second')} instead."


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
