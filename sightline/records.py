"""Pictures and hits as records (dicts for JSON), CSV rows and lines: the same in Python, CLI and HTTP."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, overload

from sightline.csv_cells import guarded
from sightline.query.explain import explain
from sightline.query.types import Query, QueryError
from store.addresses import is_address
from store.paths import as_json, display, to_bytes, to_path
from store.tables.catalog import PhotoRow
from store.tables.fact_table import GIVEN_NAMES, LIST_NAMES

if TYPE_CHECKING:
    import pandas

    from sightline.labels import Labelled
    from sightline.ranking.results import Hit, Result
    from sightline.where.explain import Explanation
    from store.library import Library
    from store.tables.tiles import Box

Record = dict[str, Any]
"""A picture, a hit or a photo of a group of duplicates, as the JSON interface writes it."""

CSV_HEADER: Final = (
    "rank", "id", "score", "band", "path", "path_b64", "copies", "folded", "tags", "favourite", *GIVEN_NAMES
)  # fmt: skip
"""The columns of `csv_row`."""

CSV_SEPARATOR: Final = "|"
"""Between the values of a column that holds several: `folded` and `tags`."""

LIST_SEPARATOR: Final = "; "
"""Between the values of a fact that holds several: `|` is between the levels of a keyword."""


class Records(Sequence[Record]):
    """An immutable list of records, equal to any sequence of the same records.

    Example:
        >>> hits = library.search("red boat")
        >>> [hit["path"] for hit in hits[:3]], hits.about["total"]

    Attributes:
        about: what is known of the whole, as the JSON interface says it beside the records; of a search `query`,
            `total`, `strong`, `maybe`, `why_empty` and others.
    """

    def __init__(self, records: Iterable[Record], about: Mapping[str, Any] = MappingProxyType({})) -> None:
        self._records = list(records)
        self.about = about

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Records: ...
    def __getitem__(self, place: int | slice) -> Record | Records:
        if isinstance(place, slice):
            return Records(self._records[place], self.about)
        return self._records[place]

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._records == list(other)

    __hash__ = None  # type: ignore[assignment]  # records can be changed

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self._records[:3]))
        return f"<{len(self)} records: [{shown}{', ...' if len(self) > 3 else ''}]>"

    def to_pandas(self) -> pandas.DataFrame:
        """Make a data frame with a row for each record and a column for each key; lists stay lists."""
        import pandas  # takes a second

        return pandas.DataFrame(self._records)


def record(hit: Hit, rank: int, *, tags: Sequence[str] | None = None, favourite: bool | None = None) -> Record:
    """A hit as an object for JSON.

    Args:
        hit: the hit.
        rank: its place among all hits, from 1.
        tags: its tags; None where they were not asked for, and then there is no such key.
        favourite: whether it is one; None as for `tags`.

    Returns:
        `rank`, `id`, `score`, `band`, `parts` (a list of `term`, `cosine`, `score`, `excluded`, `box`), `box`, `folded`
        (ids), the keys of `photo_record`. Scores have six digits after the point.
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
                "box": _box(part.box),
            }
            for part in hit.parts
        ],
        "box": _box(hit.box),
        "folded": list(hit.folded),
    }
    return made | photo_record(hit.photo, tags=tags, favourite=favourite)


def explained(content_id: int, found: Explanation) -> Record:
    """Where in a picture a text was found, for JSON."""
    left, top, right, bottom = found.box
    return {
        "id": content_id,
        "text": found.text,
        "space": found.space,
        "map": [[round(share, 4) for share in row] for row in found.map.tolist()],
        "box": _box((left, top, right - left, bottom - top)),
        "peak": None if found.peak is None else [round(share, 4) for share in found.peak],
    }


def _box(box: Box | None) -> dict[str, float] | None:
    """Where in a picture, as shares of it: `left`, `top`, `width`, `height`; None: the whole."""
    names = ("left", "top", "width", "height")
    return None if box is None else {name: round(value, 4) for name, value in zip(names, box, strict=True)}


def photo_record(photo: PhotoRow, *, tags: Sequence[str] | None = None, favourite: bool | None = None) -> Record:
    """A picture without a search: `id`, its place, `copies`, its marks where they are known, its facts.

    `path` is below `root`, `absolute` is both together; each ends in `_b64` instead where it is not valid text. Facts
    that are several texts are lists.
    """
    made: dict[str, Any] = {"id": photo.content_id, **_where(photo), "copies": photo.copies}
    if tags is not None:
        made["tags"] = list(tags)
    if favourite is not None:
        made["favourite"] = favourite
    return made | {name: list(value) if name in LIST_NAMES else value for name, value in photo.facts.items()}


def hit_records(library: Library, hits: Iterable[Hit], offset: int) -> list[Record]:
    """Make records of hits with their tags and favourites; the first has the rank `offset` + 1."""
    found = list(hits)
    ids = [hit.photo.content_id for hit in found]
    tags, favourites = library.marks.tags_of(ids), library.marks.favourites_of(ids)
    return [
        record(hit, rank, tags=tags.get(id_, ()), favourite=id_ in favourites)
        for rank, (hit, id_) in enumerate(zip(found, ids, strict=True), offset + 1)
    ]


def search_answer(library: Library, query: Query, result: Result) -> dict[str, Any]:
    """Make the JSON answer to a search: how the query was understood, counts, and `hits`, see `record`."""
    return {
        "query": str(query),
        "understood": [{"kind": line.kind, "text": line.text, "meaning": line.meaning} for line in explain(query)],
        "space": result.space,
        "generation": result.generation,
        "total": result.total,
        "strong": result.strong,
        "maybe": result.maybe,
        "offset": result.offset,
        "more": result.more,
        "seconds": round(result.seconds, 6),
        "why_empty": result.why_empty,
        "note": result.note,
        "hints": list(result.hints),
        "hits": hit_records(library, result.hits, result.offset),
    }


def photo_records(library: Library, photos: Sequence[PhotoRow]) -> list[Record]:
    """Make records of pictures with their tags and favourites, in the order given."""
    ids = [photo.content_id for photo in photos]
    tags, favourites = library.marks.tags_of(ids), library.marks.favourites_of(ids)
    return [
        photo_record(photo, tags=tags.get(photo.content_id, ()), favourite=photo.content_id in favourites)
        for photo in photos
    ]


def photo_details(library: Library, photo: PhotoRow) -> Record:
    """Make a record of all that is known of a picture.

    Returns:
        The keys of `photo_record`, `hash` (hexadecimal), `paths` (a record of `path`, `root` and `absolute` for each
        file that holds it) and `spaces` (names of those it has a vector in).
    """
    catalog = library.catalog
    (made,) = photo_records(library, [photo])
    files = (_where(replace(photo, root=root, path=path)) for root, path in catalog.paths_of(photo.content_id))
    spaces = catalog.spaces()
    known = catalog.content_by_hash(photo.hash, [space.id for space in spaces])
    return made | {
        "hash": photo.hash.hex(),
        "paths": list(files),
        "spaces": [space.name for space in spaces if known is not None and space.id in known[1]],
    }


def _where(photo: PhotoRow) -> dict[str, str]:
    """The place of a photo: `path`, `root`, `absolute`; each ends in `_b64` where it is not valid text."""
    absolute = to_bytes(to_path(photo.root, photo.path))
    places = (("path", photo.path), ("root", photo.root), ("absolute", absolute))
    return {key.replace("path", name): text for name, path in places for key, text in as_json(path).items()}


def labelled(picture: Labelled) -> Record:
    """A labelled picture for JSON: `label` (null for none of these), `probability`, `labels`, the picture.

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
        raise QueryError("There is nothing to save: give the search some words, a picture, a filter or an order.")
    return str(query)


def file_name(photo: PhotoRow) -> bytes:
    """The photo's path exactly as the file system spells it, for programs."""
    path = to_path(photo.root, photo.path)
    return to_bytes(path) if is_address(path) else os.fsencode(path)


def shown(photo: PhotoRow) -> str:
    """The photo's path for people: printable whatever bytes it has, and on one line."""
    return display(to_bytes(to_path(photo.root, photo.path)))


def line(hit: Hit) -> str:
    """A hit for people: `score<TAB>band<TAB>path`; the path alone where nothing was scored."""
    return f"{hit.score:.4f}\t{hit.band}\t{shown(hit.photo)}" if hit.parts else shown(hit.photo)


def csv_row(hit: Hit, rank: int, *, tags: Sequence[str] = (), favourite: bool = False) -> list[Any]:
    """A hit as the values of `CSV_HEADER`. `path` is absolute, and empty where it is not valid text.

    `score` and `band` are empty where nothing was scored, as by filters alone.
    """
    photo = hit.photo
    path = as_json(to_bytes(to_path(photo.root, photo.path)))
    return [
        rank, photo.content_id, *((Decimal(f"{hit.score:.6f}"), hit.band) if hit.parts else ("", "")),
        path.get("path", ""), path.get("path_b64", ""),
        photo.copies, CSV_SEPARATOR.join(map(str, hit.folded)), CSV_SEPARATOR.join(tags),
        "yes" if favourite else "no", *(
            LIST_SEPARATOR.join(value) if isinstance(value := photo.facts.get(name), tuple) else value
            for name in GIVEN_NAMES
        ),
    ]  # fmt: skip


def csv_line(values: Sequence[Any], *, raw: bool = False) -> str:
    """Values as one line of CSV (RFC 4180, without the line end); None is empty.

    Args:
        values: of the cells.
        raw: leave texts that a spreadsheet would compute as they are; see `sightline.csv_cells`.
    """
    text = io.StringIO()
    # Only what is in the line's own end is quoted, and paths may have line breaks in them.
    csv.writer(text, lineterminator="\r\n").writerow(values if raw else [guarded(value) for value in values])
    return text.getvalue().removesuffix("\r\n")
