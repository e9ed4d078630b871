"""Where links are followed in a root, as its photos were found."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from store import walk_options
from store.tables.catalog import Catalog
from store.tables.schema import Root


def follows_links(catalog: Catalog, root: bytes) -> Callable[[bytes], bool]:
    """Return what tells of a folder in a root whether links that lie in it are followed.

    The folder is given by its path with a slash at the end. Where it was not kept how the root was walked, as in older
    libraries, links are followed: what they lead to may have been indexed.
    """
    with catalog.engine.connect() as connection:
        found = connection.execute(select(Root.options).where(Root.path == root)).first()
    if found is not None and found[0] is None:
        return lambda folder: True
    return walk_options.from_json(found[0] if found is not None else None).follows_links_in
