"""What the present search can be narrowed by: values of facts with counts, and what a click on one does to the query.

A click writes a filter into the box, or takes it out: several values of one fact become one filter, `camera:a,b`, which
any of them satisfies. A count says how many pictures choosing the value alone would leave, with the query's filters on
other facts: those on the same fact are left out, so that what could be chosen beside, or instead, can be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import streamlit as st

from search_ui.components.facets import Group, Value, Years, facets
from search_ui.parts import page_state
from sightline.query.formatting import printed_filter
from sightline.query.parser import parse
from sightline.query.types import Query
from sightline.searcher import Searcher
from store.library import Library
from store.tables.facets import Counted, Facets
from store.tables.filter_sql import one_spelling
from store.tables.filters import Camera, Date, Ext, Favourite, Filter, Folder, Lens, Orientation, Tag, fold
from store.tables.patterns import folder_pattern

Named = Camera | Ext | Folder | Lens | Orientation | Tag

# Of each fact so many values are read, the most frequent, and so many are offered.
_READ: Final = 2_000
_OFFERED: Final = 200
_KEPT: Final = 64


# -- the query ------------------------------------------------------------------------------------------------------


def toggle(query: Query, wanted: Filter) -> Query:
    """The query with a filter, or without it where it has it.

    A filter with a name joins the first one of its kind, `camera:a,b`. Where one leaves the name out, `-camera:a`, that
    ends, and nothing else. Dates take the place of other dates, and favourites that of `favourite:no`. For a query
    with at most one filter of the kind, and none that leaves the name out, twice gives the same again, but for the
    order of filters and names.

    Args:
        query: any.
        wanted: with one name, where its kind takes names.

    Raises:
        QueryError: there would be too many filters, or too long a text.
    """
    if isinstance(wanted, Named):
        return replace(query, filters=_toggled(query.filters, wanted))
    if wanted in query.filters:
        return replace(query, filters=tuple(each for each in query.filters if each != wanted))
    if isinstance(wanted, Date):
        others = [each for each in query.filters if not isinstance(each, Date) or each.negated]
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
        if type(each) is type(wanted) and isinstance(each, Named) and not each.negated:
            joined = _with_names(each, (*each.names, *wanted.names))
            return (*filters[:place], joined, *filters[place + 1 :])
    return (*filters, wanted)


def _key(kind: object, name: str) -> str:
    folded = fold(" ".join(name.split()))
    return one_spelling(folded) if kind is Ext else folded.strip("/") if kind is Folder else folded


def _has(given: Filter, wanted: Filter) -> bool:
    if not isinstance(given, Named) or not isinstance(wanted, Named) or type(given) is not type(wanted):
        return False
    return _key(type(wanted), wanted.names[0]) in {_key(type(wanted), name) for name in given.names}


def _without(given: Filter, wanted: Named) -> Filter | None:
    """The filter without a name; None where nothing is left of it."""
    if not isinstance(given, Named) or not _has(given, wanted):
        return given
    kind = type(given)
    rest = tuple(name for name in given.names if _key(kind, name) != _key(kind, wanted.names[0]))
    return _with_names(given, rest) if rest else None


def _with_names(given: Named, names: Sequence[str]) -> Named:
    return replace(given, names=tuple(names))  # type: ignore[arg-type]  # an orientation's are of orientations


# -- counts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fact:
    """A fact with names.

    Attributes:
        kind: its filter.
        values: those of it that pictures have, with their numbers.
        counted: how many pictures the filter of a name finds, of values and their numbers.
    """

    title: str
    kind: Callable[[tuple[str, ...]], Named]
    values: Callable[[Facets], Counted]
    counted: Callable[[str, Counted], int]


def _same(name: str, values: Counted) -> int:
    return sum(number for value, number in values if fold(value) == fold(name))


def _with_words(name: str, values: Counted) -> int:
    # As the filter finds cameras and lenses: "Canon EOS 5D" is in "Canon EOS 5D Mark II" too.
    words = fold(name).split()
    return sum(number for value, number in values for folded in [fold(value)] if all(word in folded for word in words))


def _inside(name: str, values: Counted) -> int:
    # A folder's number has those of the folders in it: the topmost that are found have all. They end with the name.
    wanted = folder_pattern((name,))
    last = fold(name).strip("/").rpartition("/")[2]
    if any(char in last for char in "*?"):
        ends = [pair for pair in values if wanted.search(f"/{fold(pair[0])}/")]
    else:
        ends = [pair for pair in _by_last(values).get(last, ()) if wanted.search(f"/{fold(pair[0])}/")]
    found = [f"{value}/" for value, _ in ends]
    is_inside = [any(value != other and value.startswith(other) for other in found) for value in found]
    return sum(number for (_, number), inside in zip(ends, is_inside, strict=True) if not inside)


@lru_cache(4)
def _by_last(folders: Counted) -> Mapping[str, Counted]:
    made: dict[str, Counted] = {}
    for folder, number in folders:
        last = fold(folder).rpartition("/")[2]
        made[last] = (*made.get(last, ()), (folder, number))
    return made


_FACTS: Final = (
    _Fact("Tags", Tag, lambda known: known.tags, _same),
    _Fact("Folders", Folder, lambda known: known.folders, _inside),
    _Fact("Cameras", Camera, lambda known: known.cameras, _with_words),
    _Fact("Lenses", Lens, lambda known: known.lenses, _with_words),
    _Fact("Formats", Ext, lambda known: known.exts, _same),
    _Fact("Orientation", Orientation, lambda known: known.shapes, _same),  # type: ignore[arg-type]
)


@lru_cache(_KEPT)
def _counted(library: Library, state: tuple[int, int], filters: tuple[Filter, ...]) -> Facets:
    """The facets of what the filters leave, of the library's present state: other clicks ask for the same again."""
    only = library.catalog.matching(filters) if filters else None
    return library.catalog.facets(only, _READ)


def contents(library: Library, query: Query) -> tuple[Years, list[Group]]:
    """What the panel shows for a query; not to be changed, since the next drawing of the page gets the same.

    Raises:
        MarksError: a filter names a set that is not there any more.
    """
    return _contents(library, library.catalog.state(), query.filters)


@lru_cache(_KEPT)
def _contents(library: Library, state: tuple[int, int], filters: tuple[Filter, ...]) -> tuple[Years, list[Group]]:
    query = Query(filters=filters)

    def without(kind: object) -> Facets:
        rest = tuple(each for each in filters if type(each) is not kind or each.negated)
        return _counted(library, state, rest)

    groups = [_favourites(query, without(Favourite))]
    groups += [_group(fact, query, fact.values(without(fact.kind))) for fact in _FACTS]
    return _years(query, without(Date)), [group for group in groups if group["values"]]


def _years(query: Query, known: Facets) -> Years:
    chosen = next((each for each in query.filters if isinstance(each, Date) and not each.negated), None)
    bars = sorted((int(year), number) for year, number in known.years if year.isdigit())
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


def _group(fact: _Fact, query: Query, known: Counted) -> Group:
    offered = known[:_OFFERED]
    if fact.title == "Folders":
        offered = _as_tree(offered)
    # A camera that was named by half its name can be taken out here too.
    typed = [name for each in query.filters if type(each) is fact.kind for name in each.names]  # type: ignore[union-attr]
    there = {_key(fact.kind, value) for value, _ in offered} if typed else set()
    values: list[Value] = []
    for name in [*(name for name in typed if _key(fact.kind, name) not in there), *(value for value, _ in offered)]:
        try:
            wanted = fact.kind((name,))
        except ValueError:
            continue  # such as a folder with a control character in its name, which no filter can name
        values.append(_value(name, wanted, fact.counted(name, known), query))
    if fact.title == "Folders":
        for value in values:
            value["depth"] = value["label"].count("/")
            value["label"] = value["label"].rpartition("/")[2]
    return {"title": fact.title, "values": values}


def _value(label: str, wanted: Filter, count: int, query: Query) -> Value:
    return {
        "text": printed_filter(wanted), "label": label, "count": count, "on": is_on(query, wanted),
        "off": is_off(query, wanted), "depth": 0,
    }  # fmt: skip


def _as_tree(folders: Counted) -> Counted:
    """Folders with those in them behind them; each level by its number, the most first."""
    numbers = dict(folders)

    def place(folder: str) -> list[tuple[int, str]]:
        parts = folder.split("/")
        names = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
        return [(-numbers.get(name, 0), name) for name in names]

    return tuple(sorted(folders, key=lambda pair: place(pair[0])))


# -- the page -------------------------------------------------------------------------------------------------------


def panel(searcher: Searcher, query: Query) -> None:
    """Draw the panel for a query, wired to the page."""
    years, groups = contents(searcher.library, query)
    facets(
        years, groups, key="facets",
        on_dates=lambda: choose_years(st.session_state["facets"].dates),
        on_choose=lambda: choose(st.session_state["facets"].chosen),
    )  # fmt: skip


def choose_years(years: Sequence[int]) -> None:
    """Narrow the search to years, the first and the last of them; none: to no years any more. A handler."""

    def chosen(query: Query) -> Query:
        others = replace(query, filters=tuple(each for each in query.filters if type(each) is not Date or each.negated))
        return toggle(others, Date(f"{years[0]:04}", f"{years[-1]:04}")) if years else others

    page_state.change(chosen)


def choose(values: Iterable[tuple[str, bool]]) -> None:
    """Have filters, by their texts, asked for or not. A handler; that one was heard before does not matter."""

    def chosen(query: Query) -> Query:
        for text, wanted_on in values:
            for wanted in parse(text).filters:
                if (is_on(query, wanted) or is_off(query, wanted)) != wanted_on:
                    query = toggle(query, wanted)
        return query

    page_state.change(chosen)
