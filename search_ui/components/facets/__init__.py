"""The panel of what a search can be narrowed by: years as bars, other facts as values with counts.

A component as those beside it, see the package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NotRequired, TypedDict

from search_ui.components.assets import component, css, javascript

_HERE: Final = Path(__file__).parent
_facets: Final = component("facets", js=javascript(_HERE, "tree", "sheet", "facets"), css=css(_HERE, "facets"))


class Years(TypedDict):
    """Years with pictures and their numbers, oldest first; the first and last chosen one, 0 for none."""

    bars: list[tuple[int, int]]
    first: int
    last: int


class Value(TypedDict):
    """A value of a fact.

    `text` is its filter in the query language, `label` how it is shown, `count` how many pictures choosing it leaves;
    `on` and `off` say whether the query asks for it or leaves it out. `said` is read aloud in place of the count.
    """

    text: str
    label: str
    count: int
    on: bool
    off: bool
    said: NotRequired[str]


class Tree(TypedDict):
    """Folders, those with most pictures first; `/api/v1/folders` gives more when they are wanted.

    `query` has the filters that they are counted under, `at` changes whenever their numbers may have. `levels` are the
    first folders in some, by the path of that one, "" for the roots: how many there are, and of each the path, how many
    pictures it holds, how many folders lie right in it, and its filter. `open` are the paths of those that are shown
    open at first; `on` and `off` of those that the query asks for or leaves out.
    """

    query: str
    at: str
    levels: dict[str, tuple[int, list[tuple[str, int, int, str | None]]]]
    open: list[str]
    on: list[str]
    off: list[str]


class Group(TypedDict):
    """A fact, and its values in the order that they are shown in; folders are a tree below those."""

    title: str
    values: list[Value]
    tree: NotRequired[Tree]


def facets(
    years: Years,
    groups: Sequence[Group],
    *,
    key: str,
    on_dates: Callable[[], None],
    on_choose: Callable[[], None],
    on_close: Callable[[], None],
) -> None:
    """Show what a search can be narrowed by.

    The handlers run before the next run of the script. At `st.session_state[key]` is then

    - `.dates`: the first and the last year that were chosen, or an empty list for no years any more;
    - `.chosen`: a list of `[text, on]` for the values that were pressed since the last drawing: what each is to be;
    - `.closed`: that the panel is closed, which on a narrow screen is a sheet over the page.
    """
    _facets(
        key=key, data={"years": years, "groups": list(groups)}, on_dates_change=on_dates, on_chosen_change=on_choose,
        on_closed_change=on_close,
    )  # fmt: skip
