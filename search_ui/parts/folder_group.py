"""The folders that a search can be narrowed by: a tree, whose deeper rows the page asks for."""

from __future__ import annotations

from typing import Final

from search_ui.components.facets import Group, Tree, Value
from search_ui.runtime.folder_counts import FolderTree, filter_text, folder_tree
from sightline.query.formatting import printed_filter
from sightline.query.parser import to_text
from sightline.query.types import Query
from store.library import Library
from store.tables.filters import Folder, casefolded
from store.tables.patterns import folder_pattern, literal

# So many roots are shown at first, and so many folders in one; so many rows in all are shown open.
_ROOTS: Final = 8
_INSIDE: Final = 6
_ROWS: Final = 24


def folder_group(title: str, library: Library, state: tuple[int, int], query: Query) -> Group:
    """What the panel shows of folders: those that were typed and are no path in the tree, and the tree.

    A number says how many pictures of the filters on other facts a folder holds at any depth.

    Raises:
        MarksError: a filter names a set that is not there any more.
    """
    filters = tuple(each for each in query.filters if not isinstance(each, Folder) or each.negated)
    tree = folder_tree(library, state, filters)
    asked = [(each.negated, name) for each in query.filters if isinstance(each, Folder) for name in each.names]
    on = {_spelled(name): name for negated, name in asked if not negated}
    off = {_spelled(name): name for negated, name in asked if negated}
    known = _paths(tree, {*on, *off})
    values: list[Value] = [
        {
            "text": printed_filter(Folder((name,))), "label": name, "count": _number(tree, name), "on": spelled in on,
            "off": spelled in off,
        }
        for spelled, name in {**on, **off}.items() if spelled not in known
    ]  # fmt: skip
    group: Group = {"title": title, "values": values}
    if tree.number_inside(""):
        paths = [[known[each] for each in chosen if each in known] for chosen in (on, off)]
        group["tree"] = _tree(tree, Query(filters=filters), state, *paths)
    return group


def _tree(tree: FolderTree, counted: Query, state: tuple[int, int], on: list[str], off: list[str]) -> Tree:
    roots = tree.inside("")
    opened: list[str] = []
    rows = min(len(roots), _ROOTS)
    for root in roots[:_ROOTS]:
        more = min(tree.number_inside(root), _INSIDE)
        if more and rows + more <= _ROWS:
            opened.append(root)
            rows += more
    # A folder that is chosen is seen in its place.
    wanted = {path for chosen in (*on, *off) for path in _way(chosen)}
    opened += [path for path in sorted(wanted) if path not in opened and path not in on and path not in off]
    levels = {}
    for under in ("", *opened):
        inside = tree.inside(under)
        first = inside[: _INSIDE if under else _ROOTS]
        shown = [*first, *(path for path in inside[len(first) :] if path in wanted)]
        levels[under] = (
            len(inside), [(path, tree.counts[path], tree.number_inside(path), filter_text(path)) for path in shown]
        )  # fmt: skip
    text = to_text(counted)
    return {
        "query": text, "at": f"{state[0]}.{state[1]} {text}", "levels": levels, "open": opened, "on": on, "off": off
    }  # fmt: skip


def _way(path: str) -> list[str]:
    """A path and those of the folders that hold it."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _spelled(name: str) -> str:
    """A folder's name in a filter as it is compared with others."""
    return casefolded(" ".join(name.split())).strip("/")


def _paths(tree: FolderTree, wanted: set[str]) -> dict[str, str]:
    """The paths in the tree that filters name in full, by how those are spelled."""
    if not wanted:
        return {}
    there = ((_spelled(literal(path)), path) for path, count in tree.counts.items() if count)
    return {name: path for name, path in there if name in wanted}


def _number(tree: FolderTree, name: str) -> int:
    """How many pictures the folders of a name hold: the topmost ones have those of folders in them."""
    wanted = folder_pattern((name,))
    found = [path for path in tree.counts if wanted.search(f"/{casefolded(path)}/")]
    ends = {f"{path}/" for path in found}
    return sum(tree.counts[path] for path in found if not any(f"{way}/" in ends for way in _way(path)[:-1]))
