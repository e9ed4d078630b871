"""What of each picture a search looks at, and which of its terms do."""

from __future__ import annotations

from typing import Literal

import numpy as np

from sightline.query.types import Like, Picture, Query, Words
from store.arrays import Mask

Looks = Literal["whole", "tiles"]
"""At whole pictures alone; or at their tiles, too, where the library has some."""


def looking_at_tiles(query: Query) -> Mask:
    """Which terms of a query look at tiles, (terms,): words and pictures."""
    return np.array([isinstance(term.subject, Words | Picture | Like) for term in query.terms], np.bool_)
