"""The map of a library: neighbours lie together, what was there stays where it was, groups have fitting names."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import indexing
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import as_nobody

from examples import examples
from indexer.demo.pictures import Picture, write_pictures
from sightline.jobs import Background
from sightline.maps import cluster_names, files, lasso
from sightline.maps import colours as map_colours
from sightline.maps import layout as map_layout
from sightline.maps.builder import Maps
from sightline.maps.files import Layout
from sightline.models.loaded import Encoders
from sightline.query.types import QueryError
from store.library import Library
from store.lock import locked
from store.tables.catalog import SpaceState
from store.tables.writer import File, Indexed, SpaceIdentity, Writer

PICTURES = SpaceIdentity("key", "name", "model", "weights", "{}", 24, False)
DRAWN = 240


def unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / lengths, np.float32)


def grouped(count: int, groups: int = 5, seed: int = 0) -> np.ndarray:
    """Unit vectors in groups: picture i is in group i % groups."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(groups, PICTURES.dim))
    return unit(middles[np.arange(count) % groups] + 0.35 * random.normal(size=(count, PICTURES.dim)))


def add(
    library: Library, vectors: np.ndarray, folder: Callable[[int], str] = lambda number: "", first: int = 0
) -> None:
    """Index a picture for each vector, below a root /photos; `folder` of its number ends in a slash."""
    writer = Writer(library.catalog.engine)
    root, space = writer.add_root(b"/photos"), writer.add_space(PICTURES)
    facts: dict[str, Any] = {"width": 4, "height": 3, "format": "JPEG", "orientation": 1}
    made = []
    for number, vector in enumerate(vectors, start=first):
        # Of every five the last has no date.
        dated = {"taken_at": f"{2018 + number % 5}-05-01T00:00:00" if number % 5 < 4 else None}
        file = File(root, f"{folder(number)}{number}.jpg".encode(), 1, 1)
        made.append(Indexed(file, number.to_bytes(32, "big"), facts | dated, {space: vector}))
    writer.commit(made, [])


@pytest.fixture
def opened(library: Path) -> Iterator[Library]:
    with locked(library), Library.create(library) as made:
        yield made


def maps_of(library: Library) -> Maps:
    """Its maps, as a server that was just started has them."""
    return Maps(library, Encoders(offline=True), Background())


def space_of(library: Library) -> SpaceState:
    return library.catalog.spaces()[-1]


def finished(maps: Maps, library: Library) -> Layout:
    """The map as it is when all is done."""
    space = space_of(library)
    look = maps.look(space)
    assert look.job.wait(240)
    assert look.job.error == ""
    layout = maps.newest(space)
    assert layout is not None
    return layout


def trustworthiness(vectors: np.ndarray, places: np.ndarray) -> float:
    from sklearn.manifold import trustworthiness as measured

    return float(measured(vectors, places, n_neighbors=10))


# -- the demo library -----------------------------------------------------------------------------------------------


class Demo:
    """A library of drawn pictures, its map, and what each picture shows."""

    def __init__(self, folder: Path) -> None:
        drawn = write_pictures(folder / "photos", DRAWN, 0, (160, 120))
        indexing.add(folder / "library", folder / "photos", "demo")
        self.path = folder / "library"
        self.library = Library.open(self.path)
        self.layout = finished(maps_of(self.library), self.library)
        shown = {picture.path: picture for picture in drawn}
        photos = self.library.catalog.photos(self.layout.ids.tolist())
        self.pictures: list[Picture] = [shown[photos[id_].display] for id_ in self.layout.ids.tolist()]

    @property
    def vectors(self) -> np.ndarray:
        return self.library.vectors.get(space_of(self.library).id).vectors_of(self.layout.ids)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    made = Demo(tmp_path_factory.mktemp("map"))
    yield made
    made.library.close()


def test_what_is_alike_lies_together_better_than_principal_components_put_it(demo: Demo) -> None:
    assert demo.layout.method == "umap"
    index = demo.library.vectors.get(space_of(demo.library).id)
    plain = map_layout.principal_components(index.vectors_of, demo.layout.ids)[:, :2]
    kept = trustworthiness(demo.vectors, demo.layout.places)
    assert kept > 0.85
    assert kept > trustworthiness(demo.vectors, plain) + 0.08


def test_the_map_is_a_picture_of_a_known_size(demo: Demo) -> None:
    assert len(demo.layout.ids) == DRAWN
    assert (np.diff(demo.layout.ids) > 0).all()
    assert np.abs(demo.layout.places).max() == pytest.approx(1, abs=0.01)
    assert len(np.unique(demo.layout.places, axis=0)) == DRAWN


def test_groups_are_called_what_their_pictures_show(demo: Demo) -> None:
    labels = demo.layout.labels
    assert len(labels) == round((DRAWN / 2) ** 0.5)
    named = [(number, label) for number, label in enumerate(labels) if label]
    assert len(named) > len(labels) * 0.8
    assert len({label for _, label in named}) == len(named)
    words = [f"{picture.captions} {picture.scene.kind} something {picture.scene.colour}" for picture in demo.pictures]
    right = 0
    for number, label in named:
        shows = np.array([label.removeprefix("something ") in said for said in words])
        inside = demo.layout.clusters == number
        right += shows[inside].mean() >= 2 * shows.mean()
    assert right >= 0.85 * len(named), f"{right} of {len(named)} names: {labels}"


def test_another_start_of_the_server_finds_the_map_as_it_was(demo: Demo) -> None:
    again = finished(maps_of(demo.library), demo.library)
    np.testing.assert_array_equal(again.places, demo.layout.places)
    assert again.labels == demo.layout.labels
    path = files.path_of(demo.path, space_of(demo.library).id)
    assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0, "maps are private"


def test_the_same_pictures_make_the_same_map(demo: Demo, tmp_path: Path) -> None:
    copy = tmp_path / "library"
    shutil.copytree(demo.path, copy, ignore=shutil.ignore_patterns("maps"))
    with Library.open(copy) as other:
        layout = finished(maps_of(other), other)
    np.testing.assert_array_equal(layout.places, demo.layout.places)
    np.testing.assert_array_equal(layout.clusters, demo.layout.clusters)
    assert layout.labels == demo.layout.labels


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "gone"])
def test_a_damaged_file_is_never_shown_and_made_anew(demo: Demo, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / "library"
    shutil.copytree(demo.path, copy)
    space = space_of(demo.library)
    path = files.path_of(copy, space.id)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    broken = {"cut": whole[:-9], "flipped": bytes(flipped), "empty": b"", "text": b"[]"}
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(broken[damage])
    assert files.load(path, space.key) is None
    if damage == "flipped":
        with Library.open(copy) as opened:
            np.testing.assert_array_equal(finished(maps_of(opened), opened).places, demo.layout.places)
        assert path.read_bytes() == whole


def test_a_file_of_another_format_is_made_anew(demo: Demo, tmp_path: Path) -> None:
    copy = tmp_path / "library"
    shutil.copytree(demo.path, copy)
    path = files.path_of(copy, space_of(demo.library).id)
    path.write_bytes(b"PK of another program")
    path.with_suffix(".npz").write_bytes(b"PK of an older version")
    assert files.load(path, space_of(demo.library).key) is None
    files.save(demo.layout, path)
    assert not path.with_suffix(".npz").exists()


# -- libraries of any vectors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5, 14, 15, 16, 17])
def test_small_libraries_have_maps_too(opened: Library, count: int) -> None:
    add(opened, grouped(count))
    layout = finished(maps_of(opened), opened)
    assert layout.method == ("umap" if count >= map_layout.MIN_FOR_UMAP else "pca")
    assert np.isfinite(layout.places).all()
    assert len(np.unique(layout.places, axis=0)) == count, "every picture can be pointed at"
    assert len(layout.labels) == layout.clusters.max() + 1


def test_a_library_without_pictures_has_an_empty_map(opened: Library) -> None:
    add(opened, np.empty((0, PICTURES.dim), np.float32))
    layout = finished(maps_of(opened), opened)
    assert (len(layout.ids), layout.labels) == (0, ())


@pytest.mark.parametrize("count", [3, 40])
def test_pictures_that_are_all_the_same_can_be_told_apart_on_the_map(opened: Library, count: int) -> None:
    add(opened, np.repeat(grouped(1), count, axis=0))
    layout = finished(maps_of(opened), opened)
    assert np.isfinite(layout.places).all()
    assert len(np.unique(layout.places, axis=0)) == count


def test_new_pictures_are_put_beside_their_like_and_nothing_else_moves(opened: Library) -> None:
    maps, vectors = maps_of(opened), grouped(230)
    add(opened, vectors[:200])
    before = finished(maps, opened)
    add(opened, vectors[200:], first=200)
    after = finished(maps, opened)
    assert (before.since, after.since, len(after.ids)) == (0, 30, 230)
    old = np.isin(after.ids, before.ids)
    np.testing.assert_array_equal(after.places[old], before.places)
    np.testing.assert_array_equal(after.clusters[old], before.clusters)
    groups = (after.ids - after.ids.min()) % 5
    middles = np.stack([before.places[groups[old] == group].mean(axis=0) for group in range(5)])
    away = np.linalg.norm(after.places[~old][:, None] - middles, axis=2)
    assert (away.argmin(axis=1) == groups[~old]).mean() > 0.9
    kept = finished(maps_of(opened), opened)
    np.testing.assert_array_equal(kept.places, after.places)
    assert kept.since == 30


def test_after_much_has_changed_the_whole_is_laid_out_anew_from_where_it_was(opened: Library) -> None:
    maps, vectors = maps_of(opened), grouped(300)
    add(opened, vectors[:200])
    before = finished(maps, opened)
    add(opened, vectors[200:], first=200)
    after = finished(maps, opened)
    assert (after.since, len(after.ids)) == (0, 300)
    groups = np.arange(200) % 5
    for layout in (before, after):
        assert trustworthiness(vectors[: len(layout.ids)], layout.places) > 0.8
    before_, after_ = (
        np.stack([each.places[:200][groups == group].mean(axis=0) for group in range(5)]) for each in (before, after)
    )
    moved = np.linalg.norm(after_ - before_, axis=1).mean()
    apart = np.mean([np.linalg.norm(before_[a] - before_[b]) for a in range(5) for b in range(a)])
    assert moved < 0.35 * apart, "each group is about where it was"


def test_pictures_that_are_gone_are_not_on_the_map_and_come_back_to_their_place(opened: Library) -> None:
    maps = maps_of(opened)
    add(opened, grouped(60))
    whole = finished(maps, opened)
    writer = Writer(opened.catalog.engine)
    photos = [id_ for id_, _ in opened.catalog.present_photos(1)][:10]
    writer.mark_missing(photos)
    fewer = finished(maps, opened)
    assert len(fewer.ids) == 50
    np.testing.assert_array_equal(fewer.places, whole.only(np.isin(whole.ids, fewer.ids)).places)


def test_pictures_that_umap_did_not_see_are_put_among_those_it_did(
    opened: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_layout, "LANDMARKS", 150)
    vectors = grouped(400)
    add(opened, vectors)
    layout = finished(maps_of(opened), opened)
    assert np.isfinite(layout.places).all()
    plain = map_layout.principal_components(lambda ids: vectors[ids - 1], np.arange(1, 401))[:, :2]
    assert trustworthiness(vectors, layout.places) > trustworthiness(vectors, plain)


def test_a_first_picture_is_there_while_the_map_is_made(opened: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    add(opened, grouped(60))
    go_on, arranged = threading.Event(), map_layout.umap_positions
    monkeypatch.setattr(map_layout, "umap_positions", lambda *given: (go_on.wait(60), arranged(*given))[1])
    maps, space = maps_of(opened), space_of(opened)
    look = maps.look(space)
    while (first := maps.newest(space)) is None:
        assert not look.job.wait(0.02)
    assert look.job.is_running
    assert (first.method, len(first.ids), first.labels) == ("pca", 60, ())
    go_on.set()
    assert finished(maps, opened).method == "umap"


def test_a_library_that_may_not_be_written_has_a_map_that_is_not_kept(public_tmp: Path) -> None:
    path = public_tmp / "library"
    with locked(path), Library.create(path) as made:
        add(made, grouped(20))
    for each in [*path.rglob("*"), path]:
        each.chmod(0o755 if each.is_dir() else 0o644)
    with as_nobody(), Library.open(path) as opened:
        assert opened.readonly
        assert len(finished(maps_of(opened), opened).ids) == 20
        assert not (path / "maps").exists()


def test_what_knows_no_words_is_named_by_folders(opened: Library) -> None:
    add(opened, grouped(100, groups=2), folder=lambda number: ("cats/", "dogs/best ones/")[number % 2])
    layout = finished(maps_of(opened), opened)
    names = {label for label in layout.labels if label}
    assert names <= {"cats", "dogs", "best ones"}
    assert "cats" in names
    for number, label in enumerate(layout.labels):
        inside = layout.ids[layout.clusters == number] % 2
        assert not label or inside.mean() == (label == "cats"), "ids start at 1, numbers at 0"


# -- names ----------------------------------------------------------------------------------------------------------


def test_a_word_that_fits_everything_names_nothing() -> None:
    random = np.random.default_rng(0)
    everywhere, here, there = np.eye(3, 16)
    sample = unit(np.concatenate([everywhere + 0.4 * here + 0.1 * random.normal(size=(50, 16)),
                                  everywhere + 0.4 * there + 0.1 * random.normal(size=(50, 16))]))  # fmt: skip
    means = np.stack([sample[:50].mean(axis=0), sample[50:].mean(axis=0)])
    words = unit(np.stack([everywhere, here, there]))
    assert (means @ words.T).argmax(axis=1).tolist() == [0, 0], "by the cosine alone it would win"
    scores = cluster_names.contrasts(words, means, sample)
    assert cluster_names.assign_names(["picture", "here", "there"], scores, 0.5) == ("here", "there")


def test_no_two_groups_have_one_name_and_what_fits_badly_is_none() -> None:
    scores = np.array([[3.0, 2.9], [2.0, 0.1], [0.2, 0.1]])
    assert cluster_names.assign_names(["sea", "beach"], scores, 0.5) == ("beach", "sea", "")


def test_the_vocabulary_is_words_each_once(opened: Library) -> None:
    add(opened, grouped(4))
    opened.marks.change([1, 2], add=["Grandma", "2019-backup", "a dog"])
    words = cluster_names.words(opened, space_of(opened))
    assert len(words) > 400
    assert len({word.casefold() for word in words}) == len(words)
    assert not any(word.startswith("#") or word != word.strip() for word in words)
    assert "Grandma" in words
    assert "2019-backup" not in words


# -- colours --------------------------------------------------------------------------------------------------------


def test_folders_have_colours_from_the_first_level_that_tells_them_apart(opened: Library) -> None:
    add(opened, grouped(90), folder=lambda number: f"all/f{min(number % 10, 8)}/")
    ids = opened.catalog.matching(())
    colouring = map_colours.by_folder(opened, ids)
    names = [category.name for category in colouring.categories]
    assert names[0] == "photos/all/f8"
    assert (len(names), names[-1]) == (7, "other folders")
    assert sum(category.count for category in colouring.categories) == 90
    assert (colouring.of == map_colours.REST).sum() == colouring.categories[-1].count
    assert len({category.light for category in colouring.categories}) == 7


def test_years_grow_lighter_and_what_has_no_date_is_grey(opened: Library) -> None:
    add(opened, grouped(50))
    colouring = map_colours.by_year(opened, opened.catalog.matching(()))
    said = [(category.name, category.count) for category in colouring.categories]
    assert said == [("2018", 10), ("2019", 10), ("2020", 10), ("2021", 10), ("undated", 10)]
    for shade in ("light", "dark"):
        assert sorted(lightness := [luminance(getattr(each, shade)) for each in colouring.categories[:-1]]) == lightness


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_a_colour_comes_again_only_far_from_where_it_was() -> None:
    places = np.array([(x, 0) for x in range(12)], np.float32)
    colouring = map_colours.by_cluster(np.arange(12, dtype=np.uint8), [""] * 12, places)
    colours = [category.light for category in colouring.categories]
    assert len(set(colours)) == len(map_colours.BRIGHT)
    for at, colour in enumerate(colours[:-1]):
        assert colour != colours[at + 1]
    assert colouring.categories[0].name == "Group 1"


def test_some_pictures_keep_the_colours_they_have_among_all() -> None:
    whole = map_colours.by_cluster(np.array([0, 0, 1], np.uint8), ["sea", "hill"], np.eye(3, 2, dtype=np.float32))
    some = whole.picked(np.array([3, 5, 9]), np.array([4, 5, 9, 12]))
    assert some.of.tolist() == [map_colours.REST, 0, 1, map_colours.REST]
    assert [(each.name, each.count, each.light) for each in some.categories] == [
        (each.name, 1, each.light) for each in whole.categories
    ]


# -- the lasso ------------------------------------------------------------------------------------------------------


def is_inside(polygon: Sequence[tuple[float, float]], x: float, y: float) -> bool:
    """The winding of the polygon around a place, which must be odd: another way than the code's."""
    angles = np.unwrap([np.arctan2(cy - y, cx - x) for cx, cy in (*polygon, polygon[0])])
    return bool(round((angles[-1] - angles[0]) / (2 * np.pi)) % 2)


coordinate = st.integers(-8, 8).map(float)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=12))
@examples(150)
def test_a_line_chooses_what_a_plain_count_of_turns_says_is_inside(polygon: list[tuple[float, float]]) -> None:
    # Off the grid of the corners, so that no place lies on the line itself.
    grid = np.arange(-8, 8) + np.float32(0.37)
    places = np.stack(np.meshgrid(grid, grid + np.float32(0.21)), axis=2).reshape(-1, 2).astype(np.float32)
    found = lasso.inside(lasso.corners(polygon), places)
    on_line = near_line(polygon, places)
    wanted = np.array([is_inside(polygon, float(x), float(y)) for x, y in places])
    np.testing.assert_array_equal(found[~on_line], wanted[~on_line])


def near_line(polygon: list[tuple[float, float]], places: np.ndarray) -> np.ndarray:
    near = np.zeros(len(places), bool)
    for start, end in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        a, b = np.array(start), np.array(end)
        along = np.clip(((places - a) @ (b - a)) / max(float((b - a) @ (b - a)), 1e-12), 0, 1)
        near |= np.linalg.norm(places - (a + along[:, None] * (b - a)), axis=1) < 1e-4
    return near


@pytest.mark.parametrize(
    "given_", [None, "x", [[0, 0], [1, 1]], [[0, 0, 0]] * 3, [[0, float("nan")]] * 3, [[1, 2], [3]], [[0, 1]] * 3_000]
)
def test_what_is_no_line_is_one_sentence(given_: Any) -> None:
    with pytest.raises(QueryError, match=r"line on the map.*\."):
        lasso.corners(given_)


def test_a_million_pictures_are_chosen_from_quickly() -> None:
    places = np.random.default_rng(0).uniform(-1, 1, (1_000_000, 2)).astype(np.float32)
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([0.5 * np.cos(angles), 0.5 * np.sin(angles)], axis=1)
    found = lasso.inside(circle, places)
    np.testing.assert_allclose(found.mean(), np.pi / 16, rtol=0.01)


# -- files ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 200), st.text(max_size=8), st.integers(0, 2**40))
@examples(40)
def test_a_layout_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, count: int, label: str, first: int
) -> None:
    random = np.random.default_rng(count)
    written = Layout(
        "key", "umap", 7, np.arange(first, first + count), random.normal(size=(count, 2)).astype(np.float32),
        random.integers(0, 2, count).astype(np.uint8), (label, ""), 3,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("maps") / "maps" / "space-1.map"
    files.save(written, path)
    read = files.load(path, "key")
    assert read is not None
    for name in ("ids", "places", "clusters"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
    assert (read.labels, read.since, read.generation, read.method) == ((label, ""), 3, 7, "umap")
    assert files.load(path, "another space") is None
    assert sorted(each.name for each in path.parent.iterdir()) == ["space-1.map"]
