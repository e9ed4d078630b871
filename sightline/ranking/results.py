"""Results of a search: a page of hits, and how each of them suits the query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from store.tables.catalog import PhotoRow
from store.tables.tiles import Box

Band = Literal["strong", "maybe", "below"]
"""How a picture lies to a query's relevance threshold: above it, near it, or below."""


@dataclass(frozen=True, slots=True)
class Part:
    """How a picture suits one term of the query.

    Attributes:
        term: as the query prints it: `sunset beach`, `like:12`, `-people`.
        cosine: between the term and the picture.
        score: the same as a z-score: standard deviations of the term above its relevance threshold; 0 is on it.
        excluded: whether suiting it counts against the picture.
        box: of the tile that is nearest to it, as shares of the upright picture; None where the whole picture is.
    """

    term: str
    cosine: float
    score: float
    excluded: bool
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A picture that a search found.

    Attributes:
        score: orders the hits of a band: the cosine where the query is one term, else the weighted geometric mean of
            the terms' probabilities, 0 to 1; 0 where nothing was looked for.
        band: how the picture lies to the query's relevance threshold; strong where nothing was looked for.
        parts: one for each term.
        photo: the picture.
        folded: content ids of near-duplicates that this hit stands for, in their order, and of the RAW file that it
            was made of.
    """

    score: float
    band: Band
    parts: tuple[Part, ...]
    photo: PhotoRow
    folded: tuple[int, ...] = ()

    @property
    def box(self) -> Box | None:
        """Where it was found: the tile of the term that is met best; None where that is the whole."""
        wanted = [part for part in self.parts if not part.excluded]
        best = max(wanted, key=lambda part: (part.score >= 0 and part.box is not None, part.score), default=None)
        return None if best is None else best.box


@dataclass(frozen=True, slots=True)
class Result:
    """One page of hits, and what they are a page of.

    Attributes:
        hits: by band and then score, or as the query sorts them.
        total: pictures that pass the filters.
        strong, maybe: how many of those are above the relevance threshold, and how many may be; folded ones count.
        offset: how many hits come before these.
        more: whether there are hits after these.
        space: the name of the space that was searched.
        generation: of the library, and of its marks where the query filters by them; pages of one fit together.
        seconds: how long the search took, loading a model left out.
        why_empty: where nothing is above the threshold or near it, or nothing passes the filters, why, in a sentence.
        note: where another space was searched than the library uses else, which and why, in a sentence.
        hints: what models can't do of what was asked for, in a sentence each; at most one.
        at_least: whether `strong` and `maybe` are too low: more pictures match than were scored.
    """

    hits: Sequence[Hit]
    total: int
    strong: int
    maybe: int
    offset: int
    more: bool
    space: str
    generation: int
    seconds: float
    why_empty: str | None
    note: str | None = None
    hints: tuple[str, ...] = ()
    at_least: bool = False
