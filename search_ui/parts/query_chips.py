"""Turns the parts of a query into the chips above the pictures."""

from __future__ import annotations

from search_ui.components.query_chips import Chip
from search_ui.runtime.services import services
from sightline.query.parser import explain
from sightline.query.types import Group, Like, Picture, Query, Term
from store.library import Library


def chips(library: Library, query: Query) -> list[Chip]:
    """Return the parts of a query as it was understood, pictures with their thumbnails."""
    made: list[Chip] = []
    for number, line in enumerate(explain(query)):
        group = query.groups[number] if number < len(query.groups) else None
        made.append(
            {
                "part": line.text,
                "label": line.text if group is None else _group_label(group),
                "kind": _kind(line.kind),
                "meaning": f"{line.kind}: {line.meaning}",
                "pictures": [] if group is None else [src for term in group.any_of if (src := _src(library, term))],
                "given": "" if group is None else _given(group),
            }
        )
    return made


def _kind(kind: str) -> str:
    """Return the look of a chip: wanted, unwanted, or a fact."""
    return {"exclude": "without", "only": "fact", "not": "fact", "option": "fact"}.get(kind, "wanted")


def _group_label(group: Group) -> str:
    """Return the text of a group; "your picture" for a dropped one, whose name says nothing."""
    terms = [term.printed(excluded=group.excluded) for term in group.any_of]
    for number, term in enumerate(group.any_of):
        if isinstance(term.subject, Picture):
            terms[number] = terms[number].replace(f"{term.subject}", "your picture")
    return " OR ".join(terms)


def _given(group: Group) -> str:
    """Return the name of the dropped picture that a group is, while it is still here; else empty."""
    subject = group.any_of[0].subject
    is_one = (
        len(group.any_of) == 1 and isinstance(subject, Picture) and services().uploads.get(subject.name) is not None
    )
    return subject.name if is_one and isinstance(subject, Picture) else ""


def _src(library: Library, term: Term) -> str:
    """Return the address of a picture's thumbnail; empty for words, and for a picture that is not there."""
    match term.subject:
        case Like(content_id):
            content_hash = library.catalog.hash_of(content_id)
            return f"/thumb/{content_hash.hex()}.jpg" if content_hash else ""
        case Picture(name):
            return f"/picture/{name}.jpg" if services().uploads.get(name) is not None else ""
    return ""
