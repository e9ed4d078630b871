"""What a page in order of time fetches: all of it as numbers, and pictures in windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pytest
from sqlalchemy import event
from starlette.applications import Starlette
from starlette.testclient import TestClient

from search_ui.runtime.timelines import BLOCK, Timeline, timelines
from search_ui.server import timeline_routes
from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.searcher import Searcher
from store.library import Library


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    from indexing import add

    from indexer.demo.pictures import write_pictures

    folder = tmp_path_factory.mktemp("timeline")
    write_pictures(folder / "photos", BLOCK + 5, 0, (48, 36))
    add(folder / "library", folder / "photos", "demo")
    with Library.open(folder / "library") as library:
        yield Searcher(library, Encoders(offline=True))


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(routes=timeline_routes.routes()))


def timeline(searcher: Searcher, text: str) -> Timeline:
    return timelines().register(searcher, parse(text), {}, searcher.library.catalog.generation())


def test_a_list_is_ids_days_and_shapes_in_the_order_of_the_query(searcher: Searcher, client: TestClient) -> None:
    orders: tuple[tuple[str, Literal["date", "oldest", "added"]], ...] = (
        ("sort:newest", "date"), ("sort:oldest", "oldest"), ("sort:added", "added")
    )  # fmt: skip
    for text, order in orders:
        made = timeline(searcher, text)
        answer = client.get(f"/timeline/{made.token}.bin")
        assert answer.status_code == 200 and answer.headers["cache-control"] == "private, no-store"
        data = answer.content
        assert data[:4] == b"SLTL"
        format_, count, days = np.frombuffer(data, "<u4", 3, 4).tolist()
        ids = np.frombuffer(data, "<u4", count, 16)
        numbers = np.frombuffer(data, "<u4", 2 * days, 16 + 4 * count)
        ratios = np.frombuffer(data, "<u2", count, 16 + 4 * count + 8 * days)
        every = searcher.library.catalog.matching(())
        assert (format_, ids.tolist()) == (1, searcher.library.catalog.ordered(every, order).tolist())
        assert numbers[days:].sum() == count and len(data) == 16 + 6 * count + 8 * days
        facts = searcher.library.catalog.photos(ids.tolist())
        shapes = [round(1000 * facts[id_].facts["width"] / facts[id_].facts["height"]) for id_ in ids.tolist()]
        assert ratios.tolist() == shapes


def test_a_window_has_what_the_grid_shows_of_its_pictures(searcher: Searcher, client: TestClient) -> None:
    made = timeline(searcher, "sort:newest")
    star = int(made.ids[BLOCK])
    searcher.library.marks.favourite([star], True)
    blocks = [client.get(f"/timeline/{made.token}/{number}.json").json() for number in range(3)]
    assert [len(block["ids"].split()) for block in blocks] == [BLOCK, 5, 0]
    assert [int(id_) for block in blocks for id_ in block["ids"].split()] == made.ids.tolist()
    assert [block["starred"] for block in blocks] == [[], [star], []]
    photos = searcher.library.catalog.photos(made.ids.tolist())
    names = [photos[id_].display.rsplit("/", 1)[-1] for id_ in made.ids.tolist()]
    assert "/".join([blocks[0]["names"], blocks[1]["names"]]).split("/") == names


def test_one_query_to_one_state_has_one_token_and_another_is_not_known(searcher: Searcher, client: TestClient) -> None:
    made = timeline(searcher, "sort:newest")
    assert timeline(searcher, "sort:newest") is made
    assert timeline(searcher, "sort:newest dedup:off") is made, "near-duplicates are shown one by one"
    assert timeline(searcher, "sort:oldest").token != made.token
    wrong = (f"{'0' * 32}.bin", made.token, f"{made.token}/x.json", f"{made.token}/0.json/", f"{made.token}.bin%0A", "")
    for name in wrong:
        answer = client.get(f"/timeline/{name}")
        assert answer.status_code == 404, name
    assert client.post(f"/timeline/{made.token}.bin").status_code == 405


def test_words_in_order_of_time_are_those_that_match_and_say_how(searcher: Searcher) -> None:
    made = timeline(searcher, "boat sort:newest")
    result = searcher.search(parse("boat sort:newest dedup:off"), limit=500)
    matching = [hit for hit in result.hits if hit.band != "below"]
    assert 0 < len(matching) < result.total
    assert made.ids.tolist() == [hit.photo.content_id for hit in matching]
    last = matching[-1]
    assert made.hits_of([last.photo.content_id, 10**9]) == {last.photo.content_id: (last, len(matching))}
    found = {hit.photo.content_id: (hit, place) for place, hit in enumerate(matching[:2], 1)}
    assert made.hits_of([*found, 10**9]) == found


@pytest.mark.parametrize("most", [1, 3, 500])
def test_how_any_selection_was_found_is_told_by_few_searches(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:  # fmt: skip
    monkeypatch.setattr("search_ui.runtime.timelines.MAX_HITS", most)
    made = timeline(searcher, "-boat sort:newest")
    hits = list(searcher.matches(parse("-boat sort:newest dedup:off")))
    every = {hit.photo.content_id: (hit, place) for place, hit in enumerate(hits, 1)}
    assert len(every) > 20
    for chosen in ([*every][::-1], [*every][::4], [*every][:1] + [*every][-5:]):
        assert made.hits_of(chosen) == {id_: every[id_] for id_ in chosen}


def test_a_selection_of_many_is_looked_up_together(searcher: Searcher) -> None:
    made = timeline(searcher, "-boat sort:newest")
    asked: list[object] = []
    engine = searcher.library.catalog.engine
    event.listen(engine, "before_cursor_execute", lambda *of: asked.append(of))
    assert len(made.hits_of(made.ids.tolist())) == len(made.ids) > 50
    assert len(asked) < 50
