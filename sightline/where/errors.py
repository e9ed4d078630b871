"""Why it can't be shown where in a picture a text was found. No torch here."""

from __future__ import annotations

from store.errors import SpaceError


class UnknownTowerError(SpaceError):
    """An image tower of which it is not known how its layers belong to places of the picture."""

    def __init__(self, model: str, tower: str, reason: str) -> None:
        super().__init__(
            f"Where in the picture can't be shown for the model {model!r} (a {tower}): {reason}. It is shown for "
            "vision transformers, and for convolutions whose last map is averaged."
        )
