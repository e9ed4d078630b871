"""Zero-shot labels."""

from __future__ import annotations

from itertools import islice
from typing import Final

from starlette.responses import Response

from search_ui.runtime.services import services
from search_ui.server.api import answers
from search_ui.server.api.inputs import LabelRequest
from search_ui.server.api.problems import Problem, of_space
from search_ui.server.api.route import answer, api_router, problems
from sightline.query.parser import parse, to_text
from sightline.records import labelled
from store.errors import SpaceError

router = api_router()

MAX_LABELLED: Final = 50_000_000
"""Labels times pictures of one request, those before its page among them."""


@router.post(
    "/label", operation_id="label", summary="Which of the given labels suits each picture best",
    response_model=answers.Labels, responses=problems(409, 413, 415, 422, 503),
)  # fmt: skip
def _label(asked: LabelRequest) -> Response:
    # Imports torch, which takes seconds: not before it is needed.
    from sightline import labels

    query = parse(asked.q)
    if query.groups:
        raise Problem(422, f"{asked.q!r} has something to look for; labels take filters only, as in date:2023.")
    searcher = services().searcher()
    space = searcher.space(query.space, words=True)
    pictures = min(searcher.library.catalog.counts().pictures, asked.offset + asked.limit)
    if len(asked.labels) * pictures > MAX_LABELLED:
        raise Problem(
            422, f"{len(asked.labels):,} labels for {pictures:,} pictures are too many: labels times pictures may be "
            f"{MAX_LABELLED:,} here. Give fewer labels, or a lower offset; the command line has no such limit.",
        )  # fmt: skip
    try:
        found = labels.label(
            searcher.library, searcher.encoders, space, asked.labels,
            templates=asked.templates, filters=query.filters, none=asked.none, top=asked.top,
        )  # fmt: skip
    except SpaceError as error:
        raise of_space(error, space, searcher.encoders) from error
    page = list(islice(found, asked.offset, asked.offset + asked.limit + 1))
    return answer(
        {
            "space": space.name,
            "query": to_text(query),
            "offset": asked.offset,
            "more": len(page) > asked.limit,
            "pictures": [labelled(picture) for picture in page[: asked.limit]],
        }
    )
