"""Looks of pictures that have none, or a damaged one, made from their thumbnails: no original is read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from indexer.progress_writer import ProgressWriter
from store.images.thumbnails import Thumbnails
from store.library import Library
from store.tables import looks

if TYPE_CHECKING:
    from sightline.images.look import Look

# Committed together: some 0.3 seconds of work, which is what a kill can cost and how soon a run can be stopped.
_BATCH: Final = 512


def make_due_looks(library: Library, progress: ProgressWriter, threads: int, stop: threading.Event) -> None:
    """Give pictures of older versions their looks; those without a thumbnail stay without.

    `stop` ends it after the batch at hand; the next run goes on from there.
    """
    engine = library.catalog.engine
    total = looks.count_due(engine)
    if not total:
        return
    done = 0
    progress.count("thumbnails", done, total)
    with ThreadPoolExecutor(threads, thread_name_prefix="look") as pool:
        while not stop.is_set():
            batch = looks.due(engine, _BATCH)
            looks.commit_due(engine, _made(library.thumbnails, batch, pool), batch[-1][0] if batch else 0)
            if not batch:
                return
            done += len(batch)
            progress.count("thumbnails", done, total)


def mend_looks(library: Library) -> int:
    """Make the looks that are missing or damaged, but for those a run is to make; returns how many.

    A damaged one that can't be made again is forgotten.
    """
    engine = library.catalog.engine
    mended = last = 0
    with ThreadPoolExecutor(thread_name_prefix="look") as pool:
        while batch := looks.lacking(engine, last, _BATCH):
            made = _made(library.thumbnails, batch, pool)
            looks.mend(engine, [id_ for id_, _ in batch], made)
            mended += len(made)
            last = batch[-1][0]
    return mended


def _made(
    thumbnails: Thumbnails, batch: Sequence[tuple[int, bytes]], pool: ThreadPoolExecutor
) -> list[tuple[int, bytes, Look]]:  # fmt: skip
    """The looks of contents, after their ids and hashes; without those that have no thumbnail."""
    from sightline.images.look import look_of_thumbnail  # what decodes need not be loaded by a run without news

    def look_of(content_hash: bytes) -> Look | None:
        data = thumbnails.read(content_hash)
        return None if data is None else look_of_thumbnail(data)

    made = pool.map(look_of, (content_hash for _, content_hash in batch))
    return [(id_, hash_, look) for (id_, hash_), look in zip(batch, made, strict=True) if look is not None]
