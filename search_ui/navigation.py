"""The pages of the program, in the order of the bar that leads to them."""

from __future__ import annotations

from typing import Final, NamedTuple


class PageLink(NamedTuple):
    """A page as the bar shows it.

    Attributes:
        title: its name.
        path: where it is, below the root of the server; the first one is the root itself.
        icon: what the bar draws, as the inside of an SVG of 24 by 24, in lines.
    """

    title: str
    path: str
    icon: str


MARK: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0f766e"/>'
    '<circle cx="16" cy="16" r="8" fill="none" stroke="#fff" stroke-width="3"/>'
    '<circle cx="16" cy="16" r="2.5" fill="#fff"/></svg>'
)
"""The mark of the program, as an SVG: a browser would fetch Streamlit's `:material/...:` page icons from Google."""

PAGES: Final = (
    PageLink(
        "Search", "search",
        '<circle cx="11" cy="11" r="6.5"/>'
        '<path d="m16 16 4.5 4.5"/>',
    ),
    PageLink(
        "Library", "library",
        '<path d="M3.5 6.5v11A1.5 1.5 0 0 0 5 19h14a1.5 1.5 0 0 0 1.5-1.5V9A1.5 1.5 0 0 0 19 7.5'
        'h-7L10 5H5a1.5 1.5 0 0 0-1.5 1.5z"/>',
    ),
    PageLink(
        "Duplicates", "duplicates",
        '<rect x="8.5" y="8.5" width="11.5" height="11.5" rx="2"/>'
        '<path d="M15.5 8.5V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v7.5a2 2 0 0 0 2 2h2.5"/>',
    ),
    PageLink(
        "Map", "map",
        '<path d="M12 21s7-6.2 7-11.2a7 7 0 0 0-14 0C5 14.8 12 21 12 21z"/>'
        '<circle cx="12" cy="9.8" r="2.5"/>',
    ),
    PageLink(
        "Compare", "compare",
        '<rect x="3.5" y="5" width="7" height="14" rx="1.5"/>'
        '<rect x="13.5" y="5" width="7" height="14" rx="1.5"/>',
    ),
)  # fmt: skip
