"""The words that were taught by pictures, in the panel: a click asks for one, or no longer."""

from __future__ import annotations

from dataclasses import replace

from search_ui.components.facets import Group as Shown
from sightline.humanize import count
from sightline.query.types import Group, Query, Taught, Term
from store.library import Library
from store.tables.filters import casefolded


def concept_group(library: Library, query: Query) -> Shown:
    """Every concept, by name, with how many examples it has."""
    return {
        "title": "Taught words",
        "values": [
            {
                "text": f"{Taught(concept.name)}",
                "label": concept.name,
                "count": len(concept.examples),
                "said": count(len(concept.examples), "example"),
                "on": _asks(query, concept.key, excluded=False),
                "off": _asks(query, concept.key, excluded=True),
            }
            for concept in library.concepts.all()
        ],
    }


def is_asked(query: Query, name: str) -> bool:
    """Whether a query asks for a concept, or leaves it out."""
    return any(_asks(query, casefolded(name), excluded=excluded) for excluded in (False, True))


def toggled(query: Query, name: str) -> Query:
    """The query with a concept, or without it where it asks for it, or leaves it out.

    Raises:
        QueryError: there would be too many terms.
    """
    if not is_asked(query, name):
        return replace(query, groups=(*query.groups, Group((Term(Taught(name)),))))
    groups = []
    for group in query.groups:
        rest = tuple(term for term in group.any_of if not _is(term, casefolded(name)))
        if rest:
            groups.append(replace(group, any_of=rest))
    return replace(query, groups=tuple(groups))


def named(query: Query) -> str | None:
    """The concept that a query asks for; None where it asks for none, or several."""
    found = {term.subject.name for term in query.terms if isinstance(term.subject, Taught)}
    return found.pop() if len(found) == 1 else None


def _asks(query: Query, key: str, *, excluded: bool) -> bool:
    return any(_is(term, key) for group in query.groups if group.excluded is excluded for term in group.any_of)


def _is(term: Term, key: str) -> bool:
    return isinstance(term.subject, Taught) and casefolded(term.subject.name) == key
