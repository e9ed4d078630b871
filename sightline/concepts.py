"""Teach a word by pictures, list what was taught, forget it: for the page, commands and Python."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sightline.humanize import count
from sightline.query.types import Group, Query, QueryError, Taught, Term
from sightline.ranking.probe import Scores
from sightline.searcher import Searcher
from store.tables.catalog import SpaceState
from store.tables.concepts import Concept


def teach(
    searcher: Searcher, name: str, examples: Iterable[int] = (), counter_examples: Iterable[int] = (), *,
    without: Iterable[int] = (), space: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Teach a concept, or teach it more, and learn it in one space; returns its `concept_record`.

    Where it was kept but can't be learnt, `note` of the record says why not; otherwise that is None.

    Raises:
        MarksError: a bad picture, or too few examples; nothing was changed.
        QueryError: a bad name, the library has no such space, or nothing was indexed yet; likewise.
        LibraryError: the library may not be written.
    """
    # The one that a search for it uses.
    chosen = searcher.space_for(Query((Group((Term(Taught(name)),)),), space=space))
    concept = searcher.library.concepts.teach(name, examples, counter_examples, without=without)
    note = None
    try:
        searcher.probes.get(concept.name, chosen)
    except QueryError as error:
        note = str(error)
    return {**concept_record(searcher, concept), "note": note}


def forget(searcher: Searcher, name: str) -> bool:
    """Forget a concept; whether there was one. Its pictures stay as they are.

    Raises:
        LibraryError: the library may not be written.
    """
    was = searcher.library.concepts.forget(name)
    searcher.probes.drop(name)
    return was


def listed(searcher: Searcher) -> list[dict[str, Any]]:
    """The record of every concept, by name."""
    return [concept_record(searcher, concept) for concept in searcher.library.concepts.all()]


def concept_record(searcher: Searcher, concept: Concept) -> dict[str, Any]:
    """A concept as JSON: name, ids of its pictures, and how sure it is in each space that learnt it."""
    spaces = [_in_space(searcher, concept, space) for space in searcher.library.catalog.spaces() if space.count]
    return {
        "name": concept.name,
        "examples": list(concept.examples),
        "counter_examples": list(concept.counter_examples),
        "changed_at": concept.changed_at,
        "spaces": [each for each in spaces if each is not None],
    }


def _in_space(searcher: Searcher, concept: Concept, space: SpaceState) -> dict[str, Any] | None:
    probe = searcher.probes.kept(concept, space)
    if probe is None:
        return None
    scores = probe.scores
    return {
        "space": space.name,
        "accuracy": round(scores.accuracy, 3),
        "found": scores.found,
        "examples": scores.examples,
        "refused": scores.refused,
        "counter_examples": scores.counter_examples,
        "strays": scores.strays,
        "background": scores.background,
        "sure": how_sure(scores),
    }


def how_sure(scores: Scores) -> str:
    """How a concept did on pictures that it was not learnt from, in words."""
    given = count(scores.examples, "example")
    if scores.counter_examples:
        given += f", {count(scores.counter_examples, 'counter-example')}"
    return (
        f"{given}: held-out accuracy {scores.accuracy:.2f}; "
        f"{scores.strays:,} of {scores.background:,} other pictures match too"
    )
