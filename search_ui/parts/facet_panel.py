"""What the present search can be narrowed by, and what a click on it does to the query.

A click writes a filter into the box, or takes it out: several values of one fact become one filter, `camera:a,b`, which
any of them satisfies. A count says how many pictures choosing the value alone would leave, with the query's filters on
other facts: those on the same fact are left out, so that what could be chosen beside, or instead, can be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

import streamlit as st

from search_ui.components.facets import Group, Value, Years, facets
from search_ui.parts import page_state
from search_ui.parts.concept_group import concept_group, is_asked, toggled
from search_ui.parts.folder_group import folder_group
from sightline.query.formatting import printed_filter
from sightline.query.parser import parse
from sightline.query.types import Query, Taught
from sightline.searcher import Searcher
from store.library import Library
from store.places.names import wanted_in
from store.tables.facets import Counted, Facets
from store.tables.fact_table import FILTERS, ChoiceKey, Facet, FactKey, FilterKey, NumberKey, PlaceKey, TextKey, WordKey
from store.tables.filter_sql import one_spelling
from store.tables.filters import (
    Choice,
    Date,
    Ext,
    Favourite,
    Filter,
    Folder,
    Number,
    Place,
    Real,
    Tag,
    Text,
    Word,
    casefolded,
)
from store.tables.patterns import is_plain, literal, word_pattern

Named = Ext | Folder | Tag | Text | Choice | Place | Word

# Of each fact so many values are read, the most frequent, and so many are offered.
_READ: Final = 2_000
_OFFERED: Final = 200
_KEPT: Final = 64


# -- the query ------------------------------------------------------------------------------------------------------


def toggle(query: Query, wanted: Filter) -> Query:
    """The query with a filter, or without it where it has it.

    A filter with a name joins the first one of its key, `camera:a,b`. Where one leaves the name out, `-camera:a`, that
    ends, and nothing else. Dates and numbers take the place of others, and favourites that of `favourite:no`. For a
    query with at most one filter of the key, and none that leaves the name out, twice gives the same again, but for
    the order of filters and names.

    Args:
        query: any.
        wanted: with one name, where it has names.

    Raises:
        QueryError: there would be too many filters, or too long a text.
    """
    if isinstance(wanted, Named):
        return replace(query, filters=_toggled(query.filters, wanted))
    if wanted in query.filters:
        return replace(query, filters=tuple(each for each in query.filters if each != wanted))
    if isinstance(wanted, Date | Number | Real):
        others = [each for each in query.filters if each.key != wanted.key or each.negated]
    elif isinstance(wanted, Favourite):
        others = [each for each in query.filters if not isinstance(each, Favourite)]
    else:
        others = list(query.filters)
    return replace(query, filters=(*others, wanted))


def is_on(query: Query, wanted: Filter) -> bool:
    """Whether the query asks for a filter's one name, days or mark already."""
    if not isinstance(wanted, Named):
        return wanted in query.filters
    return any(_has(each, wanted) and not each.negated for each in query.filters)


def is_off(query: Query, wanted: Filter) -> bool:
    """Whether the query leaves a filter's one name out."""
    return any(_has(each, wanted) and each.negated for each in query.filters)


def _toggled(filters: Sequence[Filter], wanted: Named) -> tuple[Filter, ...]:
    for negated in (True, False):
        if any(_has(each, wanted) and each.negated is negated for each in filters):
            made = [_without(each, wanted) if each.negated is negated else each for each in filters]
            return tuple(each for each in made if each is not None)
    for place, each in enumerate(filters):
        if each.key == wanted.key and isinstance(each, Named) and not each.negated:
            joined = replace(each, names=(*each.names, *wanted.names))
            return (*filters[:place], joined, *filters[place + 1 :])
    return (*filters, wanted)


def spelling(key: str, name: str) -> str:
    """A name as it is compared with others of a filter."""
    folded = casefolded(" ".join(name.split()))
    return one_spelling(folded) if key == Ext.key else folded.strip("/") if key == Folder.key else folded


def _has(given: Filter, wanted: Filter) -> bool:
    if not isinstance(given, Named) or not isinstance(wanted, Named) or given.key != wanted.key:
        return False
    return spelling(wanted.key, wanted.names[0]) in {spelling(wanted.key, name) for name in given.names}


def _without(given: Filter, wanted: Named) -> Filter | None:
    """The filter without a name; None where nothing is left of it."""
    if not isinstance(given, Named) or not _has(given, wanted):
        return given
    unwanted = spelling(given.key, wanted.names[0])
    rest = tuple(name for name in given.names if spelling(given.key, name) != unwanted)
    return replace(given, names=rest) if rest else None


# -- counts ---------------------------------------------------------------------------------------------------------


def _same(name: str, values: Counted) -> int:
    return sum(number for value, number in values if casefolded(value) == casefolded(name))


def _with_words(name: str, values: Counted) -> int:
    # As the filter finds cameras and lenses: "Canon EOS 5D" is in "Canon EOS 5D Mark II" too.
    words = casefolded(name).split()
    return sum(
        number for value, number in values for folded in [casefolded(value)] if all(word in folded for word in words)
    )


def _of_place(fact: str, name: str, values: Counted) -> int:
    wanted = wanted_in(fact, name)
    return sum(number for value, number in values if wanted.suits(fact, value))


def _like(name: str, values: Counted) -> int:
    # Of a name with wildcards this is too much where a picture has several of them, and right for one that is literal.
    wanted = word_pattern((name,))
    return sum(number for value, number in values if wanted.search(f"|{casefolded(value)}|"))


_SPECIAL: Final[Mapping[str, Callable[[tuple[str, ...]], Filter]]] = {Tag.key: Tag, Folder.key: Folder, Ext.key: Ext}
# The facts with a group of their own, in the order of the panel.
_GROUPS: Final = sorted(
    (
        (row.facet, row)
        for row in FILTERS.values()
        if row.facet is not None and (isinstance(row, FactKey | WordKey) or row.key in _SPECIAL)
    ),
    key=lambda pair: pair[0].place,
)


def _filter_of(row: FilterKey, name: str) -> Filter:
    """The filter of one value of a fact, as a filter names it."""
    match row:
        case WordKey():
            return Word(row.key, (name,))
        case TextKey():
            return Text(row.key, (name,))
        case PlaceKey():
            return Place(row.key, (name,))
        case ChoiceKey():
            return Choice(row.key, (name,))
        case NumberKey():
            return Number(row.key, int(name), int(name))
    return _SPECIAL[row.key]((name,))


def _number_of(row: FilterKey, name: str, values: Counted) -> int:
    """How many pictures that filter finds, of all values of the fact and their numbers."""
    if isinstance(row, TextKey):
        return _with_words(name, values)
    if isinstance(row, PlaceKey):
        return _of_place(row.column, name, values)
    if isinstance(row, WordKey):
        return _same(name, values) if is_plain(name) else _like(name, values)
    return _same(name, values)


@lru_cache(_KEPT)
def _counted(library: Library, state: tuple[int, int], filters: tuple[Filter, ...]) -> Facets:
    """Return the facets of what the filters leave, of the library's present state.

    Other clicks ask for the same again.
    """
    only = library.catalog.matching(filters) if filters else None
    return library.catalog.facets(only, _READ, with_folders=False)


def contents(library: Library, query: Query) -> tuple[Years, list[Group]]:
    """Return what the panel shows for a query; not to be changed.

    The next drawing of the page gets the same.

    Raises:
        MarksError: a filter names a set that is not there any more.
    """
    return _contents(library, library.catalog.state(), query.filters)


@lru_cache(_KEPT)
def _contents(library: Library, state: tuple[int, int], filters: tuple[Filter, ...]) -> tuple[Years, list[Group]]:
    query = Query(filters=filters)

    def without(key: str) -> Facets:
        rest = tuple(each for each in filters if each.key != key or each.negated)
        return _counted(library, state, rest)

    groups = [_favourites(query, without(Favourite.key))]
    for facet, row in _GROUPS:
        if row.key == Folder.key:
            groups.append(folder_group(facet.title, library, state, query))
        else:
            groups.append(_group(facet, row, query, without(row.key)[facet.name]))
    return _years(query, without(Date.key)), [group for group in groups if group["values"] or "tree" in group]


def _years(query: Query, known: Facets) -> Years:
    chosen = next((each for each in query.filters if isinstance(each, Date) and not each.negated), None)
    bars = sorted((int(year), number) for year, number in known["years"] if year.isdigit())
    if chosen is None or not bars:
        return {"bars": bars, "first": 0, "last": 0}
    first = bars[0][0] if chosen.first is None else int(chosen.first[:4])
    last = bars[-1][0] if chosen.last is None else int(chosen.last[:4])
    return {"bars": bars, "first": first, "last": max(first, last)}


def _favourites(query: Query, known: Facets) -> Group:
    value = _value("Favourites", Favourite(), known.favourites, query)
    value["off"] = Favourite(negated=True) in query.filters
    there = known.favourites or value["on"] or value["off"]
    return {"title": "Marked", "values": [value] if there else []}


def _group(facet: Facet, row: FilterKey, query: Query, known: Counted) -> Group:
    key, offered = row.key, known[:_OFFERED]
    # A camera that was named by half its name can be taken out here too.
    typed = [name for each in query.filters if each.key == key and isinstance(each, Named) for name in each.names]
    # In a word of a filter `*` is a wildcard; in the word of a picture it is none.
    named = [(value, literal(value) if isinstance(row, WordKey) else value) for value, _ in offered]
    there = {spelling(key, name) for _, name in named} if typed else set()
    values: list[Value] = []
    for label, name in [*((name, name) for name in typed if spelling(key, name) not in there), *named]:
        try:
            wanted = _filter_of(row, name)
        except ValueError:
            continue  # such as a word with a control character, which no filter can name
        values.append(_value(label, wanted, _number_of(row, name, known), query))
    return {"title": facet.title, "values": values}


def _value(label: str, wanted: Filter, count: int, query: Query) -> Value:
    return {
        "text": printed_filter(wanted), "label": label, "count": count, "on": is_on(query, wanted),
        "off": is_off(query, wanted),
    }  # fmt: skip


# -- the page -------------------------------------------------------------------------------------------------------


def panel(searcher: Searcher, query: Query) -> None:
    """Draw the panel for a query, wired to the page."""
    years, groups = contents(searcher.library, query)
    taught = concept_group(searcher.library, query)
    groups = [*([taught] if taught["values"] else []), *groups]
    facets(
        years, groups, key="facets",
        on_dates=lambda: choose_years(st.session_state["facets"].dates),
        on_choose=lambda: choose(st.session_state["facets"].chosen),
        on_close=lambda: st.session_state.update(filters_open=False),
    )  # fmt: skip


def choose_years(years: Sequence[int]) -> None:
    """Narrow the search to years, the first and the last of them; none: to no years any more. A handler."""

    def chosen(query: Query) -> Query:
        others = replace(query, filters=tuple(each for each in query.filters if each.key != Date.key or each.negated))
        return toggle(others, Date(f"{years[0]:04}", f"{years[-1]:04}")) if years else others

    page_state.change(chosen)


def choose(values: Iterable[tuple[str, bool]]) -> None:
    """Have filters and concepts, by their texts, asked for or not. A handler; it may get the same again."""

    def chosen(query: Query) -> Query:
        for text, wanted_on in values:
            asked = parse(text)
            for wanted in asked.filters:
                if (is_on(query, wanted) or is_off(query, wanted)) != wanted_on:
                    query = toggle(query, wanted)
            for term in asked.terms:
                if isinstance(term.subject, Taught) and is_asked(query, term.subject.name) != wanted_on:
                    query = toggled(query, term.subject.name)
        return query

    page_state.change(chosen)
