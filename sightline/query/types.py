"""What was asked for, as types: terms to look for, filters, options.

`sightline.query.parser` makes them of a text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, cast, get_args

from sightline.query.formatting import is_word, is_words, printed_filter, printed_number, printed_value, quoted
from store.errors import SightlineError
from store.tables.filters import Filter
from store.tables.marks_json import MarksError, concept_name

MAX_HITS: Final = 500
MAX_PICTURE_BYTES: Final = 25_000_000
# Far above what any model reads, far below what would keep a tokenizer busy.
MAX_TEXT: Final = 2_000
# What fits into an address: servers take 8,192 bytes of a request line and more, RFC 9110 (4.1) asks for 8,000.
MAX_QUERY: Final = 8_000
MAX_TERMS: Final = 32
MAX_FILTERS: Final = 64
MAX_WEIGHT: Final = 100.0
MAX_TEMPLATE: Final = 200

TEMPLATE_OFF: Final = "off"
SLOT: Final = "{}"

Order = Literal["best", "newest", "oldest", "name", "added"]
Sort = Order | Literal["score", "date"]
"""An order as a query names it: `score` is another name of `best`, and `date` of `newest`."""
SORTS: Final[tuple[Sort, ...]] = (*get_args(Order), "score", "date")
_ORDERS: Final[Mapping[Sort, Order]] = {"score": "best", "date": "newest"}

# SQLite's largest integer.
LARGEST_ID: Final = 2**63 - 1
_BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_PICTURE_NAME: Final = re.compile(r"[0-9a-zA-Z]{1,64}")


class QueryError(SightlineError):
    """What was asked can't be searched for; the message says why and what can.

    Attributes:
        start: where in the text the mistake begins, counted in characters from 0; None where there is no text.
        end: where it ends.
        suggestion: what to write there instead, where one thing is near.
    """

    def __init__(
        self, message: str, *, start: int | None = None, end: int | None = None, suggestion: str | None = None
    ) -> None:
        super().__init__(message)
        self.start = start
        self.end = end
        self.suggestion = suggestion


class PictureError(QueryError):
    """A picture that was given to search with can't be read.

    Attributes:
        name: of the picture, as `picture:` has it.
        reason: why not.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The picture can't be read: {reason}.")
        self.name = name
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Words:
    """A text to look for by its meaning. White space and control characters become single spaces.

    Raises:
        QueryError: nothing is left, it is longer than `MAX_TEXT`, or it is no valid Unicode.
    """

    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", _BLANK.sub(" ", self.text).strip(" "))
        if not self.text:
            raise QueryError("There are no words to look for between the quotes. Put some in, or take the quotes out.")
        if len(self.text) > MAX_TEXT:
            raise QueryError(f"The text has {len(self.text)} characters; the limit is {MAX_TEXT}. Shorten it.")
        broken = [char for char in self.text if unicodedata.category(char) == "Cs"]
        if broken:
            raise QueryError(f"The text has {broken[0]!r} in it, half a character, which no model reads. Take it out.")

    def __str__(self) -> str:
        return quoted(self.text)


@dataclass(frozen=True, slots=True)
class Like:
    """A picture of the library, by its content id.

    Raises:
        QueryError: no picture can have this id.
    """

    id: int

    def __post_init__(self) -> None:
        if not 1 <= self.id <= LARGEST_ID:
            raise QueryError(f"like: takes the id of a picture, a whole number from 1; not {self.id}.")

    def __str__(self) -> str:
        return f"like:{self.id}"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is given with the query, by the name it is given under.

    Raises:
        QueryError: the name is not 1 to 64 letters a to z and digits.
    """

    name: str

    def __post_init__(self) -> None:
        if not _PICTURE_NAME.fullmatch(self.name):
            raise QueryError(f"The name of a picture is 1 to 64 letters a to z and digits; not {self.name[:80]!r}.")

    def __str__(self) -> str:
        return f"picture:{self.name}"


@dataclass(frozen=True, slots=True)
class Taught:
    """A concept that a person taught by pictures, by its name.

    Raises:
        QueryError: no concept can have this name.
    """

    name: str

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "name", concept_name(self.name))
        except MarksError as error:
            raise QueryError(str(error)) from None

    def __str__(self) -> str:
        return f"concept:{printed_value(self.name)}"


Subject = Words | Like | Picture | Taught


@dataclass(frozen=True, slots=True)
class Term:
    """Something to look for, and how much it counts beside the other terms.

    Raises:
        QueryError: the weight is not above 0, or above `MAX_WEIGHT`.
    """

    subject: Subject
    weight: float = 1.0

    def __post_init__(self) -> None:
        # Written so that a NaN is refused too.
        if not 0 < self.weight <= MAX_WEIGHT:
            raise QueryError(f"A weight is above 0 and at most {MAX_WEIGHT:g}; not {self.weight:g}.")
        object.__setattr__(self, "weight", float(self.weight))

    def __str__(self) -> str:
        if self.weight == 1:
            return f"{self.subject}"
        return f"{_bare(self.subject, is_word)}^{printed_number(self.weight)}"

    def printed(self, *, excluded: bool = False) -> str:
        """The term by itself, in the query language: `sunset beach`, `"red boat"^2`, `like:12`, `-people`."""
        text = f"{self}" if self.weight != 1 else _bare(self.subject, is_word if excluded else is_words)
        return f"-{text}" if excluded else text


@dataclass(frozen=True, slots=True)
class Group:
    """Terms of which one is enough, or a term that is not wanted.

    Raises:
        QueryError: there is no term, or more than one is excluded together.
    """

    any_of: tuple[Term, ...]
    excluded: bool = False

    def __post_init__(self) -> None:
        if not self.any_of:
            raise QueryError("A group needs at least one term.")
        if self.excluded and len(self.any_of) > 1:
            raise QueryError("What is excluded can't be joined with OR: exclude each by itself, as in -dog -cat.")

    def __str__(self) -> str:
        return self.any_of[0].printed(excluded=True) if self.excluded else " OR ".join(map(str, self.any_of))


@dataclass(frozen=True, slots=True)
class Query:
    """One search: every group should suit a hit, and every filter must.

    Attributes:
        groups: what to look for, and what to exclude by meaning. Exclusions alone are a query: everything but that.
        filters: facts, applied before anything is looked for.
        space: the name of the space to search in; None for the library's own choice.
        sort: the order of the hits that was asked for; None for the usual one, see `order`.
        dedup: whether near-duplicates are folded into one hit.
        template: the prompt that texts are put into, with `{}` for the text; "off" for none; None for those that the
            space puts short texts into.

    Raises:
        QueryError: more than `MAX_TERMS` terms or `MAX_FILTERS` filters, a printed length above `MAX_QUERY`, or a space
            or an order that can't be.
    """

    groups: tuple[Group, ...] = ()
    filters: tuple[Filter, ...] = ()
    space: str | None = None
    sort: Sort | None = None
    dedup: bool = True
    template: str | None = None

    def __post_init__(self) -> None:
        if len(self.terms) > MAX_TERMS:
            raise QueryError(f"The query has {len(self.terms)} terms; the limit is {MAX_TERMS}. Take some out.")
        if len(self.filters) > MAX_FILTERS:
            raise QueryError(
                f"The query has {len(self.filters)} filters; the limit is {MAX_FILTERS}. A comma joins values of one "
                "filter: ext:heic,jpg."
            )
        if self.sort is not None and self.sort not in SORTS:
            raise QueryError(f"Hits can be sorted by {', '.join(SORTS)}; not by {self.sort!r}.")
        if self.space is not None and (not self.space.strip() or not _is_printable(self.space)):
            raise QueryError(f"space: takes the name of a model; not {self.space[:80]!r}.")
        if self.template is not None and self.template != TEMPLATE_OFF:
            if SLOT not in self.template or not _is_printable(self.template):
                raise QueryError(
                    f"template: takes on, off, or a prompt with {SLOT} where the text goes, as in "
                    f'template:"a drawing of {SLOT}"; not {self.template[:80]!r}.'
                )
            if len(self.template) > MAX_TEMPLATE:
                raise QueryError(f"The prompt has {len(self.template)} characters; the limit is {MAX_TEMPLATE}.")
        if len(text := str(self)) > MAX_QUERY:
            raise QueryError(
                f"The query, written out, has {len(text)} characters; the limit is {MAX_QUERY}. Shorten it."
            )

    @property
    def terms(self) -> tuple[Term, ...]:
        """All terms of all groups, in order."""
        return tuple(term for group in self.groups for term in group.any_of)

    @property
    def order(self) -> Order:
        """The order of the hits: the one asked for; else the best first, or without any terms the newest."""
        if self.sort is None:
            return "best" if self.groups else "newest"
        return _ORDERS.get(self.sort) or cast(Order, self.sort)

    @property
    def has_words(self) -> bool:
        """Whether it has a term of words."""
        return any(isinstance(term.subject, Words) for term in self.terms)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for: no term, no filter and no order."""
        return self.is_of_all and self.sort is None

    @property
    def is_of_all(self) -> bool:
        """Whether every picture suits it: there is no term and no filter. An order may be asked for."""
        return not self.groups and not self.filters

    def with_pictures(self, names: Iterable[str]) -> Query:
        """The query with a term for each given picture that no term of it names yet.

        Raises:
            QueryError: a name that no picture can have, or too many terms.
        """
        named = {term.subject.name for term in self.terms if isinstance(term.subject, Picture)}
        added = (Group((Term(Picture(name)),)) for name in dict.fromkeys(names) if name not in named)
        return replace(self, groups=(*self.groups, *added))

    def parts(self) -> list[str]:
        """The query piece by piece, as it prints: groups, then filters, then options."""
        made: list[str] = []
        has_bare = False
        for group in self.groups:
            text = f"{group}"
            if not has_bare and len(group.any_of) == 1 and not group.excluded:
                # One group may go without quotes; the words of two would run together.
                bare = group.any_of[0].printed()
                has_bare, text = bare != text, bare
            made.append(text)
        made += [printed_filter(each) for each in self.filters]
        made += [f"space:{printed_value(self.space)}"] if self.space is not None else []
        made += [f"sort:{self.sort}"] if self.sort is not None else []
        made += [] if self.dedup else ["dedup:off"]
        made += [f"template:{printed_value(self.template)}"] if self.template is not None else []
        return made

    def __str__(self) -> str:
        return " ".join(self.parts())


def _is_printable(text: str) -> bool:
    return not any(unicodedata.category(char) in ("Cc", "Cs") for char in text)


def _bare(subject: Subject, is_safe: Callable[[str], bool]) -> str:
    """A subject as text, without quotes where it is words that are safe without."""
    return subject.text if isinstance(subject, Words) and is_safe(subject.text) else f"{subject}"
