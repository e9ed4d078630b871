"""A search keeps its promises in a library too large to score all of it, made small by its policy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from searching import clustered, local

from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.ranking.results import Hit
from sightline.searcher import Searcher
from store.library import Library
from store.lock import locked
from store.tables.writer import File, Indexed, SpaceIdentity, Writer
from store.vectors.policy import Policy

COUNT = 3_000
SMALL = Policy(
    exact_rows=500, subset_rows=100, uncoded_rows=50, min_candidates=120, candidates_per_sqrt_rows=1,
    max_candidate_share=0.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large") / "library"
    with locked(folder), Library.create(folder) as library:
        writer = Writer(library.catalog.engine)
        root = writer.add_root(b"/photos")
        space = writer.add_space(SpaceIdentity("key", "made", "made", "", "{}", 256, False))
        facts = {"width": 4, "height": 3, "format": "JPEG", "orientation": 1}
        indexed = [
            Indexed(
                File(root, f"{'even' if number % 2 else 'odd'}/{number:05}.jpg".encode(), 10, 1),
                hashlib.sha256(str(number).encode()).digest(), facts, {space: vector},
            )
            for number, vector in enumerate(clustered(COUNT, 256))
        ]  # fmt: skip
        for start in range(0, COUNT, 500):
            writer.commit(indexed[start : start + 500], [])
        writer.make_default(space)
        writer.mark_missing([photo for photo, _ in library.catalog.present_photos(root) if photo % 50 == 0])
    with locked(folder), Library.open(folder, policy=SMALL) as library:
        library.vectors.save(space)
    return folder


@pytest.fixture
def large(path: Path) -> Iterator[Searcher]:
    with Library.open(path, policy=SMALL) as library:
        assert local(library).tier == "compressed"
        yield Searcher(library, Encoders(offline=True))


@pytest.fixture
def exact(path: Path) -> Iterator[Searcher]:
    with Library.open(path) as library:
        assert local(library).tier == "exact"
        yield Searcher(library, Encoders(offline=True))


def ids(hits: list[Hit]) -> list[int]:
    return [hit.photo.content_id for hit in hits]


def pages(searcher: Searcher, text: str, size: int) -> list[Hit]:
    """All pages, each asked of a searcher that knows of no other."""
    found: list[Hit] = []
    more = True
    while more:
        fresh = Searcher(searcher.library, searcher.encoders)
        result = fresh.search(parse(text), limit=size, offset=len(found))
        found += result.hits
        more = result.more
    return found


QUERIES = [
    "like:7", "like:7 like:11", "like:7 OR like:12", "like:7 -like:9", "like:7^2 like:31^0.4", "like:7 folder:even",
    "like:7 -folder:even",
]  # fmt: skip


@pytest.mark.parametrize("text", QUERIES)
def test_pages_agree_and_together_hold_each_picture_once(large: Searcher, exact: Searcher, text: str) -> None:
    text += " dedup:off"
    result = large.search(parse(text), limit=60)
    found = pages(large, text, 500)
    assert ids(found)[:60] == ids(list(result.hits))
    assert len(found) == result.total == exact.search(parse(text)).total
    assert sorted(ids(found)) == sorted(ids(pages(exact, text, 500)))
    bands = [("strong", "maybe", "below").index(hit.band) for hit in found]
    assert bands == sorted(bands)
    assert (bands.count(0), bands.count(1)) == (result.strong, result.maybe)
    assert ids(pages(large, text, 500)) == ids(found)


@pytest.mark.parametrize("text", QUERIES)
def test_what_is_found_is_what_scoring_everything_finds(large: Searcher, exact: Searcher, text: str) -> None:
    own, right = (searcher.search(parse(text + " dedup:off"), limit=20) for searcher in (large, exact))
    assert len(set(ids(list(own.hits))) & set(ids(list(right.hits)))) >= 19
    scores = {hit.photo.content_id: (hit.score, hit.parts) for hit in right.hits}
    for hit in own.hits:
        assert scores.get(hit.photo.content_id, (hit.score, hit.parts)) == (hit.score, hit.parts)
    assert own.strong <= right.strong and own.strong >= 0.98 * right.strong - 1
    assert own.maybe >= 0.85 * right.maybe - 1


@pytest.mark.parametrize("text", ["-like:7", "folder:even", "like:7 sort:name", "-like:7 sort:date folder:even"])
def test_what_needs_every_picture_looks_at_every_picture(large: Searcher, exact: Searcher, text: str) -> None:
    own, right = (searcher.search(parse(text), limit=200) for searcher in (large, exact))
    assert [(hit.photo, hit.score, hit.band) for hit in own.hits] == [
        (hit.photo, hit.score, hit.band) for hit in right.hits
    ]
    assert (own.total, own.strong, own.maybe) == (right.total, right.strong, right.maybe)


def test_folded_pages_agree_too(large: Searcher) -> None:
    found = pages(large, "like:7", 300)
    assert ids(found)[:60] == ids(list(large.search(parse("like:7"), limit=60).hits))
    folded = [one for hit in found for one in (hit.photo.content_id, *hit.folded)]
    assert len(folded) == len(set(folded)) == large.search(parse("like:7")).total


def test_all_that_is_above_the_line_can_be_listed(large: Searcher) -> None:
    result = large.search(parse("like:7 dedup:off"))
    assert len(list(large.matches(parse("like:7 dedup:off")))) == result.strong + result.maybe
