"""Duplicates: which pictures are alike, which photo of a group to keep, and the lists that say so."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import indexing
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from examples import examples
from indexer.commands import run as run_indexer
from indexer.demo.pictures import write_pictures
from sightline.duplicates import groups as duplicates
from sightline.duplicates import near_pairs
from sightline.duplicates.groups import Groups, group_pairs
from sightline.duplicates.keep_rules import Version, differences, preferred, spared, suggest
from sightline.duplicates.near_pairs import Pairs, find_pairs
from sightline.duplicates.steps import DEFAULT_STEP, DISTANCE_STEPS
from sightline.rank_overlap import changes, formatted_change, jaccard, rank_biased_overlap, shared
from store.arrays import Floats
from store.errors import SightlineError
from store.library import Library
from store.tables.catalog import SpaceState
from store.vectors.local import LocalEngine


def quiet(done: float, doing: str) -> None:
    assert 0 <= done <= 1
    assert doing


def unit(rows: Any) -> Floats:
    rows = np.asarray(rows, np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def index_of(vectors: Floats) -> LocalEngine:
    index = LocalEngine(vectors.shape[1])
    # Ids apart from rows: nothing may take the one for the other.
    index.add([(np.arange(len(vectors)), np.arange(len(vectors)) * 3 + 5, vectors.astype(np.float16))])
    return index


def versions_of(seed: int, count: int, planted: int, dim: int = 64) -> Floats:
    """Pictures in uneven topics, the last `planted` of them versions of others, at all distances down to 0.9."""
    rng = np.random.default_rng(seed)
    topics = unit(rng.standard_normal((20, dim)))
    rows = unit(topics[rng.integers(0, 20, count)] + 0.8 * unit(rng.standard_normal((count, dim))))
    sources = rows[rng.integers(0, count - planted, planted)]
    cosines = rng.uniform(0.9, 1.0, (planted, 1))
    noise = rng.standard_normal((planted, dim))
    apart = unit(noise - (noise * sources).sum(axis=1, keepdims=True) * sources)
    rows[-planted:] = (cosines * sources + np.sqrt(1 - cosines**2) * apart).astype(np.float32)
    return np.asarray(rows[rng.permutation(count)], np.float32)


def everything(vectors: Floats, floor: float) -> set[tuple[int, int]]:
    """All near pairs, one by one."""
    cosines = vectors @ vectors.T
    return {(i, j) for i in range(len(vectors)) for j in range(i + 1, len(vectors)) if cosines[i, j] >= floor}


def stored(index: LocalEngine) -> Floats:
    """The vectors as the index holds them, in half precision."""
    return index.vectors_of(index.ids)


def as_set(found: Pairs) -> set[tuple[int, int]]:
    return set(zip(found.left.tolist(), found.right.tolist(), strict=True))


# -- which are alike ------------------------------------------------------------------------------------------------


@examples(40)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 60), floor=st.sampled_from([0.5, 0.8, 0.9, 0.97]))
def test_every_near_pair_is_found_once_whatever_the_blocks(seed: int, count: int, floor: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_pairs, "BLOCK", 7)
        index = index_of(versions_of(seed, count + 2, 1 + count // 3, dim=8))
        found = find_pairs(index, index.ids, floor, quiet)
    cosines = stored(index) @ stored(index).T
    # Sums in another order may fall on the other side of the edge.
    assert not [pair for pair in as_set(found) ^ everything(stored(index), floor) if abs(cosines[pair] - floor) > 1e-5]
    assert len(as_set(found)) == len(found.left)
    assert np.allclose(found.cosines, cosines[found.left, found.right], atol=1e-5)
    assert found.min_cosine == floor


def test_likely_pairs_are_nearly_all_pairs() -> None:
    index = index_of(versions_of(3, 6_000, 600))
    whole = as_set(find_pairs(index, index.ids, 0.9, quiet))
    likely = as_set(find_pairs(index, index.ids, 0.9, quiet, exact=0))
    assert len(whole) >= 590
    assert likely <= whole
    assert len(likely) >= 0.99 * len(whole)


def test_too_many_pairs_leave_the_nearest_and_say_down_to_where() -> None:
    index = index_of(unit(np.random.default_rng(0).standard_normal((80, 4)) + 2))
    whole = find_pairs(index, index.ids, 0.2, quiet)
    most = find_pairs(index, index.ids, 0.2, quiet, limit=100)
    assert len(most.left) == 100 < len(whole.left)
    assert np.allclose(np.sort(most.cosines), np.sort(whole.cosines)[-100:])
    assert most.min_cosine == pytest.approx(most.cosines.min())


def test_pictures_that_are_all_the_same_stay_a_group_however_few_pairs_are_kept() -> None:
    index = index_of(unit(np.ones((300, 16))))
    found = find_pairs(index, index.ids, 0.9, quiet, limit=1_000)
    groups = group_pairs(found, found.min_cosine)
    assert max(map(len, groups)) == 300


@examples(60)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 40), threshold=st.sampled_from([0.6, 0.8, 0.95]))
def test_groups_are_what_taking_the_busiest_picture_and_its_neighbours_one_by_one_gives(
    seed: int, count: int, threshold: float
) -> None:
    index = index_of(versions_of(seed, count + 2, 1 + count // 2, dim=6))
    found = find_pairs(index, index.ids, 0.5, quiet)
    near = {
        pair for pair, cosine in zip(zip(found.left, found.right, strict=True), found.cosines, strict=True)
        if cosine >= threshold
    }  # fmt: skip
    neighbours = {
        row: sorted({int(j) for i, j in near if i == row} | {int(i) for i, j in near if j == row})
        for row in range(count + 2)
    }
    expected, taken = [], set[int]()
    for row in sorted(neighbours, key=lambda row: (-len(neighbours[row]), row)):
        mine = [other for other in neighbours[row] if other not in taken]
        if row not in taken and mine:
            expected.append([row, *mine])
            taken |= {row, *mine}
    assert [group.tolist() for group in group_pairs(found, threshold)] == expected


def test_a_long_walk_in_small_steps_is_not_one_group() -> None:
    angles = np.linspace(0, np.pi / 2, 40)
    index = index_of(unit(np.stack([np.cos(angles), np.sin(angles)], axis=1)))
    vectors = stored(index)
    for group in group_pairs(find_pairs(index, index.ids, 0.99, quiet), 0.99):
        assert (vectors[group[1:]] @ vectors[group[0]] >= 0.99).all()
        assert len(group) < 10


def test_no_pairs_make_no_groups() -> None:
    index = index_of(np.eye(4, dtype=np.float32))
    assert group_pairs(find_pairs(index, index.ids, 0.9, quiet), 0.9) == []
    assert group_pairs(find_pairs(index, index.ids[:0], 0.9, quiet), 0.9) == []


# -- which to keep --------------------------------------------------------------------------------------------------

FACTS: dict[str, Any] = {
    "width": 400, "height": 300, "format": "JPEG", "taken_at": None, "taken_from": None, "camera_make": None,
    "camera_model": None,
}  # fmt: skip


def version(photo_id: int = 1, path: str = "a/b.jpg", **changes: Any) -> Version:
    facts = FACTS | {name: changes.pop(name) for name in list(changes) if name in FACTS}
    given: dict[str, Any] = {"content_id": photo_id, "size": 1000, "mtime_ns": 10**18}
    return Version(
        photo_id, root=b"/r", path=path.encode(), display=f"r/{path}", facts=facts, **given | changes
    )  # fmt: skip


@pytest.mark.parametrize(
    ("better", "worse", "reason", "why"),
    [
        ({}, {"is_aside": True}, "it is not marked for removal", "is marked for removal"),
        ({"is_favourite": True}, {"width": 4000}, "it is a favourite or has tags", "is no favourite and has no tags"),
        ({"tags": ("x",)}, {"width": 4000}, "it is a favourite or has tags", "is no favourite and has no tags"),
        ({"width": 401}, {"size": 9999}, "it has more pixels", "has fewer pixels"),
        ({"taken_at": "2020-01-01T00:00:00"}, {"format": "PNG", "size": 9999}, "it has the date or the camera",
         "lacks the date or the camera"),
        ({"taken_at": "2020-01-01", "taken_from": "modified"}, {"taken_at": "2020-01-01", "taken_from": "file name"},
         "it has the date or the camera", "lacks the date or the camera"),
        ({"camera_model": "X"}, {"size": 9999}, "it has the date or the camera", "lacks the date or the camera"),
        ({"format": "PNG"}, {"size": 9999}, "its format loses less", "its format loses more"),
        ({"format": "WEBP", "size": 10}, {"format": "GIF"}, "its format loses less", "its format loses more"),
        ({"size": 1001}, {"mtime_ns": 1}, "its file is larger", "its file is smaller"),
        ({"path": "a/b.jpg"}, {"path": "a (1).jpg", "mtime_ns": 1}, "the file name isn't a copy", "its name says copy"),
        ({"mtime_ns": 1, "path": "a/long.jpg"}, {"path": "b.jpg"}, "its file is older", "its file is newer"),
        ({"path": "b.jpg"}, {"path": "a/b.jpg"}, "its path is shorter", "its path is longer"),
        ({"path": "a.jpg"}, {"path": "b.jpg"}, "its path comes first", "its path comes later"),
    ],
)  # fmt: skip
def test_each_reason_decides_before_those_after_it(
    better: dict[str, Any], worse: dict[str, Any], reason: str, why: str
) -> None:
    kept, other = version(2, **better), version(1, **worse)
    for order in ([kept, other], [other, kept]):
        suggestion = suggest(order)
        assert suggestion.kept == kept
        assert suggestion.reasons == (reason,)
        assert suggestion.why == {1: why}


@pytest.mark.parametrize(
    ("name", "is_copy"),
    [
        ("a (1).jpg", True), ("Copy of a.jpg", True), ("a copy.jpg", True), ("a - Copy (2).png", True),
        ("a_copy2.jpg", True), ("a - Kopie.jpg", True), ("copyright.jpg", False), ("a (2019).jpg", False),
        ("hard-copies.jpg", False), ("a.jpg", False), ("(1)", True), (".jpg", False),
    ],
)  # fmt: skip
def test_a_name_that_says_copy_is_known(name: str, is_copy: bool) -> None:
    assert version(path=f"copy/{name}").is_named_copy == is_copy


VERSIONS = st.lists(
    st.builds(
        lambda path, **changes: version(path=path, **changes),
        st.text("ab/ ()1copy", min_size=1, max_size=8),
        size=st.integers(1, 3), mtime_ns=st.integers(1, 3), width=st.integers(1, 3), height=st.integers(1, 3),
        format=st.sampled_from(["JPEG", "PNG", "GIF", "HEIF"]), is_favourite=st.booleans(), is_aside=st.booleans(),
        taken_at=st.sampled_from([None, "2020-01-01T00:00:00"]), tags=st.sampled_from([(), ("a",)]),
    ),
    min_size=1, max_size=7, unique_by=lambda each: each.path,
)  # fmt: skip


@given(VERSIONS, st.randoms())
def test_the_choice_does_not_depend_on_the_order(given_: list[Version], random: Any) -> None:
    versions = [replace(each, photo_id=number, content_id=number) for number, each in enumerate(given_)]
    shuffled = random.sample(versions, len(versions))
    suggestion = suggest(versions)
    assert suggest(shuffled) == suggestion
    assert preferred(shuffled) == preferred(versions)
    assert set(suggestion.why) == {each.photo_id for each in versions} - {suggestion.kept.photo_id}
    assert bool(suggestion.reasons) == (len(versions) > 1)
    # Setting aside all but what is spared leaves one, always.
    assert not suggestion.kept.is_aside or all(each.is_aside for each in versions)
    assert suggestion.kept in spared(versions, suggestion.kept)


def test_favourites_that_are_other_pictures_are_spared_and_copies_of_the_kept_one_are_not() -> None:
    kept = version(1, is_favourite=True, width=900)
    copy = version(2, "c/b.jpg", is_favourite=True, content_id=1, width=900)
    favourite, plain = version(3, "d.jpg", is_favourite=True), version(4, "e.jpg")
    assert suggest([plain, favourite, copy, kept]).kept == kept
    assert spared([kept, copy, favourite, plain], kept) == [kept, favourite]


def test_there_is_nothing_to_suggest_among_nothing() -> None:
    with pytest.raises(ValueError, match="no photo"):
        suggest([])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({}, {}),
        ({"width": 200, "height": 150}, {"pixels": "25 % of the pixels"}),
        ({"width": 300, "height": 400}, {"pixels": "turned or cut otherwise"}),
        ({"width": 401}, {"pixels": "nearly as many pixels"}),
        ({"width": 1200, "height": 900}, {"pixels": "9.0 times the pixels"}),
        ({"width": 600}, {"pixels": "150 % of the pixels"}),
        ({"size": 1500}, {"bytes": "500 bytes larger"}),
        ({"size": 400}, {"bytes": "600 bytes smaller"}),
        ({"format": "PNG"}, {"format": "not JPEG"}),
        ({"taken_at": None}, {"date": "no date"}),
        ({"taken_at": "2020-05-03T13:30:00"}, {"date": "taken 1 day later"}),
        ({"taken_at": "2020-05-02T10:30:00"}, {"date": "taken 2 hours earlier"}),
        ({"taken_at": "2020-05-02T12:30:01"}, {"date": "taken 1 second later"}),
        ({"taken_at": "2020-05-02"}, {"date": "taken 2 May 2020"}),
        ({"taken_at": "2020-05"}, {"date": "taken May 2020"}),
        ({"taken_at": "2020"}, {"date": "taken 2020"}),
        ({"path": "c/b.jpg"}, {"folder": "in r/c"}),
    ],
)
def test_differences_are_said_in_words(other: dict[str, Any], said: dict[str, str]) -> None:
    kept = version(taken_at="2020-05-02T12:30:00")
    assert differences(kept, version(2, **{"taken_at": "2020-05-02T12:30:00"} | other)) == said


def test_a_date_that_only_the_other_has_is_said() -> None:
    dated = version(2, taken_at="2020-05-02T12:30:00")
    assert differences(version(), dated) == {"date": "taken 2 May 2020"}


def test_dates_without_times_are_compared_by_days() -> None:
    kept = version(taken_at="2020-05-02")
    assert differences(kept, version(2, taken_at="2020-05-04")) == {"date": "taken 2 days later"}
    assert differences(version(taken_at="1978"), version(2, taken_at="1980")) == {"date": "taken 1980"}


# -- of a library ---------------------------------------------------------------------------------------------------

BYTES_NAME = b"not text \xff.jpg"
BROKEN_NAME = "two\nlines.jpg"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos/` and their `library/`: 3 copies of one picture, 2 of another, and a version of a third."""
    folder = tmp_path_factory.mktemp("duplicates")
    photos = folder / "photos"
    drawn = [photos / picture.path for picture in write_pictures(photos, 20, 4, (320, 240))]
    shutil.copy2(drawn[0], photos / "copy of it.jpg")
    shutil.copy2(os.fsencode(drawn[0]), os.fsencode(photos) + b"/" + BYTES_NAME)
    shutil.copy2(drawn[1], photos / BROKEN_NAME)
    with Image.open(drawn[2]) as image:
        image.resize((200, 150)).save(photos / "small.jpg", quality=80)
    indexing.add(folder / "library", photos, "demo")
    return folder


@pytest.fixture
def library(pictures: Path, tmp_path: Path) -> Iterator[Library]:
    shutil.copytree(pictures / "library", tmp_path / "library")
    with Library.open(tmp_path / "library") as library:
        yield library


def names(library: Library, groups: Groups) -> list[list[str]]:
    loaded = duplicates.load_groups(library, groups, 0, len(groups))
    return [sorted(version.name for version in group.versions) for group in loaded]


def space(library: Library) -> SpaceState:
    found = library.catalog.default_space()
    assert found is not None
    return found


def test_exact_groups_are_the_same_bytes_in_several_places_largest_first(library: Library) -> None:
    groups = duplicates.exact(library, quiet)
    assert groups.photos.tolist() == [3, 2]
    (first, second) = duplicates.load_groups(library, groups, 0, 20)
    assert "copy of it.jpg" in [version.name for version in first.versions]
    assert len({version.content_id for version in first.versions}) == 1
    assert len(first.versions) == 3
    assert first.suggestion.kept.name != "copy of it.jpg"
    assert groups.freeable.tolist() == [2 * first.versions[0].size, second.versions[0].size]
    assert [first.freeable, second.freeable] == groups.freeable.tolist()
    assert [first.number, second.number] == [1, 2]


def test_near_groups_hold_versions_and_all_their_places(library: Library) -> None:
    steps = duplicates.near(library, space(library), quiet)
    assert len(steps) == len(DISTANCE_STEPS)
    assert any({"small.jpg"} < set(group) for group in names(library, steps[DEFAULT_STEP]))
    floors = [groups.min_cosine for groups in steps]
    assert floors == sorted(floors, reverse=True)
    assert not any(groups.is_cut for groups in steps)
    index = library.vectors.get(space(library).id)
    for groups in steps:
        for number in range(len(groups)):
            vectors = index.vectors_of(groups[number])
            assert (vectors[1:] @ vectors[0] >= groups.min_cosine - 1e-6).all()


def test_pages_of_groups_are_the_groups(library: Library) -> None:
    groups = duplicates.near(library, space(library), quiet)[-1]
    whole = duplicates.load_groups(library, groups, 0, 100)
    assert [*duplicates.load_groups(library, groups, 0, 1), *duplicates.load_groups(library, groups, 1, 100)] == whole
    assert duplicates.load_groups(library, groups, len(groups), 20) == []


def test_a_selection_narrows_the_groups_to_its_pictures(library: Library) -> None:
    exact = duplicates.exact(library, quiet)
    name = library.marks.keep_set(exact[1].tolist())
    among = duplicates.selection_ids(library, name)
    assert among is not None
    assert duplicates.exact(library, quiet, among=among)[0].tolist() == exact[1].tolist()
    assert len(duplicates.exact(library, quiet, among=among)) == 1
    assert [len(groups) for groups in duplicates.near(library, space(library), quiet, among=among)] == [0] * len(
        DISTANCE_STEPS
    )
    near = duplicates.near(library, space(library), quiet)[DEFAULT_STEP]
    both = duplicates.near(library, space(library), quiet, among=np.sort(near[0]))[DEFAULT_STEP]
    assert sorted(both[0].tolist()) == sorted(near[0].tolist())
    assert duplicates.selection_ids(library, "") is None
    with pytest.raises(SightlineError, match="no selection 'gone'"):
        duplicates.selection_ids(library, "gone")


def test_the_suggestion_moves_on_when_it_is_set_aside(library: Library) -> None:
    groups = duplicates.exact(library, quiet)
    before = duplicates.load_groups(library, groups, 0, 1)[0]
    library.marks.set_aside([before.suggestion.kept.photo_id], True)
    after = duplicates.load_groups(library, groups, 0, 1)[0]
    assert after.suggestion.kept.photo_id != before.suggestion.kept.photo_id
    # Nothing moves under the pointer.
    assert [version.photo_id for version in after.versions] == [version.photo_id for version in before.versions]


def test_the_list_says_what_becomes_of_every_photo(library: Library, pictures: Path) -> None:
    groups = duplicates.exact(library, quiet)
    first = duplicates.load_groups(library, groups, 0, 1)[0]
    library.marks.set_aside([first.rest[0]], True)
    records = list(duplicates.group_records(library, groups))
    assert [record["group"] for record in records] == [1, 1, 1, 2, 2]
    assert sorted(record["state"] for record in records[:3]) == ["keep", "set aside", "undecided"]
    assert all(record["reason"] for record in records)
    for record in records:
        path = base64.b64decode(record["path_b64"]) if "path_b64" in record else os.fsencode(record["path"])
        assert Path(os.fsdecode(path)).stat().st_size == record["bytes"]
        assert path.startswith(os.fsencode(pictures / "photos"))
    assert [json.loads(line) for line in duplicates.json_lines(records).splitlines()] == records
    rows = list(csv.DictReader(io.StringIO(duplicates.csv_lines(records), newline="")))
    assert [{name: value for name, value in row.items() if value} for row in rows] == [
        {name: str(value) for name, value in record.items()} for record in records
    ]


def test_paths_that_are_set_aside_are_lines_of_their_very_bytes(library: Library, pictures: Path) -> None:
    groups = duplicates.exact(library, quiet)
    loaded = duplicates.load_groups(library, groups, 0, 2)
    library.marks.set_aside([version.photo_id for group in loaded for version in group.versions], True)
    aside = duplicates.set_aside(library)
    lines = aside.as_lines().splitlines()
    assert os.fsencode(pictures / "photos") + b"/" + BYTES_NAME in lines
    assert aside.size == sum(version.size for group in loaded for version in group.versions)
    # One name would be read as two, and neither is a file that was set aside.
    assert aside.with_breaks == 1
    assert len(lines) == len(aside.paths) - 1 == 4
    assert all(Path(os.fsdecode(line)).is_file() for line in lines)


def test_a_photo_that_went_missing_leaves_its_group(library: Library, pictures: Path) -> None:
    groups = duplicates.exact(library, quiet)
    gone = duplicates.load_groups(library, groups, 1, 1)[0].versions[0].photo_id
    with library.catalog.engine.execution_options(write=True).begin() as connection:
        connection.exec_driver_sql("UPDATE photos SET missing_since = '2020-01-01' WHERE id = ?", (gone,))
    assert duplicates.load_groups(library, groups, 1, 1) == []
    assert duplicates.exact(library, quiet).photos.tolist() == [3]


# -- two rankings ---------------------------------------------------------------------------------------------------


def test_changes_of_rank_are_counted_from_the_other_ranking() -> None:
    assert changes([7, 8, 9, 5], [8, 7, 5]) == [1, -1, None, -1]
    assert [formatted_change(change) for change in (2, -1, 0, None)] == ["↑2", "↓1", "=", "new"]
    assert changes([], [1]) == []


def test_overlap_counts_what_is_in_both() -> None:
    assert shared([1, 2, 3], [3, 4, 1], 2) == 0
    assert shared([1, 2, 3], [3, 4, 1], 3) == 2
    assert jaccard([1, 2, 3], [3, 4, 1], 3) == 0.5
    assert jaccard([], [], 10) == 1


@given(st.permutations(range(12)), st.permutations(range(6, 18)), st.floats(0.5, 0.98))
def test_rank_biased_overlap_is_symmetric_and_lies_between_its_ends(
    left: list[int], right: list[int], p: float
) -> None:
    overlap = rank_biased_overlap(left, right, p)
    assert overlap == pytest.approx(rank_biased_overlap(right, left, p))
    assert 0 <= overlap <= 1
    assert rank_biased_overlap(left, left, p) == pytest.approx(1)
    assert rank_biased_overlap(left, [item + 100 for item in right], p) == 0


def test_rank_biased_overlap_of_a_worked_example() -> None:
    # Agreement at depths 1, 2, 3: 0, 1, 2/3.
    p = 0.9
    assert rank_biased_overlap([1, 2, 3], [2, 1, 4], p) == pytest.approx(
        2 / 3 * p**3 + (1 - p) / p * (0 * p + 1 * p**2 + 2 / 3 * p**3)
    )
    assert rank_biased_overlap([], []) == 1
    assert rank_biased_overlap([1], []) == 0


@given(st.permutations(range(10)))
def test_agreeing_at_the_top_counts_more_than_at_the_end(order: list[int]) -> None:
    top, end = [order[0], *range(100, 109)], [*range(100, 109), order[9]]
    assert rank_biased_overlap(order, top) > rank_biased_overlap(order, end)


# -- one file under several names -----------------------------------------------------------------------------------


def shelf(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with one picture in a deep folder, and where its library goes."""
    photos = tmp_path / "photos"
    (picture,) = write_pictures(photos / "2019" / "summer-in-brighton", 1, 4, (320, 240))
    return photos / "2019" / "summer-in-brighton" / picture.path, tmp_path / "library"


def index_with_links(library: Path, photos: Path) -> None:
    given = ["--library", str(library), "--space", "demo", "--follow-symlinks", "--quiet"]
    assert run_indexer([str(photos), *given]) == 0


def forget_inodes(library: Library) -> None:
    """Make a library one of before inodes were kept."""
    with library.catalog.engine.execution_options(write=True).begin() as connection:
        connection.exec_driver_sql("UPDATE photos SET device = NULL, inode = NULL, ctime_ns = NULL")


@pytest.mark.parametrize("kind", ["link", "hard link", "hard link in another folder"])
@pytest.mark.parametrize("is_older", [True, False])
def test_one_file_under_two_names_is_no_copy_of_itself(tmp_path: Path, kind: str, is_older: bool) -> None:
    file, path = shelf(tmp_path)
    roots = [tmp_path / "photos"]
    if kind == "hard link in another folder":
        roots.append(tmp_path / "other")
        roots[1].mkdir()
    if kind == "link":
        (roots[-1] / "a.jpg").symlink_to(file)
    else:
        os.link(file, roots[-1] / "a.jpg")
    for root in roots:
        index_with_links(path, root)
    with Library.open(path) as library:
        if is_older:
            forget_inodes(library)
        assert library.catalog.counts().photos == 2
        assert len(duplicates.exact(library)) == 0
        assert all(len(groups) == 0 for groups in duplicates.near(library, space(library)))


def test_the_file_itself_is_kept_and_all_its_names_with_it(tmp_path: Path) -> None:
    file, path = shelf(tmp_path)
    link, copy = tmp_path / "photos" / "a.jpg", tmp_path / "photos" / "copy of it, made later.jpg"
    link.symlink_to(file)
    shutil.copy(file, copy)
    index_with_links(path, tmp_path / "photos")
    with Library.open(path) as library:
        groups = duplicates.exact(library)
        (group,) = duplicates.load_groups(library, groups, 0, 20)
        assert (groups.photos.tolist(), groups.freeable.tolist()) == ([2], [file.stat().st_size])
        assert group.freeable == file.stat().st_size
        assert group.suggestion.kept.name == file.name
        assert [name.display for name in group.suggestion.kept.also] == ["photos/a.jpg"]
        library.marks.set_aside(group.rest, True)
        assert duplicates.set_aside(library).as_lines() == os.fsencode(copy) + b"\n"
        records = {Path(record["path"]).name: record for record in duplicates.group_records(library, groups)}
        assert [records[each.name]["state"] for each in (file, link, copy)] == ["keep", "keep", "set aside"]
        assert records["a.jpg"]["reason"] == f"the same file as {group.suggestion.kept.display}"
        # A file is set aside by all of its names.
        library.marks.set_aside(group.rest, False)
        library.marks.set_aside(group.suggestion.kept.photo_ids, True)
        (group,) = duplicates.load_groups(library, groups, 0, 20)
        assert group.suggestion.kept.name == copy.name
        aside = duplicates.set_aside(library)
        assert aside.size == file.stat().st_size
        assert set(aside.as_lines().splitlines()) == {os.fsencode(file), os.fsencode(link)}


def test_what_is_set_aside_under_one_of_two_names_is_in_no_list(tmp_path: Path) -> None:
    file, path = shelf(tmp_path)
    (tmp_path / "photos" / "a.jpg").symlink_to(file)
    index_with_links(path, tmp_path / "photos")
    with Library.open(path) as library:
        (one, _) = library.catalog.photos_of([1])
        library.marks.set_aside([one.photo_id], True)
        aside = duplicates.set_aside(library)
        assert (aside.size, aside.paths, aside.shared, aside.as_lines()) == (0, (), 1, b"")


def test_a_copy_that_became_a_link_since_the_last_run_does_not_take_the_file_along(tmp_path: Path) -> None:
    file, path = shelf(tmp_path)
    copy = tmp_path / "photos" / "copy.jpg"
    shutil.copy(file, copy)
    index_with_links(path, tmp_path / "photos")
    with Library.open(path) as library:
        (group,) = duplicates.load_groups(library, duplicates.exact(library), 0, 20)
        library.marks.set_aside(group.rest, True)
        kept, other = (file, copy) if group.suggestion.kept.name == file.name else (copy, file)
        assert duplicates.set_aside(library).as_lines() == os.fsencode(other) + b"\n"
        kept.unlink()
        kept.symlink_to(other)
        assert duplicates.set_aside(library).as_lines() == b""
