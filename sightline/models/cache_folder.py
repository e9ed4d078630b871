"""Where what can be measured or computed again is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder of `SIGHTLINE_CACHE`, else Sightline's in the user's cache folder; it need not exist."""
    if named := os.environ.get("SIGHTLINE_CACHE"):
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("sightline", appauthor=False)
