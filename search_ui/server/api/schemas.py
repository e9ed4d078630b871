"""The shapes of what goes in and out, as JSON Schemas: the document has them, and requests are checked against them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from search_ui.server.api.form import MAX_PICTURES, PICTURE
from search_ui.server.api.operations import Schema, Shape
from sightline.query.types import MAX_HITS, MAX_QUERY
from store.progress import Phase
from store.tables.fact_table import FACET_NAMES, GIVEN
from store.tables.marks_json import MAX_SEARCH_NAME

_LIMIT_DEFAULT: Final = 60
# Those of sightline.labels, which imports torch: that takes seconds, and a server should answer at once.
MAX_LABELS: Final = 1_000
MAX_TEMPLATES: Final = 100
# SQLite's largest integer.
_MAX_ID: Final = 2**63 - 1


def ref(name: str) -> Schema:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(
    properties: Mapping[str, Schema], optional: tuple[str, ...] = (), about: str | None = None, **more: Any
) -> Schema:
    """An object with these properties and no others; all of them are there but the optional ones."""
    made: dict[str, Any] = {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
        **more,
    }
    return made | ({"description": about} if about else {})


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _or_null(kind: str) -> Schema:
    return {"type": [kind, "null"]}


TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer"}
NUMBER: Final[Schema] = {"type": "number"}
YES: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
ID: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": _MAX_ID}
QUERY: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": MAX_QUERY}
FILTERS: Final[Schema] = {"type": "string", "maxLength": MAX_QUERY, "default": ""}
LIMIT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": MAX_HITS, "default": _LIMIT_DEFAULT}
OFFSET: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 10**12, "default": 0}
GENERATION: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": _MAX_ID}
NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": MAX_SEARCH_NAME}

_PAGING: Final[Mapping[str, Schema]] = {"limit": LIMIT, "offset": OFFSET, "generation": GENERATION}

_JSON: Final = {int: "integer", float: "number", str: "string"}
_FACTS: Final[Mapping[str, Schema]] = {
    fact.name: {
        **({"type": _JSON[fact.type]} if fact.required else _or_null(_JSON[fact.type])),
        "description": fact.about,
    }
    for fact in GIVEN
}


def _path(*names: str) -> dict[str, Schema]:
    # A path that is not valid text is there as bytes, in base64, under another name.
    return {key: TEXT for name in names for key in (name, "path_b64" if name == "path" else f"{name}_b64")}


WHERE: Final = _path("path", "root", "absolute")
"""Where a file is; of each two names one is there."""

_PICTURE: Final[Mapping[str, Schema]] = {"id": ID, **WHERE, "copies": COUNT, **_FACTS}
_MARKS: Final[Mapping[str, Schema]] = {"tags": _list(TEXT), "favourite": YES}
_RANKED: Final[Mapping[str, Schema]] = {
    "rank": {"type": "integer", "minimum": 1},
    "score": NUMBER,
    "band": {"enum": ["strong", "maybe", "below"]},
    "parts": _list(_object({"term": TEXT, "cosine": NUMBER, "score": NUMBER, "excluded": YES})),
    "folded": _list(ID),
}
_LABELLED: Final[Mapping[str, Schema]] = {
    "label": {"type": ["string", "null"], "description": "null: none of these"},
    "probability": {"type": "number", "minimum": 0, "maximum": 1},
}
_PAGE: Final[Mapping[str, Schema]] = {
    "offset": COUNT,
    "more": {"type": "boolean", "description": "There are hits after these."},
}


BODIES: Final = {
    "SearchRequest": Shape(_object({"q": QUERY, **_PAGING}, tuple(_PAGING))),
    "SearchForm": Shape(
        _object(
            {
                "q": FILTERS,
                **_PAGING,
                PICTURE: _list({"type": "string", "format": "binary"}, maxItems=MAX_PICTURES),
            },
            ("q", *_PAGING, PICTURE),
            "The pictures are called 1, 2, ... in the order of their parts: `picture:1` in `q` is the first.",
        )
    ),
    "LabelRequest": Shape(
        _object(
            {
                "labels": _list(NAME, minItems=1, maxItems=MAX_LABELS),
                "templates": _list(
                    NAME, minItems=1, maxItems=MAX_TEMPLATES, description="Those of the space where there are none."
                ),
                "q": {**FILTERS, "description": "Filters only: which pictures."},
                "none": {"type": "boolean", "default": True, "description": "Whether a picture may be none of these."},
                "top": {"type": "integer", "minimum": 1, "maximum": MAX_LABELS, "default": 1},
                "limit": LIMIT,
                "offset": OFFSET,
            },
            ("templates", "q", "none", "top", "limit", "offset"),
        )
    ),
    "TagChange": Shape(
        _object(
            {"add": _list(NAME, maxItems=100, default=[]), "remove": _list(NAME, maxItems=100, default=[])},
            ("add", "remove"),
            minProperties=1,
        )
    ),
    "SearchToSave": Shape(_object({"q": QUERY})),
}
"""The shapes of bodies by their names in the document."""

# One character as JSON may spell it: a surrogate pair, as in "\ud83d\ude00".
_CHARACTER: Final = 12
# What stands around a value: its quotes, a comma, line ends and indentation. A number or a boolean is less by itself.
_AROUND: Final = 64


def _most_bytes(schema: Schema) -> int:
    """How large a value of this shape can be as JSON, in bytes, however it is spelt and laid out in lines."""
    match schema["type"]:
        case "string":
            return int(schema["maxLength"]) * _CHARACTER + _AROUND
        case "array":
            return int(schema["maxItems"]) * _most_bytes(schema["items"]) + _AROUND
        case "object":
            parts = schema["properties"].items()
            return sum(len(name) * _CHARACTER + _AROUND + _most_bytes(part) for name, part in parts) + _AROUND
    return _AROUND


# A form is bounded part by part: it has files in it.
MAX_JSON: Final = max(_most_bytes(body.schema) for body in BODIES.values() if PICTURE not in body.schema["properties"])
"""Bytes of a JSON body: as many as the largest that is in order can have, that of labels."""

ANSWERS: Final[Mapping[str, Schema]] = {
    "Problem": _object(
        {
            "type": {"type": "string", "format": "uri-reference"},
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": TEXT,
            "parameter": {"type": "string", "description": "The parameter or member of the body that is wrong."},
            "start": {
                "type": "integer",
                "minimum": 0,
                "description": "Where in `q` the mistake begins, in characters.",
            },
            "end": {"type": "integer", "minimum": 0, "description": "Where in `q` the mistake ends."},
            "suggestion": {"type": "string", "description": "The nearest that would have been right."},
            "generation": {**COUNT, "description": "The library's generation now."},
        },
        ("parameter", "start", "end", "suggestion", "generation"),
        "An error: RFC 9457.",
    ),
    "Hit": _object(
        {**_RANKED, **_PICTURE, **_MARKS}, tuple(WHERE), "A picture that was found. Its score orders the hits."
    ),
    "Search": _object(
        {
            "query": {"type": "string", "description": "The query as Sightline writes it."},
            "understood": _list(_object({"kind": TEXT, "text": TEXT, "meaning": TEXT})),
            "space": TEXT,
            "generation": COUNT,
            "total": {**COUNT, "description": "Pictures that pass the filters."},
            "strong": COUNT,
            "maybe": COUNT,
            **_PAGE,
            "seconds": {"type": "number", "minimum": 0},
            "why_empty": _or_null("string"),
            "hits": _list(ref("Hit")),
        }
    ),
    "Photo": _object(
        {
            **_PICTURE,
            **_MARKS,
            "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256 of the file's bytes."},
            "paths": _list(_object(WHERE, tuple(WHERE)), description="Every file that holds it."),
            "spaces": _list(TEXT, description="Spaces it can be found in."),
        },
        tuple(WHERE),
    ),
    "Facets": _object(
        {
            "query": TEXT,
            "total": COUNT,
            **{kind: _list(_object({"name": TEXT, "count": COUNT})) for kind in FACET_NAMES},
            "favourites": COUNT,
        }
    ),
    "Spaces": _object(
        {
            "spaces": _list(
                _object({"name": TEXT, "model": TEXT, "dim": WHOLE, "has_text": YES, "pictures": COUNT, "default": YES})
            )
        }
    ),
    "Status": _object(
        {
            "version": TEXT,
            "generation": COUNT,
            "pictures": COUNT,
            "photos": COUNT,
            "missing": COUNT,
            "failures": COUNT,
            "indexing": {"type": "boolean", "description": "Whether an indexer is at work now."},
            "progress": {
                **_object(
                    {
                        "pid": WHOLE,
                        "started": TEXT,
                        "folders": _list(TEXT),
                        "phase": {"enum": list(get_args(Phase))},
                        "done": COUNT,
                        "total": {**_or_null("integer"), "description": "null while it still looks for them"},
                        "rate": {"type": "number", "minimum": 0, "description": "Files a second."},
                        "bound_by": TEXT,
                        "failed": COUNT,
                        "updated": TEXT,
                    },
                    about="How far the indexer at work is.",
                ),
                "type": ["object", "null"],
            },
            "last_run": {
                "type": ["object", "null"],
                "properties": {
                    "started_at": TEXT,
                    "finished_at": _or_null("string"),
                    "state": TEXT,
                    "summary": {"type": ["object", "null"]},
                },
                "required": ["started_at", "finished_at", "state", "summary"],
            },
        }
    ),
    "Tags": _object({"tags": _list(_object({"name": TEXT, "count": COUNT}))}),
    "Marks": _object({"id": ID, **_MARKS}),
    "SavedSearch": _object({"name": NAME, "query": TEXT, "saved_at": TEXT}),
    "SavedSearches": _object({"searches": _list(ref("SavedSearch"))}),
    "Labels": _object(
        {
            "space": TEXT,
            "query": TEXT,
            **_PAGE,
            "pictures": _list(_object({**_LABELLED, "labels": _list(_object(_LABELLED)), **_PICTURE}, tuple(WHERE))),
        }
    ),
    "Document": {"type": "object"},
}
"""The shapes of answers by their names in the document."""
