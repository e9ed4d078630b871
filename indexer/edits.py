"""Files that were edited: whether they still show the picture that people gave marks to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from store.arrays import Floats
from store.library import Library
from store.tables.edits import Former, formers
from store.tables.writer import Indexed


class Edits:
    """Judges the edited files of a run over a library, in one space: the default, or the first of the run."""

    def __init__(self, library: Library, space_ids: Sequence[int]) -> None:
        """`space_ids` are those of the run, at least one."""
        self._library = library
        default = library.catalog.default_space_id()
        self._space_id = next((id_ for id_ in space_ids if id_ == default), space_ids[0])
        self._edited: set[tuple[int, bytes]] = set()
        self._threshold: float | None = None

    def note(self, item: Indexed) -> None:
        """Note that the path of an item held other bytes before."""
        self._edited.add((item.file.root_id, item.file.path))

    def judged(self, items: Sequence[Indexed]) -> Sequence[Indexed]:
        """Return items of which the edited ones say which of their former contents are the same picture.

        Only contents with marks are looked at: it does not matter for others.
        """
        if not self._edited:
            return items
        by_root: dict[int, list[bytes]] = {}
        for root_id, path in self._edited:
            by_root.setdefault(root_id, []).append(path)
        self._edited.clear()
        engine = self._library.catalog.engine
        marked = {root_id: formers(engine, root_id, paths) for root_id, paths in by_root.items()}
        return [
            replace(item, same=same) if (same := self._same(item, before)) else item
            for item in items
            for before in [marked.get(item.file.root_id, {}).get(item.file.path, [])]
        ]

    def _same(self, item: Indexed, before: Sequence[Former]) -> tuple[int, ...]:
        others = [former for former in before if former.hash != item.hash]
        return tuple(
            former.content_id for former in others if self._look_alike(item, former) or self._are_near(item, former)
        )

    def _look_alike(self, item: Indexed, former: Former) -> bool:
        from sightline.same_picture import look_the_same

        thumbnails = [self._library.thumbnails.read(hash_) for hash_ in (former.hash, item.hash)]
        if thumbnails[0] is None or thumbnails[1] is None:  # a cache, which somebody may have emptied
            return False
        try:
            return look_the_same(thumbnails[0], thumbnails[1])
        except (OSError, ValueError):  # a file of that cache is damaged
            return False

    def _are_near(self, item: Indexed, former: Former) -> bool:
        """Whether their vectors are those of versions; unknown, and so no, where one has none in this space."""
        vectors = self._vectors(item, former)
        if vectors is None:
            return False
        return float(vectors[0] @ vectors[1]) >= self._version_threshold()

    def _vectors(self, item: Indexed, former: Former) -> tuple[Floats, Floats] | None:
        own = item.vectors.get(self._space_id)
        known = self._library.catalog.content_by_hash(item.hash) if own is None else None
        wanted = [former.content_id, *([known[0]] if known is not None else [])]
        engine = self._library.vectors.get(self._space_id)
        if len(engine.held(np.array(wanted, np.int64))) < len(wanted):
            return None
        rows = engine.vectors_of(np.array(wanted, np.int64))
        if own is not None:
            return rows[0], np.asarray(own, np.float32)
        return (rows[0], rows[1]) if len(rows) > 1 else None

    def _version_threshold(self) -> float:
        if self._threshold is None:
            from sightline.same_picture import version_threshold

            library = self._library
            self._threshold = version_threshold(library.vectors.get(self._space_id), library.catalog.absent_contents())
        return self._threshold
