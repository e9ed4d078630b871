"""Zero-shot labels."""

from __future__ import annotations

from itertools import islice
from typing import Final

from starlette.responses import Response

from search_ui.runtime.services import services
from search_ui.server.api.operations import Call, Operation, answer
from search_ui.server.api.problems import Problem, of_space
from sightline.query.parser import parse, to_text
from sightline.records import labelled
from store.errors import SpaceError


def _label(call: Call) -> Response:
    # Imports torch, which takes seconds: not before it is needed.
    from sightline import labels

    query = parse(call["q"])
    if query.groups:
        raise Problem(422, f"{call['q']!r} has something to look for; labels take filters only, as in date:2023.")
    searcher = services().searcher()
    space = searcher.space(query.space)
    try:
        found = labels.label(
            searcher.library, searcher.encoders, space, call["labels"],
            templates=call["templates"], filters=query.filters, none=call["none"], top=call["top"],
        )  # fmt: skip
    except SpaceError as error:
        raise of_space(error, space, searcher.encoders) from error
    first, limit = call["offset"], call["limit"]
    page = list(islice(found, first, first + limit + 1))
    return answer(
        {
            "space": space.name,
            "query": to_text(query),
            "offset": first,
            "more": len(page) > limit,
            "pictures": [labelled(picture) for picture in page[:limit]],
        }
    )


OPERATIONS: Final = (
    Operation(
        "POST", "/api/v1/label", "label", "Which of the given labels suits each picture best", _label,
        {200: "Labels"}, body="LabelRequest", refusals=(409, 422, 503),
    ),
)  # fmt: skip
"""What is here."""
