"""Inputs of requests, as pydantic models: they validate requests and make the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any, Final, TypeVar

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticKnownError

from search_ui.server.api.form import MAX_PICTURES
from search_ui.server.api.problems import Problem
from sightline.query.types import MAX_HITS, MAX_QUERY
from store.tables.concepts import MAX_PICTURES as MAX_TAUGHT
from store.tables.marks_json import MAX_CONCEPT, MAX_SEARCH_NAME

# Those of sightline.labels, which imports torch: that takes seconds, and a server should answer at once.
MAX_LABELS: Final = 1_000
MAX_TEMPLATES: Final = 100
MAX_ID: Final = 2**63 - 1
"""SQLite's largest integer."""

# One character as JSON may spell it: a surrogate pair, as in "\ud83d\ude00".
_CHARACTER: Final = 12
# What stands around a value: its name, quotes, a comma, line ends and indentation.
_AROUND: Final = 64
_NAMES: Final = MAX_LABELS + MAX_TEMPLATES
MAX_JSON: Final = _NAMES * (MAX_SEARCH_NAME * _CHARACTER + _AROUND) + MAX_QUERY * _CHARACTER + 32 * _AROUND
"""Bytes of a JSON body: as many as the largest that is in order can have, that of labels, however it is laid out."""


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names that are not known.

    Raises:
        Problem: 400, with the nearest that is known, or all of them.
    """
    known = list(known)
    unknown = min(set(given).difference(known), default=None)
    if unknown is None:
        return
    name = unknown[:64]
    nearest = get_close_matches(name, known, 1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else f" There are: {', '.join(known)}."
    suggestion = nearest[0] if nearest else None
    raise Problem(400, f"There is no {name!r} here.{hint}", parameter=name, suggestion=suggestion)


class Input(BaseModel):
    """An input of a request: no unknown names, and no conversions but those written here."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, values: Any) -> Any:
        if isinstance(values, dict):
            refuse_unknown(values, cls.model_fields)
        return values


# -- types ----------------------------------------------------------------------------------------------------------


def _whole_float(value: Any) -> Any:
    """60 for 60.0: to JSON Schema that is an integer too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _whole_text(value: Any) -> Any:
    """60 for "60", as addresses and forms have it."""
    # Nineteen digits are enough for any number the library knows, and int() of a million digits takes long.
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value) else value


def without_null(schema: dict[str, Any]) -> None:
    """Describe what may be absent, but is never null: `None` stands for absence in Python only."""
    schema.pop("default", None)
    kind, _ = schema.pop("anyOf")
    for name, value in kind.items():
        schema.setdefault(name, value)


def _given(error: Any) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value is None:
            raise PydanticKnownError(error)
        return value

    return BeforeValidator(check)


T = TypeVar("T")

Query = Annotated[str, Field(min_length=1, max_length=MAX_QUERY)]
Filters = Annotated[str, Field(max_length=MAX_QUERY)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_SEARCH_NAME)]
Whole = Annotated[T, BeforeValidator(_whole_float)]
WholeText = Annotated[T, BeforeValidator(_whole_text)]
Limit = Annotated[int, Field(ge=1, le=MAX_HITS, description="How many hits at most.")]
Offset = Annotated[int, Field(ge=0, le=10**12, description="How many hits to pass over.")]
Generation = Annotated[
    Annotated[int, Field(ge=0, le=MAX_ID)] | None,
    _given("int_type"),
    Field(
        description="Refuse (409) if the library is not at this generation any more.", json_schema_extra=without_null
    ),
]

# -- parameters in the address --------------------------------------------------------------------------------------

PhotoId = WholeText[
    Annotated[
        int,
        Path(
            alias="id", strict=True, ge=1, le=MAX_ID, description="A picture's id, as a search gives it.", examples=[1]
        ),
    ]
]
SearchName = Annotated[
    str,
    Path(
        alias="name", min_length=1, max_length=MAX_SEARCH_NAME,
        description="The name of a saved search.", examples=["boats"],
    ),
]  # fmt: skip


ConceptName = Annotated[
    str,
    Path(
        alias="name", min_length=1, max_length=MAX_CONCEPT,
        description="The name of a concept: letters and digits, with hyphens between.", examples=["ours-boat"],
    ),
]  # fmt: skip


_NUMBER: Final = r"[01](\.\d{1,9})?"
_PART: Final = rf"^({_NUMBER}(,{_NUMBER}){{3}})?$"


def _truth_text(value: Any) -> Any:
    """True for "true", as addresses and forms have it."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


Closer = Annotated[
    bool,
    Field(
        description="Look for small things in parts of the first 200 hits, which takes seconds to minutes. What was "
        "looked at is remembered: where a request ran out of time (503), the same one goes on from there."
    ),
]


class SearchParameters(Input):
    """A search in an address."""

    q: Annotated[
        Query,
        Field(description="Words, filters and pictures, in the query language.", examples=["red boat date:2000.."]),
    ]
    limit: WholeText[Limit] = 60
    offset: WholeText[Offset] = 0
    generation: WholeText[Generation] = None
    closer: Annotated[Closer, BeforeValidator(_truth_text)] = False


class ExplainParameters(Input):
    """What to look for in a picture, in an address."""

    text: Annotated[
        Query,
        Field(
            description="Words, as in a query; filters and what is excluded count for nothing.", examples=["a red boat"]
        ),
    ]
    part: Annotated[
        str,
        Field(
            pattern=_PART,
            description="The part of the picture to look at: left, top, width and height as `box` of a hit has them, "
            "with commas between. Without it the tile of the library that the words are found in, or the whole.",
            examples=["0.25,0,0.5,0.5"],
        ),
    ] = ""


class FacetParameters(Input):
    """Which pictures to count, in an address."""

    q: Annotated[Filters, Field(description="The query; only its filters count.", examples=["date:2020.."])] = ""


class FolderParameters(FacetParameters):
    """Which folders, and which pictures to count in them."""

    under: Annotated[
        str, Field(max_length=MAX_QUERY, description="The folder that they lie in; nothing: the roots.")
    ] = ""
    limit: WholeText[Annotated[int, Field(ge=1, le=10_000, description="How many folders at most.")]] = 100
    offset: WholeText[Annotated[int, Field(ge=0, le=10**12, description="How many folders to pass over.")]] = 0


# -- bodies ---------------------------------------------------------------------------------------------------------


class SearchRequest(Input):
    """A search."""

    q: Query
    limit: Whole[Limit] = 60
    offset: Whole[Offset] = 0
    generation: Whole[Generation] = None
    closer: Closer = False


# The parser gives the names of the files, "1", "2", ...; they stand for them here.
_File = Annotated[str, WithJsonSchema({"type": "string", "format": "binary"})]


class SearchForm(SearchParameters):
    """The pictures are called 1, 2, ... in the order of their parts: `picture:1` in `q` is the first."""

    q: Filters = ""
    picture: Annotated[list[_File], Field(max_length=MAX_PICTURES)] = []


class LabelRequest(Input):
    """Labels to choose from, and for which pictures."""

    labels: Annotated[list[Name], Field(min_length=1, max_length=MAX_LABELS)]
    templates: Annotated[
        Annotated[list[Name], Field(min_length=1, max_length=MAX_TEMPLATES)] | None,
        _given("list_type"),
        Field(description="Those of the model where there are none.", json_schema_extra=without_null),
    ] = None
    q: Annotated[Filters, Field(description="Filters only: which pictures.")] = ""
    none: Annotated[bool, Field(description="Whether a picture may be none of these.")] = True
    top: Whole[Annotated[int, Field(ge=1, le=MAX_LABELS)]] = 1
    limit: Whole[Limit] = 60
    offset: Whole[Offset] = 0


class TagChange(Input):
    """Tags to give and to take away; one of the two is there."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    add: Annotated[list[Name], Field(max_length=100)] = []
    remove: Annotated[list[Name], Field(max_length=100)] = []

    @model_validator(mode="before")
    @classmethod
    def _not_empty(cls, values: Any) -> Any:
        if values == {}:
            raise Problem(400, "{} should be non-empty.")
        return values


Pictures = Annotated[list[Whole[Annotated[int, Field(ge=1, le=MAX_ID)]]], Field(max_length=MAX_TAUGHT)]


class Lesson(Input):
    """Pictures that teach a concept, or teach it no more, by their ids; one of the three is there."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    examples: Annotated[Pictures, Field(description="They show it.")] = []
    counter_examples: Annotated[Pictures, Field(description="They do not show it.")] = []
    without: Annotated[Pictures, Field(description="They shall teach it no more.")] = []
    space: Annotated[
        Annotated[str, Field(min_length=1, max_length=MAX_QUERY)] | None,
        _given("string_type"),
        Field(description="The model that learns it now.", json_schema_extra=without_null),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _not_empty(cls, values: Any) -> Any:
        if values == {}:
            raise Problem(400, "{} should be non-empty.")
        return values


class SearchToSave(Input):
    """A search to keep under a name."""

    q: Query
