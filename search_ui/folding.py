"""Near-duplicates folded: versions of one picture, and bursts, take one place among the hits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from store.vectors import Floats

# A hit is compared with this many before it. Versions of a picture score alike, so they lie close in the order; a
# comparison with all would make the thousandth page cost a million times the first.
WINDOW: Final = 1_000


@dataclass(slots=True)
class Fold:
    """One place among the hits: the row that stands for it, and the rows folded into it, in their order."""

    row: int
    folded: list[int] = field(default_factory=list)


def fold(vectors: Floats, threshold: float) -> list[Fold]:
    """Fold rows, best first, into the first row before them that is at least as near as `threshold`.

    A row joins the one that stands for a place, never a row that joined it: a long walk in small steps does not
    become one picture.

    Args:
        vectors: float32 (n, dim), unit rows, in the order of the hits.
        threshold: cosine.
    """
    folds: list[Fold] = []
    kept = np.empty_like(vectors)  # of the rows in `folds`
    for row, vector in enumerate(vectors):
        first = max(0, len(folds) - WINDOW)
        near = np.flatnonzero(kept[first : len(folds)] @ vector >= threshold)
        if len(near):
            folds[first + int(near[0])].folded.append(row)
        else:
            kept[len(folds)] = vector
            folds.append(Fold(row))
    return folds
