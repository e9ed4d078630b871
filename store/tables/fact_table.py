"""The one table of facts and filters: what is known of a picture, and what a query can ask of it.

A row of `FACTS` is a column of `contents`. The tables, the batch writer, the rows that the catalog gives, JSON, CSV and
the list beside a picture follow from it. A row of `FILTERS` is a name that queries know. Parser, printer, explanation,
SQL, facets and the panel follow from it. docs/internals/add-a-filter.md is the walk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

FACTS_VERSION: Final = 3
"""Version of what `sightline.metadata` reads from headers. A run reads the headers of older pictures again."""

LARGEST: Final = 2**63 - 1
"""SQLite's largest integer: a larger one can't even be compared with."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A column of `contents`.

    Attributes:
        name: of the column, in JSON and CSV, and of the attribute of `sightline.metadata.facts.Facts`.
        type: of its values: int, float, str, or tuple for several texts, which the column holds as a JSON array.
        about: what it is, with its unit, for people who read the JSON schema.
        source: where it comes from: the file's header, its pixels, the file itself, or other columns.
        required: whether it is known of every picture.
        sql: the expression of a computed column, which is asked for by filters and not handed out.
        label: what it is called beside a picture; empty where it is not shown by itself.
        shown: how its value is written there.
    """

    name: str
    type: type[int] | type[float] | type[str] | type[tuple[str, ...]]
    about: str
    source: Literal["header", "pixels", "file", "computed"] = "header"
    required: bool = False
    sql: str = ""
    label: str = ""
    shown: str = "{}"


FACTS: Final[tuple[Fact, ...]] = (
    Fact("width", int, "Pixels from left to right, upright as displayed.", required=True),
    Fact("height", int, "Pixels from top to bottom, upright as displayed.", required=True),
    Fact("format", str, "The file's format, such as JPEG or HEIF.", required=True),
    Fact("orientation", int, "The EXIF orientation, 1 to 8; width and height account for it.", required=True),
    Fact(
        "taken_at", str,
        "When it was taken, by the camera's own clock: YYYY-MM-DDTHH:MM:SS, or what is known of it: at least YYYY.",
    ),
    Fact("taken_from", str, "What told when it was taken: a kind of tag, or the name of the file."),
    Fact("taken_offset", int, "How far that clock is east of UTC, in minutes."),
    Fact("camera_make", str, "Who made the camera."),
    Fact("camera_model", str, "The camera's model, without the make."),
    Fact("lens", str, "The lens, as the camera names it.", label="Lens"),
    Fact("iso", int, "The sensitivity, ISO."),
    Fact("aperture", float, "The aperture, as an f-number."),
    Fact("exposure", float, "The exposure time in seconds."),
    Fact("focal", float, "The focal length of the lens in millimetres."),
    Fact("latitude", float, "Where it was taken: degrees, WGS84, north positive."),
    Fact("longitude", float, "Where it was taken: degrees, WGS84, east positive."),
    Fact("altitude", float, "Metres above the sea."),
    Fact("town", str, "The town, as written in the file, or the one nearest to the position."),
    Fact("region", str, "The state or province."),
    Fact("country", str, "The country."),
    Fact("rating", int, "Stars that a program gave it, 1 to 5.", label="Rating", shown="{} of 5"),
    Fact("colour_label", str, "The colour label that a program gave it, such as Red.", label="Label"),
    Fact("title", str, "The title that a person wrote.", label="Title"),
    Fact("caption", str, "The caption that a person wrote.", label="Caption"),
    Fact("keywords", tuple[str, ...], "Keywords that a person gave it; the levels of one are separated by |."),
    Fact("people", tuple[str, ...], "Names of people in it."),
    Fact("remark", str, "What was wrong with the file, though there is a picture.", source="pixels", label="Remark"),
    Fact("colour", int, "The dominant colour, 0xRRGGBB as a number.", source="pixels"),
    Fact("size", int, "The file's size in bytes.", source="file", required=True),
    Fact(
        "camera", str, "Make and model.", source="computed",
        sql="nullif(trim(coalesce(camera_make, '') || ' ' || coalesce(camera_model, '')), '')",
    ),
    Fact(
        "shape", str, "The orientation as displayed.", source="computed", required=True,
        sql="CASE WHEN width > height THEN 'landscape' WHEN width < height THEN 'portrait' ELSE 'square' END",
    ),
)  # fmt: skip

GIVEN: Final = tuple(fact for fact in FACTS if fact.source != "computed")
"""The facts that are handed out with a picture, in the order of JSON and CSV."""

GIVEN_NAMES: Final = tuple(fact.name for fact in GIVEN)
LIST_NAMES: Final = tuple(fact.name for fact in FACTS if fact.type not in (int, float, str))
"""The facts that are several texts."""

TEXT_NAMES: Final = ("title", "caption", "keywords", "people")
"""The facts that people write about a picture: what full text is kept of."""

HEADER_NAMES: Final = tuple(fact.name for fact in FACTS if fact.source == "header")
READ_NAMES: Final = tuple(fact.name for fact in FACTS if fact.source in ("header", "pixels"))
"""The facts that a reader of files finds out."""


@dataclass(frozen=True, slots=True)
class Facet:
    """What pictures are counted by: name in JSON, title in the panel, place there, lowest first."""

    name: str
    title: str
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterKey:
    """A filter as queries name it.

    Attributes:
        key: its name, without the colon.
        example: a right one, for error messages.
        meaning: the filter in words, with `{}` for its value.
        meant: other names that people type, too unlike `key` to be found by likeness: "did you mean" knows them.
        aliases: other names that are read as `key`.
        facet: how pictures are counted by it, if they are.
    """

    key: str
    example: str
    meaning: str
    meant: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    facet: Facet | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactKey(FilterKey):
    """A filter on one fact: `column` is the `name` of a row of `FACTS`."""

    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberKey(FactKey):
    """A whole number or a range of them: `store.tables.filters.Number`.

    Attributes:
        takes: what it takes, with examples, for error messages.
        is_bytes: whether values may have units such as MB.
        units: a regular expression for what is read behind a number, and means nothing.
        highest: the greatest value.
    """

    takes: str
    is_bytes: bool = False
    units: str = ""
    highest: int = LARGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class RealKey(FactKey):
    """A number that need not be whole, or a range of them: `store.tables.filters.Real`.

    Attributes:
        takes: what it takes, with examples, for error messages.
        ratio: a single value stands for all from the value divided by this to the value times this; None: for all that
            are the same when rounded to as many digits.
        prefix: what is written before a value, such as `f/`.
        unit: what is written behind it, such as `mm`.
        units: a regular expression for what is read there.
        is_fraction: whether values below 1 are written as 1/250.
    """

    takes: str
    ratio: float | None = None
    prefix: str = ""
    unit: str = ""
    units: str = ""
    is_fraction: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TextKey(FactKey):
    """Words that are all in a text: `store.tables.filters.Text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceKey(FactKey):
    """A name of a town, region or country, or another name that it has: `store.tables.filters.Place`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceKey(FactKey):
    """One of a few values, each with how it is explained: `store.tables.filters.Choice`."""

    choices: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WordKey(FilterKey):
    """One of the words that the fact `kind`, a list of texts, has: `store.tables.filters.Word`."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenKey(FilterKey):
    """Words that are all in what people wrote, in these facts together: `store.tables.filters.Written`."""

    columns: tuple[str, ...]


_ROWS: Final = (
    FilterKey(
        key="date", example="date:2023-06..2023-08", meaning="taken {}",
        meant=("year", "month", "day", "taken", "before", "after"), facet=Facet("years", "Years", 0),
    ),
    FilterKey(
        key="folder", example="folder:trips", meaning="in a folder called {}",
        meant=("path", "dir", "directory", "album", "in"), facet=Facet("folders", "Folders", 30),
    ),
    FilterKey(key="name", example="name:IMG_*", meaning="with a file name {}", meant=("file", "filename")),
    FilterKey(
        key="ext", example="ext:heic,jpg", meaning="in a file that ends with {}",
        meant=("type", "format", "extension"), facet=Facet("exts", "Formats", 60),
    ),
    TextKey(
        key="camera", column="camera", example="camera:sony", meaning="taken with a camera called {}",
        meant=("model", "make"), facet=Facet("cameras", "Cameras", 40),
    ),
    TextKey(
        key="lens", column="lens", example="lens:35mm", meaning="taken with a lens called {}",
        facet=Facet("lenses", "Lenses", 50),
    ),
    NumberKey(
        key="width", column="width", example="width:>=4000", meaning="{} pixels wide", units="px|pixels?",
        takes="whole numbers of pixels, as in width:4000, width:>=4000 or width:1000..2000",
    ),
    NumberKey(
        key="height", column="height", example="height:1000..2000", meaning="{} pixels high", units="px|pixels?",
        takes="whole numbers of pixels, as in height:4000, height:>=4000 or height:1000..2000",
    ),
    NumberKey(
        key="size", column="size", example="size:>5MB", meaning="in a file of {}", is_bytes=True,
        takes="a size, as in size:>=5MB or size:100kB..2MB",
    ),
    ChoiceKey(
        key="orientation", column="shape", example="orientation:landscape", meaning="{}", meant=("shape",),
        choices={"landscape": "wider than high", "portrait": "higher than wide", "square": "as wide as high"},
        facet=Facet("shapes", "Orientation", 70),
    ),
    NumberKey(
        key="rating", column="rating", example="rating:>=4", meaning="rated {} of 5 stars", meant=("stars",), highest=5,
        units="stars?",
        takes="whole numbers of stars, as in rating:5, rating:>=4 or rating:3..4", facet=Facet("ratings", "Rating", 25),
    ),
    TextKey(
        key="label", column="colour_label", example="label:red", meaning="with a label called {}",
        meant=("colour", "color"),
        facet=Facet("labels", "Labels", 26),
    ),
    WordKey(
        key="keyword", kind="keywords", example='keyword:"new york"', meaning="with the keyword {}",
        meant=("keywords", "subject", "category"), facet=Facet("keywords", "Keywords", 21),
    ),
    WordKey(
        key="person", kind="people", example="person:ann", meaning="with a person called {}",
        meant=("people", "face", "who", "with"), facet=Facet("people", "People", 22),
    ),
    WrittenKey(key="title", columns=("title",), example="title:harbour", meaning="with {} in the title"),
    WrittenKey(
        key="caption", columns=("caption",), example='caption:"red boat"', meaning="with {} in the caption",
        meant=("description", "comment"),
    ),
    WrittenKey(
        key="text", columns=TEXT_NAMES, example="text:invoice",
        meaning="with {} in the title, the caption, the keywords or the names", meant=("words", "contains", "fulltext"),
    ),
    NumberKey(
        key="iso", column="iso", example="iso:>=3200", meaning="with a sensitivity of {} ISO", meant=("sensitivity",),
        takes="whole numbers, as in iso:100, iso:>=3200 or iso:100..400",
    ),
    RealKey(
        key="aperture", column="aperture", example="aperture:<2.8", meaning="with an aperture of {}", ratio=1.03,
        prefix="f/", meant=("fnumber", "f", "fstop"),
        takes="f-numbers, as in aperture:2.8, aperture:<f/4 or aperture:2..5.6",
    ),
    RealKey(
        key="exposure", column="exposure", example="exposure:<1/500", meaning="exposed for {}", ratio=2 ** (1 / 6),
        unit="s", units="s|secs?|seconds?", is_fraction=True, meant=("shutter", "speed"),
        takes="seconds, as in exposure:1/250, exposure:>2s or exposure:1/60..1/15",
    ),
    RealKey(
        key="focal", column="focal", example="focal:85", meaning="with a focal length of {}", unit="mm", units="mm",
        meant=("length", "zoom"), takes="millimetres, as in focal:85, focal:>=200mm or focal:24..70",
    ),
    FilterKey(key="place", example="place:kyoto", meaning="taken in {}", meant=("location", "where")),
    PlaceKey(
        key="country", column="country", example="country:japan", meaning="taken in the country {}", meant=("nation",),
        facet=Facet("countries", "Countries", 32),
    ),
    PlaceKey(key="region", column="region", example="region:tuscany", meaning="taken in the region {}",
             meant=("state", "province")),
    PlaceKey(
        key="town", column="town", example="town:kyoto", meaning="taken in the town {}", meant=("city", "village"),
        facet=Facet("towns", "Towns", 34),
    ),
    FilterKey(key="near", example="near:kyoto,20", meaning="taken within {}", meant=("gps", "around")),
    FilterKey(key="tag", example="tag:best", meaning="tagged {}", facet=Facet("tags", "Tags", 20)),
    FilterKey(
        key="favourite", example="favourite:yes", meaning="among the favourites", meant=("star",),
        aliases=("favorite",), facet=Facet("favourites", "Marked", 10),
    ),
    FilterKey(key="set", example="set:3f9a1c20b7e4", meaning="among the pictures chosen before as {}"),
)  # fmt: skip

FILTERS: Final[Mapping[str, FilterKey]] = MappingProxyType({row.key: row for row in _ROWS})
"""Every filter by its name, in the order that messages list them."""

FACT_FILTERS: Final = tuple(row for row in _ROWS if isinstance(row, FactKey))

FACET_NAMES: Final = tuple(row.facet.name for row in _ROWS if row.facet is not None and row.key != "favourite")
"""The kinds of values that pictures are counted by; favourites are one number."""
