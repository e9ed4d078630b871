"""Orders by time, and what a page lays pictures out by: shapes, days taken, days added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from store.library import Library
from store.lock import locked
from store.tables import filter_sql, timelines
from store.tables.writer import File, Indexed, SpaceIdentity, Writer

SPACE = SpaceIdentity("key", "name", "model", "weights", "{}", 4, True)
VECTOR = np.array([1, 0, 0, 0], np.float32)
TAKEN = ("2023-07-15T10:00:00", None, "2023", "2023-07", "2021-02-03", "2023-07-15T10:00:00")
DAYS = (20230715, 0, 20230000, 20230700, 20210203, 20230715)


def add(library: Library, contents: Sequence[int]) -> None:
    """Add pictures as one run of the indexer, without its end."""
    writer = Writer(library.catalog.engine)
    root, space = writer.add_root(b"/one"), writer.add_space(SPACE)
    for content in contents:
        facts: dict[str, Any] = {"width": 4 + content, "height": 4, "format": "JPEG", "orientation": 1}
        facts["taken_at"] = TAKEN[content % len(TAKEN)]
        file = File(root, f"{content}.jpg".encode(), 100, 7)
        writer.commit([Indexed(file, content.to_bytes(32, "big"), facts, {space: VECTOR})], [])


@pytest.fixture
def opened(library: Path) -> Iterator[Library]:
    with locked(library), Library.create(library) as made:
        add(made, range(6))
        yield made


@pytest.mark.parametrize("few", [20_000, 0])
def test_newest_and_oldest_end_with_the_undated_and_ties_go_by_id(
    opened: Library, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(filter_sql, "FEW", few)
    monkeypatch.setattr(timelines, "FEW", few)
    catalog = opened.catalog
    every = catalog.matching(())
    dated = [id_ for id_ in every.tolist() if TAKEN[id_ - 1]]
    newest = sorted(dated, key=lambda id_: TAKEN[id_ - 1] or "", reverse=True)
    oldest = sorted(dated, key=lambda id_: TAKEN[id_ - 1] or "")
    assert catalog.ordered(every, "date").tolist() == [*newest, 2]
    assert catalog.ordered(every[::-1], "oldest").tolist() == [*oldest, 2]
    assert catalog.ordered(every, "added").tolist() == every[::-1].tolist()
    ratios, days = catalog.timeline(every[::-1], "taken")
    assert ratios.tolist() == [(3 + id_) / 4 for id_ in every[::-1].tolist()]
    assert tuple(days.tolist()) == DAYS[::-1]


def test_the_day_a_picture_was_added_is_that_of_its_run(opened: Library) -> None:
    catalog = opened.catalog
    writer = Writer(catalog.engine)
    writer.finish_run(writer.start_run(None), "done", {})  # the six before it are of no run
    killed = writer.start_run(None)
    add(opened, [10, 11])
    whole = writer.start_run(None)  # which ends the killed one
    add(opened, [12])
    writer.finish_run(whole, "done", {"added": 1})
    going = writer.start_run(None)
    add(opened, [13])
    with catalog.engine.execution_options(write=True).begin() as connection:
        for run, day in ((killed, "2024-05-06"), (whole, "2024-06-07"), (going, "2025-01-02")):
            connection.execute(text(f"UPDATE runs SET started_at = '{day}T12:00:00+00:00' WHERE id = {run}"))
    _, days = catalog.timeline(catalog.matching(()), "added")
    assert days.tolist() == [0] * 6 + [20240506, 20240506, 20240607, 20250102]


def test_days_added_in_a_library_of_an_older_version_are_not_made_up(opened: Library) -> None:
    catalog = opened.catalog
    with catalog.engine.execution_options(write=True).begin() as connection:
        for day in ("2020-01-01", "2020-02-02"):
            added = f"INSERT INTO runs (started_at, state, summary) VALUES ('{day}T12:00:00+00:00', 'done', '{{}}')"
            connection.execute(text(added))
    writer = Writer(catalog.engine)
    run = writer.start_run(None)
    add(opened, [10])
    writer.finish_run(run, "done", {})
    _, days = catalog.timeline(catalog.matching(()), "added")
    today = datetime.now().astimezone()
    assert days.tolist()[:6] == [0] * 6
    assert days.tolist()[6] == today.year * 10_000 + today.month * 100 + today.day
