"""Answers of the interface, as pydantic models: for the OpenAPI document, not to validate answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model

from search_ui.server.api.inputs import MAX_ID, Name, without_null
from store.progress import Phase
from store.tables.fact_table import FACET_NAMES, GIVEN, LIST_NAMES

T = TypeVar("T")
Absent = Annotated[T | None, Field(json_schema_extra=without_null)]
"""What is there, and never null, or is not there at all."""
Count = Annotated[int, Field(ge=0)]
Id = Annotated[int, Field(ge=1, le=MAX_ID)]


class Answer(BaseModel):
    """An object with these members and no others."""

    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    """An error: RFC 9457."""

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    parameter: Annotated[Absent[str], Field(description="The parameter or member of the body that is wrong.")] = None
    start: Annotated[Absent[Count], Field(description="Where in `q` the mistake begins, in characters.")] = None
    end: Annotated[Absent[Count], Field(description="Where in `q` the mistake ends.")] = None
    suggestion: Annotated[Absent[str], Field(description="The nearest that would have been right.")] = None
    generation: Annotated[Absent[Count], Field(description="The library's generation now.")] = None


# -- pictures -------------------------------------------------------------------------------------------------------


class Where(Answer):
    """Where a file is. A path that is not valid text is given as bytes, in base64, under the other name."""

    path: Absent[str] = None
    path_b64: Absent[str] = None
    root: Absent[str] = None
    root_b64: Absent[str] = None
    absolute: Absent[str] = None
    absolute_b64: Absent[str] = None


_fact_fields: dict[str, Any] = {
    fact.name: (Annotated[type_, Field(description=fact.about)], ...)
    for fact in GIVEN
    for type_ in (fact.type if fact.required or fact.name in LIST_NAMES else fact.type | None,)
}
Facts = create_model("Facts", __base__=Answer, **_fact_fields)


class Picture(Where, Facts):  # type: ignore[valid-type, misc]
    """A picture, where its file is, and what is known of it."""

    id: Id
    copies: Annotated[Count, Field(description="Files that hold it.")]


class Marked(Answer):
    """What a person said of a picture."""

    tags: list[str]
    favourite: bool


class Box(Answer):
    """Where in an upright picture, as shares of its width and height."""

    left: Annotated[float, Field(ge=0, le=1)]
    top: Annotated[float, Field(ge=0, le=1)]
    width: Annotated[float, Field(ge=0, le=1)]
    height: Annotated[float, Field(ge=0, le=1)]


class Part(Answer):
    """What one term of the query gave a hit."""

    term: str
    cosine: float
    score: float
    excluded: bool
    box: Annotated[Box | None, Field(description="The tile that is nearest to the term; null: the whole picture.")]


class Hit(Picture, Marked):
    """A picture that was found. Its score orders the hits."""

    rank: Annotated[int, Field(ge=1)]
    score: float
    band: Literal["strong", "maybe", "below"]
    parts: list[Part]
    box: Annotated[Box | None, Field(description="The tile that it was found by; null: the whole picture.")]
    folded: Annotated[list[Id], Field(description="Ids of near-duplicates that stand behind it.")]


class Understood(Answer):
    """A part of the query and what it was taken to mean."""

    kind: str
    text: str
    meaning: str


class Page(Answer):
    """A page of a longer list."""

    offset: Count
    more: Annotated[bool, Field(description="There are hits after these.")]


class Search(Page):
    """A page of hits."""

    query: Annotated[str, Field(description="The query as Sightline writes it.")]
    understood: list[Understood]
    space: str
    generation: Count
    total: Annotated[Count, Field(description="Pictures that pass the filters.")]
    strong: Count
    maybe: Count
    seconds: Annotated[float, Field(ge=0)]
    why_empty: str | None
    note: Annotated[str | None, Field(description="Why another model was searched with than is usual here.")]
    hints: Annotated[list[str], Field(description="What models can't do of what was asked for, in English.")]
    hits: list[Hit]


class Photo(Picture, Marked):
    """All that is known of a picture."""

    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the file's bytes.")]
    paths: Annotated[list[Where], Field(description="Every file that holds it.")]
    spaces: Annotated[list[str], Field(description="Spaces it can be found in.")]


Share = Annotated[float, Field(ge=0, le=1)]


class Explanation(Answer):
    """Where in a picture a text was found."""

    id: Id
    text: str
    space: str
    map: Annotated[
        list[list[Share]],
        Field(description="Rows from the top, of places from the left: 1 where most speaks for the text, 0 nothing."),
    ]
    box: Annotated[Box, Field(description="What the map is of: what the model saw, or the tile it was found in.")]
    peak: Annotated[
        Annotated[list[Share], Field(min_length=2, max_length=2)] | None,
        Field(description="Where most speaks for the text: x, y in shares of the picture. null where nothing does."),
    ]


class Marks(Marked):
    """The marks of a picture after a change."""

    id: Id


class Guess(Answer):
    """A label and how likely it is."""

    label: Annotated[str | None, Field(description="null: none of these")]
    probability: Annotated[float, Field(ge=0, le=1)]


class Labelled(Guess, Picture):
    """A picture with its best label, and the next ones."""

    labels: list[Guess]


class Labels(Page):
    """A page of labelled pictures."""

    space: str
    query: str
    pictures: list[Labelled]


# -- the library ----------------------------------------------------------------------------------------------------


class Counted(Answer):
    """A value and how many pictures have it."""

    name: str
    count: Count


class Tags(Answer):
    """Every tag."""

    tags: list[Counted]


class LearntConcept(Answer):
    """How sure a model is of a concept, by pictures that were held out while it learnt."""

    space: str
    accuracy: Annotated[float, Field(ge=0, le=1, description="Of examples and counter-examples, held out.")]
    found: Annotated[Count, Field(description="Examples that match when they are held out.")]
    examples: Count
    refused: Annotated[Count, Field(description="Counter-examples that do not.")]
    counter_examples: Count
    strays: Annotated[Count, Field(description="Of other pictures, those that match; some may be right.")]
    background: Annotated[Count, Field(description="How many other pictures, chosen at random.")]
    sure: Annotated[str, Field(description="The same in words.")]


class Concept(Answer):
    """A word that was taught by pictures."""

    name: str
    examples: list[Id]
    counter_examples: list[Id]
    changed_at: str
    spaces: Annotated[list[LearntConcept], Field(description="The models that have learnt it.")]


class Taught(Concept):
    """A concept after a lesson."""

    note: Annotated[str | None, Field(description="Why it could not be learnt now; null where it was.")]


class Concepts(Answer):
    """Every concept."""

    concepts: list[Concept]


class _Facets(Answer):
    query: str
    total: Count
    favourites: Count


_facet_fields: dict[str, Any] = dict.fromkeys(FACET_NAMES, (list[Counted], ...))
Facets = create_model(
    "Facets", __base__=_Facets, __doc__="What pictures can be narrowed by, with counts.", **_facet_fields
)


class CountedFolder(Answer):
    """A folder, and how many pictures it holds at any depth."""

    path: Annotated[str, Field(description="From its root's own name on, as in `photos/trips`.")]
    count: Count
    folders: Annotated[Count, Field(description="How many folders lie right in it.")]
    filter: Annotated[str | None, Field(description="What finds its pictures; null where no query can name it.")]


class Folders(Answer):
    """The folders right in one, those with most pictures first."""

    query: str
    under: str
    total: Annotated[Count, Field(description="How many folders lie right in it.")]
    offset: Count
    folders: list[CountedFolder]


class Space(Answer):
    """An embedding space."""

    name: str
    model: str
    dim: int
    has_text: bool
    pictures: Count
    behind: Annotated[Count, Field(description="Pictures that can be found now and have no vector in it.")]
    default: bool


class Spaces(Answer):
    """Every space of the library."""

    spaces: list[Space]


class Progress(Answer):
    """How far the indexer at work is."""

    pid: int
    started: str
    folders: list[str]
    phase: Phase
    done: Annotated[int, Field(ge=0, description="Files; bytes while the model is downloaded.")]
    total: Annotated[int | None, Field(description="null while it still looks for them")]
    rate: Annotated[float, Field(ge=0, description="Of them a second.")]
    bound_by: str
    failed: Count
    updated: str


class LastRun(BaseModel):
    """The last run of the indexer."""

    started_at: str
    finished_at: str | None
    state: str
    summary: dict[str, Any] | None


class Status(Answer):
    """What the library holds."""

    version: str
    generation: Count
    pictures: Count
    photos: Count
    missing: Count
    failures: Count
    indexing: Annotated[bool, Field(description="Whether an indexer is at work now.")]
    progress: Progress | None
    last_run: LastRun | None


class SavedSearch(Answer):
    """A search that is kept under a name."""

    name: Name
    query: str
    saved_at: str


class SavedSearches(Answer):
    """Every saved search."""

    searches: list[SavedSearch]
