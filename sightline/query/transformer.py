"""What the rules of grammar.lark make of a text: the parts of a `Query`, or an error.

Each has its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, NoReturn, TypeVar

from lark import Token, Transformer, UnexpectedToken, v_args

from sightline.query.filter_values import Value, close_match, excerpt, one_of, read_filter, single_value
from sightline.query.keyboards import COLON, OR, QUOTES, SINGLE_QUOTES, WITHOUT_COLON, narrow, ungrouped, value_of
from sightline.query.parts import FilterPart, GroupPart, OptionPart, Part, RunPart, TermPart
from sightline.query.types import SORTS, Group, Like, Picture, Query, QueryError, Subject, Taught, Term, Words
from store.tables.fact_table import FILTERS
from store.tables.filters import Near

_T = TypeVar("_T")

# The options, in the order they print, each with an example.
OPTIONS: Final = {"space": "space:fast", "sort": "sort:newest", "dedup": "dedup:off", "template": "template:off"}
_SUBJECTS: Final = {"like": "like:12", "picture": "picture:1", "concept": "concept:ours-boat"}
_EXAMPLES: Final = {**{key: row.example for key, row in FILTERS.items()}, **OPTIONS, **_SUBJECTS}
_ALIASES: Final = {alias: key for key, row in FILTERS.items() for alias in row.aliases}
# What people type for a name that is too unlike it to be found by likeness.
_MEANT: Final = {
    **{name: key for key, row in FILTERS.items() for name in row.meant},
    "order": "sort", "similar": "like", "id": "like", "image": "picture", "taught": "concept",
}  # fmt: skip
# float() takes more: 1_0, nan, digits of other scripts.
_WEIGHT: Final = re.compile(r"\^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_ESCAPE: Final = re.compile(rf"\\([\\{QUOTES}])")
_ID: Final = re.compile(r"\d{1,19}", re.ASCII)

# What people write behind a distance.
_DISTANCES: Final = frozenset({"km", "kilometres", "kilometers", "mi", "miles", "m"})

_WEIGHT_PLACE: Final = (
    "A weight, as in boat^2, stands right behind a word, a text in quotes, like:, picture: or concept:; filters take "
    'none. In quotes ^ is text: "a^b".'
)
_OR_PLACE: Final = (
    "OR stands between two things to look for: words, a text in quotes, like:, picture: or concept:. For a filter a "
    'comma means any of, as in ext:heic,jpg; what is excluded can\'t be joined. In quotes it is text: "OR".'
)
_NOT_EXCLUDABLE: Final = (
    "This minus has nothing behind it that could be excluded: write a word, a text in quotes, like:, picture: or a "
    'filter. In quotes it is text: "--".'
)


@v_args(inline=True)
class QueryBuilder(Transformer[Token, Query]):
    """What each rule of the grammar makes. Has no state: one serves every text, in any thread."""

    def run(self, token: Token) -> RunPart:
        return RunPart(*_span(token), _free(token))

    def word(self, token: Token) -> TermPart:
        return TermPart(*_span(token), _words(*_span(token), _free(token)))

    def term(self, made: TermPart | Token) -> TermPart:
        if isinstance(made, TermPart):
            return made
        return TermPart(*_span(made), _words(*_span(made), _unquoted(made) if made.type == "QUOTED" else _free(made)))

    def weighted(self, made: TermPart | Token, weight: Token) -> TermPart:
        thing = self.term(made)
        start, end = _span(weight)
        if start != thing.end:
            raise QueryError(_WEIGHT_PLACE, start=start, end=end)
        number = narrow(weight)
        if not _WEIGHT.fullmatch(number):
            raise QueryError(
                f"{excerpt(weight)} is no weight: write a number right behind ^, as in boat^2 or boat^0.5. In quotes "
                'it is text: "a^b".',
                start=start, end=end,
            )  # fmt: skip
        return TermPart(thing.start, end, _at(start, end, lambda: Term(thing.term.subject, float(number[1:]))))

    def value(self, token: Token) -> Value:
        is_quoted = token.type == "QUOTED_VALUE"
        if not is_quoted and token[0] in SINGLE_QUOTES:
            start, end = _span(token)
            raise QueryError(
                f'Quotes around a value are double: write "{token.strip(SINGLE_QUOTES)} ...". If {token[0]} belongs to '
                "it, put it all in double quotes.",
                start=start, end=end,
            )  # fmt: skip
        return Value(_unquoted(token) if is_quoted else str(token), *_span(token), is_quoted)

    @v_args(inline=False)
    def values(self, made: list[Value | Token]) -> list[Value | Token]:
        return made

    def picked(self, token: Token, made: list[Value | Token]) -> TermPart:
        name = narrow(token[:-1]).lower()
        value = single_value(name, _filled(token, name, made)).narrowed()

        def subject() -> Subject:
            if name == "picture":
                return Picture(value.text)
            if name == "concept":
                return Taught(value.text)
            if not _ID.fullmatch(value.text):
                raise value.wrong(f"like: takes the id of a picture, a whole number; not {excerpt(value.text)}.")
            return Like(int(value.text))

        return TermPart(_span(token)[0], value.end, Term(_at(value.start, value.end, subject)))

    def filter(self, token: Token, made: list[Value | Token]) -> FilterPart | OptionPart:
        name, start = _filter_name(token), _span(token)[0]
        if name is None:
            raise _unknown(token)
        values = _filled(token, name, made)
        if name in OPTIONS:
            values = [value.narrowed() for value in values]
        first, end = values[0].start, values[-1].end
        if name in FILTERS:
            return FilterPart(start, end, _at(first, end, lambda: read_filter(name, values)))
        if name == "space":
            return OptionPart(
                start, end, name, _at(first, end, lambda: Query(space=single_value(name, values).text)).space or ""
            )
        if name == "template" and (prompt := single_value(name, values).text).casefold() not in ("on", "off"):
            return OptionPart(start, end, name, _at(first, end, lambda: Query(template=prompt)).template or "")
        return OptionPart(start, end, name, one_of(name, values, SORTS if name == "sort" else ("on", "off")))

    def measured(self, token: Token) -> FilterPart:
        start, end = _span(token)
        colon = next(at for at, char in enumerate(token) if char in COLON)
        name = narrow(token[:colon]).lower()
        text = ungrouped(name, value_of(token[colon + 1 :]))
        value = Value(text, start + colon + 1, end)
        return FilterPart(start, end, _at(value.start, end, lambda: read_filter(name, [value])))

    def excluded(self, minus: Token, made: TermPart | FilterPart | OptionPart) -> Part:
        start = _span(minus)[0]
        match made:
            case TermPart():
                return GroupPart(start, made.end, Group((made.term,), excluded=True))
            case FilterPart():
                return FilterPart(start, made.end, replace(made.filter, negated=not made.filter.negated))
            case OptionPart():
                raise QueryError(
                    f"{made.name}: is a choice, not a filter: there is nothing to exclude. Take the minus out.",
                    start=start, end=start + 1, suggestion="",
                )  # fmt: skip

    @v_args(inline=False)
    def any_of(self, made: list[RunPart | TermPart | Token]) -> RunPart | GroupPart:
        operands = [each for each in made if isinstance(each, RunPart | TermPart)]
        if len(operands) == 1 and isinstance(operands[0], RunPart):
            return operands[0]
        terms = (
            each.term if isinstance(each, TermPart) else _words(each.start, each.end, each.text) for each in operands
        )
        return GroupPart(operands[0].start, operands[-1].end, Group(tuple(terms)))

    def dangling(self, token: Token) -> NoReturn:
        start, end = _span(token)
        raise QueryError(
            "This minus excludes nothing: write what is not wanted right behind it, as in -people. In quotes it is "
            'text: "a - b".',
            start=start, end=end,
        )  # fmt: skip

    def unclosed(self, token: Token) -> NoReturn:
        raise _unclosed(token)

    @v_args(inline=False)
    def start(self, made: list[Part]) -> Query:
        for left, right in pairwise(made):
            if left.end == right.start:
                raise QueryError(
                    "Two parts touch here: put a space between them, or one pair of quotes around the whole.",
                    start=right.start, end=right.end,
                )  # fmt: skip
            unit = right.text.split()[0] if isinstance(right, RunPart) else ""
            if isinstance(left, FilterPart) and isinstance(left.filter, Near) and unit.lower() in _DISTANCES:
                raise QueryError(
                    f"near: takes kilometres without a unit, as in near:48.86,2.35,5. To look for {excerpt(unit)} as "
                    "text, put it in quotes.",
                    start=right.start, end=right.start + len(unit),
                )  # fmt: skip
        return _query(made)


def syntax_error(error: UnexpectedToken, text: str) -> QueryError:
    """Return the error where the grammar found no way on.

    It is about a quote, a weight, a name, or an operator, minus or OR.
    """
    start, end = _span(error.token)
    if error.token.type == "UNCLOSED":
        return _unclosed(error.token)
    if error.token.type == "WEIGHT":
        return QueryError(_WEIGHT_PLACE, start=start, end=end)
    if error.token.type == "FILTER" and _filter_name(error.token) is None:
        return _unknown(error.token)
    if start and narrow(text[start - 1]) == "-":
        return QueryError(_NOT_EXCLUDABLE, start=start - 1, end=end)
    if error.token.type not in ("OR", "$END"):
        # It stands behind an OR: nothing else needs something behind it. The end has the place of the last token.
        start = max(text.rfind(word, 0, start) for word in OR.split("|"))
        end = start + 2
    return QueryError(_OR_PLACE, start=start, end=end)


def _query(made: Sequence[Part]) -> Query:
    """The query of a text's parts. Free words are one term, where the first of them is."""
    runs = [part for part in made if isinstance(part, RunPart)]
    groups: list[Group] = []
    options: dict[str, OptionPart] = {}
    for part in made:
        match part:
            case RunPart() if part is runs[0]:
                groups.append(Group((_words(part.start, runs[-1].end, " ".join(run.text for run in runs)),)))
            case GroupPart():
                groups.append(part.group)
            case OptionPart():
                if part.name in options:
                    raise QueryError(
                        f"{part.name}: is there twice, first at character {options[part.name].start + 1}. Take one "
                        "out.",
                        start=part.start, end=part.end,
                    )  # fmt: skip
                options[part.name] = part
    named = {name: option.value for name, option in options.items()}
    return Query(
        tuple(groups),
        tuple(part.filter for part in made if isinstance(part, FilterPart)),
        space=named.get("space"),
        sort=next((each for each in SORTS if each == named.get("sort")), None),
        dedup=named.get("dedup") != "off",
        template=None if named.get("template", "on") == "on" else named["template"],
    )


def _filter_name(token: Token) -> str | None:
    """The name of a filter or option that a token has, if there is one of that name."""
    typed = narrow(token[:-1]).lower()
    name = _ALIASES.get(typed, typed)
    return name if name in FILTERS or name in OPTIONS else None


def _unknown(token: Token) -> QueryError:
    start, end = _span(token)
    typed = narrow(token[:-1]).lower()
    near = _MEANT.get(typed) or close_match(typed, (*_EXAMPLES, *_ALIASES))
    hint = f"Did you mean {near}:? " if near else f"There are {', '.join(f'{known}:' for known in _EXAMPLES)}. "
    return QueryError(
        f"There is no filter {excerpt(token)}. {hint}To look for it as text, put it in quotes.",
        start=start, end=end, suggestion=f"{near}:" if near else None,
    )  # fmt: skip


def _filled(token: Token, name: str, made: Iterable[Value | Token]) -> list[Value]:
    """Return the values of a filter or subject, none of them empty.

    Between two commas, or beside one, something must stand.

    Raises:
        QueryError: one is empty.
    """
    values: list[Value] = []
    waiting: Token | None = token
    for each in made:
        if isinstance(each, Value):
            if not each.text.strip():
                raise each.wrong(f"{name}: has an empty value; write one, as in {_EXAMPLES[name]}.")
            values.append(each)
            waiting = None
        elif waiting is None:
            waiting = each
        else:
            break
    if waiting is None:
        return values
    start, end = _span(waiting)
    where = "behind the colon" if waiting is token else "on both sides of the comma"
    raise QueryError(f"{name}: needs a value {where}, without a space, as in {_EXAMPLES[name]}.", start=start, end=end)


def _words(start: int, end: int, text: str) -> Term:
    return _at(start, end, lambda: Term(Words(text)))


def _unquoted(token: str) -> str:
    return _ESCAPE.sub(r"\1", token[1:-1])


def _free(token: Token) -> str:
    """The text of free words.

    Raises:
        QueryError: a filter is among them that lacks its colon.
    """
    found = WITHOUT_COLON.search(token)
    if found is None:
        return str(token)
    start = _span(token)[0]
    right = f"{narrow(found['key']).lower()}:{value_of(found['value'])}"
    raise QueryError(
        f"{excerpt(found[0])} lacks the colon of a filter: write {right}. To look for it as text, put it in quotes.",
        start=start + found.start(), end=start + found.end(), suggestion=right,
    )  # fmt: skip


def _unclosed(token: Token) -> QueryError:
    start, end = _span(token)
    return QueryError("This quote is not closed. Close it, or take it out.", start=start, end=end)


def _span(token: Token) -> tuple[int, int]:
    # Typed as optional, but the lexer sets both.
    return token.start_pos or 0, token.end_pos or 0


def _at(start: int, end: int, make: Callable[[], _T]) -> _T:
    """What `make` gives; an error of it gets a place, unless it has one."""
    try:
        return make()
    except QueryError as error:
        if error.start is not None:
            raise
        raise QueryError(str(error), start=start, end=end) from None
    except ValueError as error:
        raise QueryError(str(error), start=start, end=end) from None
