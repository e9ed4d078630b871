"""What messages say of another indexer that is at work."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Final

WAIT: Final = "Wait for it, or stop it, and run again."
"""What to do about another indexer, as the error ends; a watcher does so by itself."""


def began(since: str) -> str:
    """When an indexer began, as messages say it after its process."""
    with suppress(ValueError):
        when = datetime.fromisoformat(since).astimezone()
        return f", since {when:%H:%M} on {when.day} {when:%B}"
    return ""
