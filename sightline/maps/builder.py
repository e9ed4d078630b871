"""Maps of a library: laid out in the background, saved, and updated without moving old pictures."""

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
from store.arrays import Floats, Ids, Rows
from store.library import Library
from store.tables.catalog import SpaceState

MAX_CHANGED_SHARE: Final = 0.2
"""The share of a map's pictures that may be added or removed before the whole map is laid out again. People remember
where things are, but a map with many interpolated pictures groups them less and less well."""
# Seconds that `look` waits for the map before a page shows progress: a small library is done by then.
_WAIT_SECONDS: Final = 0.4


@dataclass(frozen=True)
class Look:
    """The state of a map.

    Attributes:
        layout: the newest layout, without missing pictures; None before the first.
        job: the work on a newer layout.
        is_making: whether the job was at work before the layout was read. It may have ended since.
    """

    layout: Layout | None
    job: Job[Layout]
    is_making: bool


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
        """Return the state of a space's map, and start to bring it up to date."""
        job = self._background.job(self._key(space), lambda report: self._build(space, report))
        is_making = not job.wait(_WAIT_SECONDS)
        return Look(self.newest(space), job, is_making)

    def again(self, space: SpaceState) -> None:
        """Forget a job that failed, so that the next `look` starts another."""
        self._background.forget(self._key(space))

    def _key(self, space: SpaceState) -> tuple[str, str, int, str, int, int]:
        return ("map", str(self._library.path), id(self), space.key, space.epoch, space.last_id)

    def newest(self, space: SpaceState) -> Layout | None:
        """Return the newest layout, without contents that no present photo holds; None before the first."""
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

    def _build(self, space: SpaceState, report: Report) -> Layout:
        """Load, update or make the layout of a space, and save it."""
        report(0.0, "Reading the vectors")
        engine = self._library.vectors.get(space.id)
        ids = np.sort(engine.ids)
        path = files.path_of(self._library.path, space.id)
        with self._lock:
            old = self._latest.get(space.id)
        if old is None or old.space != space.key or not old.labels:
            old = files.load(path, space.key)
        if old is not None:
            if np.array_equal(old.ids, ids):
                return self._publish(space, old)
            self._publish(space, old)
        points = map_layout.principal_components(
            engine.vectors_of, ids, lambda done: report(0.15 * done, "Reading the vectors")
        )
        layout = _update(old, ids, points) if old is not None else None
        if layout is None:
            layout = self._lay_out(space, old, ids, points, report)
        layout = replace(layout, generation=self._library.catalog.generation())
        if not self._library.readonly:
            files.save(layout, path)
        return self._publish(space, layout)

    def _lay_out(self, space: SpaceState, old: Layout | None, ids: Ids, points: Floats, report: Report) -> Layout:
        """Lay out all pictures, from the positions of the old layout where there is one."""
        places = map_layout.separated(map_layout.fit_to_screen(points[:, :2]))
        first = Layout(space.key, "pca", 0, ids, places, np.zeros(len(ids), np.uint8), ())
        if old is None:
            self._publish(space, first)
        if len(ids) >= map_layout.MIN_FOR_UMAP:
            start, like, learning_rate = places, None, 1.0
            if old is not None and len(known := _common_rows(old, ids)[0]):
                start = _initial_places(old, ids, points)
                like, learning_rate = (known, start[known]), map_layout.UPDATE_LEARNING_RATE
            places = map_layout.fit_to_screen(_umap_places(points, start, learning_rate, report), like)
            first = replace(first, method="umap", places=map_layout.separated(places, step=1e-4))
        report(0.9, "Naming the groups")
        groups = cluster_names.clusters(first.places)
        vectors_of = self._library.vectors.get(space.id).vectors_of
        labels = cluster_names.name_clusters(self._library, self._encoders, space, ids, groups, vectors_of)
        return replace(first, clusters=groups, labels=labels)


def _umap_places(points: Floats, start: Floats, learning_rate: float, report: Report) -> Floats:
    """Lay out `LANDMARKS` of the points by UMAP, and interpolate the others: float32 (n, 2)."""
    count = len(points)
    marks = np.arange(count)
    if count > map_layout.LANDMARKS:
        marks = np.sort(np.random.default_rng(0).choice(count, map_layout.LANDMARKS, replace=False))
    report(0.2, f"Arranging {len(marks):,} pictures by content")
    fixed = map_layout.umap_positions(points[marks], start[marks], learning_rate)
    if len(marks) == count:
        return fixed
    places = np.empty((count, 2), np.float32)
    places[marks] = fixed
    rest = np.setdiff1d(np.arange(count), marks)
    step = 20_000
    for first in range(0, len(rest), step):
        report(0.7 + 0.2 * first / len(rest), f"Putting {len(rest):,} more among them")
        rows = rest[first : first + step]
        places[rows] = map_layout.interpolated(points[rows], points[marks], fixed)
    return places


def _common_rows(old: Layout, ids: Ids) -> tuple[Rows, Rows]:
    """Return the rows of the contents that both have: those in `ids`, and those in the old layout."""
    _, rows, old_rows = np.intersect1d(ids, old.ids, assume_unique=True, return_indices=True)
    return rows, old_rows


def _initial_places(old: Layout, ids: Ids, points: Floats) -> Floats:
    """Take positions from the old layout, and interpolate those of new pictures: float32 (n, 2)."""
    rows, old_rows = _common_rows(old, ids)
    places = np.empty((len(ids), 2), np.float32)
    places[rows] = old.places[old_rows]
    new = np.setdiff1d(np.arange(len(ids)), rows)
    places[new] = map_layout.interpolated(points[new], points[rows], old.places[old_rows])
    return places


def _update(old: Layout, ids: Ids, points: Floats) -> Layout | None:
    """Add new pictures to the old layout and remove those that are gone; None where too many changed."""
    rows, old_rows = _common_rows(old, ids)
    new = np.setdiff1d(np.arange(len(ids)), rows)
    since = old.since + len(new) + len(old.ids) - len(old_rows)
    if since > MAX_CHANGED_SHARE * (len(ids) - len(new)) or len(ids) < map_layout.MIN_FOR_UMAP:
        return None
    clusters = np.empty(len(ids), np.uint8)
    clusters[rows] = old.clusters[old_rows]
    if len(new):
        nearest, _ = map_layout.nearest_neighbours(points[rows], points[new], 1)
        clusters[new] = old.clusters[old_rows][nearest[:, 0]]
    return replace(old, ids=ids, places=_initial_places(old, ids, points), clusters=clusters, since=since)
