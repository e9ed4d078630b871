"""Parts of a query with their places in its text, as the grammar finds them."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.query.types import Group, Term
from store.tables.filters import Filter


@dataclass(frozen=True, slots=True)
class Part:
    """Something made of the text between two places."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RunPart(Part):
    """Free words."""

    text: str


@dataclass(frozen=True, slots=True)
class TermPart(Part):
    """Something to look for."""

    term: Term


@dataclass(frozen=True, slots=True)
class GroupPart(Part):
    """Things of which any is looked for, or an excluded one."""

    group: Group


@dataclass(frozen=True, slots=True)
class FilterPart(Part):
    """A filter."""

    filter: Filter


@dataclass(frozen=True, slots=True)
class OptionPart(Part):
    """An option and its value."""

    name: str
    value: str
