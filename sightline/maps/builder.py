"""The maps of a library: laid out in the background, kept, brought up to date without moving what was there before."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sightline.jobs import Background, Job, Report
from sightline.maps import cluster_names, files
from sightline.maps import layout as map_layout
from sightline.maps.files import Layout
from sightline.models.loaded import Encoders
from store.arrays import Floats, Ids
from store.library import Library
from store.tables.catalog import SpaceState

RENEWED: Final = 0.2
"""The share of a map that may be put in or left out before the whole is laid out anew: people remember where things
are, but a map whose every fifth picture was squeezed in says less and less."""
# So long a page waits before it shows that something is at work, seconds: a small library is done by then.
_PATIENCE: Final = 0.4


@dataclass(frozen=True)
class Look:
    """A map, as far as it is.

    Attributes:
        layout: the newest there is, without pictures that are gone; None where there is none at all yet.
        job: the work on a newer one.
    """

    layout: Layout | None
    job: Job[Layout]


class Maps:
    """Layouts of the spaces of one library. Safe for use from several threads."""

    def __init__(self, library: Library, encoders: Encoders, background: Background) -> None:
        self._library = library
        self._encoders = encoders
        self._background = background
        self._lock = threading.Lock()
        self._latest: dict[int, Layout] = {}
        self._shown: dict[int, tuple[Layout, int, Layout]] = {}

    def look(self, space: SpaceState) -> Look:
        """The map of a space as it is now; what it lacks is begun."""
        job = self._background.job(self._key(space), lambda report: self._made(space, report))
        if job.is_running:
            job.wait(_PATIENCE)
        return Look(self.newest(space), job)

    def again(self, space: SpaceState) -> None:
        """Try anew what failed."""
        self._background.forget(self._key(space))

    def _key(self, space: SpaceState) -> tuple[str, str, int, str, int, int]:
        return ("map", str(self._library.path), id(self), space.key, space.epoch, space.last_id)

    def newest(self, space: SpaceState) -> Layout | None:
        """The newest layout there is, without contents that no present photo holds; None before the first."""
        with self._lock:
            layout = self._latest.get(space.id)
            shown = self._shown.get(space.id)
        if layout is None:
            return None
        generation = self._library.catalog.generation()
        if shown is not None and shown[0] is layout and shown[1] == generation:
            return shown[2]
        there = layout.only(~np.isin(layout.ids, self._library.catalog.absent_contents()))
        with self._lock:
            self._shown[space.id] = (layout, generation, there)
        return there

    def _publish(self, space: SpaceState, layout: Layout) -> Layout:
        with self._lock:
            self._latest[space.id] = layout
        return layout

    # -- the work -----------------------------------------------------------------------------------------------

    def _made(self, space: SpaceState, report: Report) -> Layout:
        report(0.0, "Reading the vectors")
        index = self._library.vectors.get(space.id)
        ids = np.sort(index.ids)
        path = files.path_of(self._library.path, space.id)
        with self._lock:
            old = self._latest.get(space.id)
        if old is None or old.space != space.key or not old.labels:
            old = files.load(path, space.key)
        if old is not None:
            if np.array_equal(old.ids, ids):
                return self._publish(space, old)
            self._publish(space, old)
        points = map_layout.reduced(index.vectors_of, ids, lambda done: report(0.15 * done, "Reading the vectors"))
        layout = _brought_up_to_date(old, ids, points) if old is not None else None
        if layout is None:
            layout = self._anew(space, old, ids, points, report)
        layout = replace(layout, generation=self._library.catalog.generation())
        if not self._library.readonly:
            files.save(layout, path)
        return self._publish(space, layout)

    def _anew(self, space: SpaceState, old: Layout | None, ids: Ids, points: Floats, report: Report) -> Layout:
        places = map_layout.apart(map_layout.fitted(points[:, :2]))
        first = Layout(space.key, "pca", 0, ids, places, np.zeros(len(ids), np.uint8), ())
        if old is None:
            self._publish(space, first)
        if len(ids) >= map_layout.FEWEST:
            start, like = places, None
            if old is not None and len(known := _known(old, ids)[0]):
                start = _among(old, ids, points)
                like = known, start[known]
            places = map_layout.fitted(_arranged(points, start, report), like)
            first = replace(first, method="umap", places=map_layout.apart(places, step=1e-4))
        report(0.9, "Naming the groups")
        groups = cluster_names.clusters(first.places)
        vectors_of = self._library.vectors.get(space.id).vectors_of
        labels = cluster_names.named(self._library, self._encoders, space, ids, groups, vectors_of)
        return replace(first, clusters=groups, labels=labels)


def _arranged(points: Floats, start: Floats, report: Report) -> Floats:
    count = len(points)
    marks = np.arange(count)
    if count > map_layout.LANDMARKS:
        marks = np.sort(np.random.default_rng(0).choice(count, map_layout.LANDMARKS, replace=False))
    report(0.2, f"Arranging {len(marks):,} pictures by what they show")
    fixed = map_layout.arranged(points[marks], start[marks])
    if len(marks) == count:
        return fixed
    places = np.empty((count, 2), np.float32)
    places[marks] = fixed
    rest = np.setdiff1d(np.arange(count), marks)
    step = 20_000
    for first in range(0, len(rest), step):
        report(0.7 + 0.2 * first / len(rest), f"Putting {len(rest):,} more among them")
        rows = rest[first : first + step]
        places[rows] = map_layout.placed(points[rows], points[marks], fixed)
    return places


def _known(old: Layout, ids: Ids) -> tuple[map_layout.Rows, map_layout.Rows]:
    """Rows of `ids` that the old layout has, and its own rows of them."""
    _, mine, its = np.intersect1d(ids, old.ids, assume_unique=True, return_indices=True)
    return mine, its


def _among(old: Layout, ids: Ids, points: Floats) -> Floats:
    """Where the old layout has the pictures, some at least, and for others where it has their neighbours."""
    mine, its = _known(old, ids)
    places = np.empty((len(ids), 2), np.float32)
    places[mine] = old.places[its]
    new = np.setdiff1d(np.arange(len(ids)), mine)
    places[new] = map_layout.placed(points[new], points[mine], old.places[its])
    return places


def _brought_up_to_date(old: Layout, ids: Ids, points: Floats) -> Layout | None:
    """The old layout with new pictures among it and old ones gone; None where too much changed for that."""
    mine, its = _known(old, ids)
    new = np.setdiff1d(np.arange(len(ids)), mine)
    since = old.since + len(new) + len(old.ids) - len(its)
    if since > RENEWED * (len(ids) - len(new)) or len(ids) < map_layout.FEWEST:
        return None
    clusters = np.empty(len(ids), np.uint8)
    clusters[mine] = old.clusters[its]
    if len(new):
        rows, _ = map_layout.nearest(points[mine], points[new], 1)
        clusters[new] = old.clusters[its][rows[:, 0]]
    return replace(old, ids=ids, places=_among(old, ids, points), clusters=clusters, since=since)
