"""What would be lost with photos that are forgotten, in words."""

from __future__ import annotations

from sightline.humanize import count
from store.tables.losses import Losses


def in_words(losses: Losses) -> str:
    """Return the counts as `2 pictures with tags and 3 photos marked for removal`, without zeros."""
    parts = [
        count(number, *words)
        for number, words in (
            (losses.tagged, ("picture with tags", "pictures with tags")),
            (losses.favourites, ("favourite",)),
            (losses.set_aside, ("photo marked for removal", "photos marked for removal")),
            (losses.selected, ("picture of a saved search", "pictures of saved searches")),
            (losses.taught, ("picture that teaches a concept", "pictures that teach a concept")),
        )
        if number
    ]
    return " and ".join([part for part in (", ".join(parts[:-1]), *parts[-1:]) if part])
