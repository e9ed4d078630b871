"""How a space in Qdrant is searched: when exactly, when by a graph, and how far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class GraphPolicy:
    """Limits of the ways to search.

    Measured with qdrant-edge-py 0.9.0 on 50,000 vectors of 512 numbers, with queries that lie as texts do: a graph
    reaches a recall@10 of 0.98 when it looks at some 2,000 points, and then costs more than a scan of all does. It pays
    from some hundred thousand points on.

    Attributes:
        graph_rows: where more points than this pass the filters, a graph finds the nearest.
        ef: how many points it looks at for a query that lies as texts do.
        candidates: of each term so many of the nearest points at most are scored by all terms.
        nearest: and so many at least, where a page wants no more.
        ids: more ids than this are not sent along with a query.
        counted: up to so many vectors are counted after each change, to see that none is missing.
    """

    graph_rows: int = 300_000
    ef: int = 2_048
    candidates: int = 10_000
    nearest: int = 1_000
    ids: int = 100_000
    counted: int = 200_000


DEFAULT: Final = GraphPolicy()
