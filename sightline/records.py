"""What the command line and the JSON interface give and keep alike: hits as records, rows and lines, and searches."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sightline.query.types import Query, QueryError
from store.paths import as_json, display, to_bytes, to_path
from store.tables.catalog import PhotoRow
from store.tables.fact_table import GIVEN_NAMES

if TYPE_CHECKING:
    from sightline.labels import Labelled
    from sightline.ranking.results import Hit

CSV_HEADER: Final = (
    "rank", "id", "score", "band", "path", "path_b64", "copies", "folded", "tags", "favourite", *GIVEN_NAMES
)  # fmt: skip
"""The columns of `csv_row`."""

CSV_SEPARATOR: Final = "|"
"""Between the values of a column that holds several: `folded` and `tags`."""


def record(hit: Hit, rank: int, *, tags: Sequence[str] | None = None, favourite: bool | None = None) -> dict[str, Any]:
    """A hit as an object for JSON.

    Args:
        hit: the hit.
        rank: its place among all hits, from 1.
        tags: its tags; None where they were not asked for, and then there is no such key.
        favourite: whether it is one; None as for `tags`.

    Returns:
        `rank`, `id`, `score`, `band`, `parts` (a list of `term`, `cosine`, `score`, `excluded`), `folded` (ids), the
        keys of `photo_record`. Scores have six digits after the point.
    """
    made: dict[str, Any] = {
        "rank": rank,
        "id": hit.photo.content_id,
        "score": round(hit.score, 6),
        "band": hit.band,
        "parts": [
            {
                "term": part.term,
                "cosine": round(part.cosine, 6),
                "score": round(part.score, 6),
                "excluded": part.excluded,
            }
            for part in hit.parts
        ],
        "folded": list(hit.folded),
    }
    return made | photo_record(hit.photo, tags=tags, favourite=favourite)


def photo_record(
    photo: PhotoRow, *, tags: Sequence[str] | None = None, favourite: bool | None = None
) -> dict[str, Any]:
    """A picture without a search: `id`, where it lies, `copies`, its marks where they are known, and its facts.

    `path` is below `root`, `absolute` is both together; each ends in `_b64` instead where it is not valid text.
    """
    made: dict[str, Any] = {"id": photo.content_id}
    absolute = to_bytes(to_path(photo.root, photo.path))
    for name, path in (("path", photo.path), ("root", photo.root), ("absolute", absolute)):
        made |= {key.replace("path", name): value for key, value in as_json(path).items()}
    made["copies"] = photo.copies
    if tags is not None:
        made["tags"] = list(tags)
    if favourite is not None:
        made["favourite"] = favourite
    return made | dict(photo.facts)


def labelled(picture: Labelled) -> dict[str, Any]:
    """A labelled picture as an object for JSON: `label` (null for none of these), `probability`, `labels`, the picture.

    `labels` lists all that were asked for, best first, as `label` and `probability`; the rest is `photo_record`.
    """
    guesses = [{"label": guess.label, "probability": round(guess.probability, 6)} for guess in picture.guesses]
    return {**guesses[0], "labels": guesses} | photo_record(picture.photo)


def saved_text(query: Query) -> str:
    """The text of a search to be saved: as the query language writes it.

    Raises:
        QueryError: it asks for nothing.
    """
    if query.is_empty:
        raise QueryError("There is nothing to save: give the search some words, a picture or a filter.")
    return str(query)


def file_name(photo: PhotoRow) -> bytes:
    """The photo's path exactly as the file system spells it, for programs."""
    return os.fsencode(to_path(photo.root, photo.path))


def shown(photo: PhotoRow) -> str:
    """The photo's path for people: printable whatever bytes it has, and on one line."""
    return display(to_bytes(to_path(photo.root, photo.path)))


def line(hit: Hit) -> str:
    """A hit for people: `score<TAB>band<TAB>path`."""
    return f"{hit.score:.4f}\t{hit.band}\t{shown(hit.photo)}"


def csv_row(hit: Hit, rank: int, *, tags: Sequence[str] = (), favourite: bool = False) -> list[Any]:
    """A hit as the values of `CSV_HEADER`. `path` is the absolute one; it is empty where it is not valid text."""
    photo = hit.photo
    path = as_json(to_bytes(to_path(photo.root, photo.path)))
    return [
        rank, photo.content_id, f"{hit.score:.6f}", hit.band, path.get("path", ""), path.get("path_b64", ""),
        photo.copies, CSV_SEPARATOR.join(map(str, hit.folded)), CSV_SEPARATOR.join(tags),
        "yes" if favourite else "no", *(photo.facts.get(name) for name in GIVEN_NAMES),
    ]  # fmt: skip


def csv_line(values: Sequence[Any]) -> str:
    """Values as one line of CSV (RFC 4180, without the line end); None is empty."""
    text = io.StringIO()
    # Only what is in the line's own end is quoted, and paths may have line breaks in them.
    csv.writer(text, lineterminator="\r\n").writerow(values)
    return text.getvalue().removesuffix("\r\n")
