"""What a watcher says: a line for each run, and when it can't watch a folder as usual."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from indexer.summary import Summary
from sightline.humanize import count, short_path
from sightline.run_words import counted


def line(summary: Summary, folders: list[Path]) -> str:
    """What a run did, at what time."""
    # Of unreadable files those that were so before are no news.
    done = counted({**summary.to_dict(), "failed": summary.failed_now, "unchanged": 1})
    where = ", ".join(map(short_path, folders[:3])) + (" …" if len(folders) > 3 else "")
    return f"{datetime.now():%H:%M:%S} {where}: {done}"


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
