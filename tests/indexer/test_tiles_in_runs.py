"""`--tiles N`: parts of pictures are encoded beside them, kept, made for known pictures, and ended again."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import Index

import sightline
from indexer.chosen_spaces import Chosen
from indexer.commands import run
from indexer.options import Options
from indexer.pipeline import Pipeline
from sightline.models import load
from sightline.models.resolve import resolve
from sightline.tiles.grid import boxes
from store.library import Library
from store.lock import locked
from store.remote import DATABASE
from store.tables import tiles


def _tiles(library: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Boxes and vectors of the tiles of each file, by its path."""
    with Library.open(library) as opened, closing(sqlite3.connect(library / DATABASE)) as connection:
        assert opened.integrity() == []
        query = (
            "SELECT display, boxes, vectors, dim FROM tiles JOIN photos USING (content_id) "
            "JOIN spaces ON spaces.id = space_id"
        )
        return {
            name: (np.frombuffer(cut, "<f4").reshape(-1, 4), np.frombuffer(vectors, "<f2").reshape(-1, dim))
            for name, cut, vectors, dim in connection.execute(query)
        }


def test_tiles_are_what_the_model_makes_of_these_parts(index: Index, photos: Path, library: Path) -> None:
    with Image.open(next(photos.rglob("*.jpg"))) as image:
        wide = image.convert("RGB").resize((600, 200))
    wide.save(photos / "wide.png")
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    wide.save(turned, "PNG", exif=exif)
    (photos / "turned.png").write_bytes(turned.getvalue())
    Image.new("RGB", (40, 30), "red").save(photos / "tiny.png")
    assert index(photos, "--tiles", 3, "--precision", "fp32").summary["tiled"] == 27
    found = _tiles(library)
    assert len(found) == 27
    assert len(found["tiny.png"][0]) == 0  # there is nothing more to see in a part of it
    with Library.open(library) as opened:
        (space,) = opened.catalog.spaces()
        encoder = load(resolve(space.model), device="cpu", precision="fp32")
        for name, upright in (("wide.png", wide), ("turned.png", wide.rotate(-90, expand=True))):
            cut, vectors = found[name]
            assert len(cut) == len(vectors) > 9
            assert cut.min() >= 0 and (cut[:, :2] + cut[:, 2:]).max() <= 1 + 1e-6
            sides = cut[:, 2:] * upright.size
            np.testing.assert_allclose(sides[:, 0], sides[:, 1], rtol=1e-3)
            crops = [
                np.asarray(upright)[round(y * upright.height) : round((y + h) * upright.height),
                                    round(x * upright.width) : round((x + w) * upright.width)]
                for x, y, w, h in cut.tolist()
            ]  # fmt: skip
            wanted = encoder.encode_images(np.stack([encoder.preprocess.apply(np.ascontiguousarray(c)) for c in crops]))
            assert (wanted * vectors.astype(np.float32)).sum(axis=1).min() > 0.999
        engine = opened.tiles.get(space.id)
        assert engine is not None
        assert opened.tiles.is_current(space.id)


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1000, 1000), (8000, 500), (500, 60_000), (70, 64)])
@pytest.mark.parametrize("grid", [2, 3, 8])
@pytest.mark.parametrize("square", [True, False])
def test_tiles_cover_a_picture_of_any_shape_and_overlap(size: tuple[int, int], grid: int, square: bool) -> None:
    cut = boxes(size, grid, square=square)
    assert 0 < len(cut) <= tiles.MOST_TILES
    for axis in (0, 1):
        spans = np.unique(cut[:, [axis, axis + 2]].round(5), axis=0)
        starts, ends = spans[:, 0], spans.sum(axis=1)
        assert starts[0] == 0 and ends[-1] == pytest.approx(1, abs=1e-4)
        assert (starts[1:] <= ends[:-1] + 1e-4).all()


def test_known_pictures_get_their_tiles_later_and_runs_without_the_option_go_on(
    index: Index, photos: Path, library: Path, tmp_path: Path
) -> None:
    assert index(photos).summary["tiled"] == 0
    late = index(photos, "--tiles", 2)
    assert (late.summary["encoded"], late.summary["tiled"], late.summary["unchanged"]) == (24, 24, 24)
    assert "files are read again" in run_said(photos, library, "--tiles", "4")
    assert index(photos).summary["tiled"] == 0  # nothing is left to do
    Image.open(next(photos.rglob("*.jpg"))).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photos / "new.png")
    assert index(photos).summary["tiled"] == 1
    later = _tiles(library)
    fresh = tmp_path / "fresh"
    index(photos, "--tiles", 4, "--library", fresh)
    for name, (cut, vectors) in _tiles(fresh).items():
        np.testing.assert_array_equal(later[name][0], cut)
        assert (later[name][1].astype(np.float32) * vectors.astype(np.float32)).sum(axis=1).min() > 0.99


def run_said(photos: Path, library: Path, *options: str) -> str:
    """What a run says on stderr."""
    from click.testing import CliRunner

    from indexer.commands import cli

    return CliRunner().invoke(cli, [str(photos), "--library", str(library), *options]).stderr


def test_a_stopped_run_leaves_whole_pictures_and_the_next_one_goes_on(
    photos: Path, library: Path, tiny_space: str
) -> None:
    model = resolve(tiny_space)
    with locked(library), Library.create(library) as opened:
        first = Pipeline(
            opened, Chosen([model]), Options(batch_size=7, workers=1, tiles=3), report=lambda p: stop(p.done)
        )

        def stop(done: int) -> None:
            if done >= 8:
                first.stop.set()

        begun = first.run([photos])
        assert 0 < begun.tiled < 24
        counts = tiles.counts(opened.catalog.engine)[1]
        assert (counts.pictures, counts.tiles) == (begun.tiled, 12 * begun.tiled)
        assert Pipeline(opened, Chosen([model]), Options()).run([photos]).tiled == 24 - begun.tiled
        assert opened.tiles.is_current(1)


def test_ending_it_frees_the_space_and_another_grid_takes_the_place_of_the_first(
    index: Index, photos: Path, library: Path
) -> None:
    index(photos, "--tiles", 3)
    assert {len(cut) for cut, _ in _tiles(library).values()} == {12}
    assert "Tiles     3 along" in _printed(library)
    index(photos, "--tiles", 2)
    assert {len(cut) for cut, _ in _tiles(library).values()} == {6}
    assert list((library / "vectors").glob("tiles-*"))
    assert index(photos, "--tiles", 0).summary["encoded"] == 0
    assert _tiles(library) == {} and not list((library / "vectors").glob("tiles-*"))
    assert "Tiles" not in _printed(library)
    assert index(photos).summary["encoded"] == 0
    for wrong in ("1", "-1", "9"):
        outcome = index(photos, "--tiles", wrong)
        assert outcome.code == 2 and "Give 2 to 8, or 0" in outcome.err


def _printed(library: Path) -> str:
    from click.testing import CliRunner

    from indexer.commands import cli

    return CliRunner().invoke(cli, ["status", "--library", str(library)]).stdout


@pytest.mark.parametrize(
    "damage",
    ["vectors = zeroblob(length(vectors))", "tiles = 1000000000", "tiles = 'x'", "boxes = substr(boxes, 1, 7)",
     "boxes = randomblob(length(boxes))"],
)  # fmt: skip
def test_tiles_go_with_their_picture_and_damaged_ones_are_found_and_made_again(
    damage: str, index: Index, photos: Path, library: Path
) -> None:
    index(photos, "--tiles", 2)
    gone = min(photos.rglob("*.jpg"))
    gone.unlink()
    index(photos, "--prune")
    assert len(_tiles(library)) == 23
    with Library.open(library) as opened:
        assert opened.tiles.is_current(1)
    assert run(["verify", "--library", str(library)]) == 0
    with closing(sqlite3.connect(library / DATABASE)) as connection, connection:
        connection.execute(f"UPDATE tiles SET {damage} WHERE id = (SELECT max(id) FROM tiles)")
        connection.execute("UPDATE tile_grids SET epoch = epoch + 1")
        connection.execute("UPDATE library SET generation = generation + 1")
    with sightline.Library(library) as searched:
        assert len(searched.search("boat", limit=100)) > 0
    assert run(["verify", "--library", str(library)]) == 1
    assert run(["verify", "--library", str(library), "--repair"]) == 0
    assert len(_tiles(library)) == 22
    assert index(photos).summary["tiled"] == 1
    assert run(["verify", "--library", str(library)]) == 0
    with Library.open(library) as opened:
        engine = opened.tiles.get(1)
        assert engine is not None
        _, counts = engine.vectors_of(np.arange(1, 40))
        assert np.count_nonzero(counts) == 23
