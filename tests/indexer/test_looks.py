"""What a picture looks like is kept when it is indexed, and made for older libraries from their thumbnails alone."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import TURNS, encoded, oriented, photo
from PIL import Image, ImageEnhance
from support import Index

from indexer.chosen_spaces import Chosen
from indexer.commands import run
from indexer.options import Options
from indexer.pipeline import Pipeline
from search_ui.parts import run_text
from sightline.images.look import SIDE, look_of
from sightline.images.reader import Reader
from sightline.models.resolve import resolve
from store.library import Library
from store.lock import locked
from store.progress import Progress
from store.remote import DATABASE
from store.tables.fact_table import FACTS_VERSION
from store.tables.looks import Looks, read_looks

PICTURE = photo(480, 360)


def grey(picture: Image.Image) -> NDArray[np.int64]:
    """The means of the squares of a picture, as Pillow's box filter takes them."""
    square = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX).convert("L")
    return np.asarray(square).astype(np.int64)


def changed(library: Path, *statements: str) -> None:
    with closing(sqlite3.connect(library / DATABASE)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def make_older(library: Path) -> None:
    """As a version before there were looks would have left the library, once it is brought up to date."""
    changed(library, "DELETE FROM looks", "UPDATE library SET looks_due = (SELECT max(id) FROM contents)")


def looks(library: Path) -> Looks:
    """Of all contents that the library ever had, by id."""
    with Library.open(library) as opened, closing(sqlite3.connect(library / DATABASE)) as connection:
        (last,) = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'contents'").fetchone()
        return read_looks(opened.catalog.engine, np.arange(1, last + 1))


def thumbnails(library: Path) -> list[Path]:
    return sorted((library / "thumbnails").rglob("*.jpg"))


def distance(one: Image.Image, other: Image.Image) -> int:
    hashes = [look_of(np.asarray(picture)).hash for picture in (one, other)]
    return (hashes[0] ^ hashes[1]).bit_count()


def saved(picture: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(encoded(picture, "JPEG", quality=quality)))


@pytest.mark.parametrize("size", [(480, 360), (97, 61), (333, 500), (40, 1200), (32, 32)])
def test_the_grey_square_is_the_mean_of_what_each_of_its_parts_covers(size: tuple[int, int]) -> None:
    picture = photo(*size)
    made = np.frombuffer(look_of(np.asarray(picture)).grey, np.uint8).reshape(SIDE, SIDE)
    # Pillow takes whole pixels only: each part of it ends up to half a pixel from its true edge.
    edge = np.asarray(picture.resize((SIDE * 12, SIDE * 12), Image.Resampling.BOX).convert("L"), np.float64)
    truth = edge.reshape(SIDE, 12, SIDE, 12).mean(axis=(1, 3))
    assert np.abs(made - truth).mean() < 2.5


def test_a_picture_smaller_than_the_square_has_a_look_and_so_has_an_empty_one() -> None:
    for shape in ((1, 1), (5, 3), (1, 400)):
        flat = look_of(np.full((*shape, 3), 200, np.uint8))
        assert (flat.hash, set(flat.grey)) == (0, {200})
    assert len(look_of(np.asarray(photo(7, 5))).grey) == SIDE * SIDE


def test_versions_differ_in_few_bits_and_other_pictures_in_many() -> None:
    small = PICTURE.resize((200, 150), Image.Resampling.LANCZOS)
    for version in (saved(PICTURE, 30), small, ImageEnhance.Brightness(PICTURE).enhance(1.1)):
        assert distance(PICTURE, version) <= 4
    assert distance(PICTURE, PICTURE.crop((8, 6, 472, 354))) <= 12
    for turn in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180):
        assert distance(PICTURE, PICTURE.transpose(turn)) >= 16


def test_indexing_keeps_the_look_of_every_picture_as_it_is_shown(tmp_path: Path, library: Path, index: Index) -> None:
    folder = tmp_path / "turned"
    folder.mkdir()
    for orientation, turn in TURNS.items():
        data = encoded(PICTURE.transpose(turn), "JPEG", quality=95, exif=oriented(orientation))
        (folder / f"{orientation}.jpg").write_bytes(data)
    (folder / "clear.png").write_bytes(encoded(PICTURE.convert("RGBA"), "PNG"))
    (folder / "copy.png").write_bytes((folder / "clear.png").read_bytes())
    assert index(folder).code == 0
    kept = looks(library)
    assert kept.held.tolist() == [True] * 8
    assert np.abs(kept.grey - grey(PICTURE)).mean() < 2
    assert max((int(one) ^ int(kept.hashes[0])).bit_count() for one in kept.hashes) <= 4


def test_looks_are_read_in_the_order_asked_for(photos: Path, library: Path, index: Index) -> None:
    index(photos)
    every = looks(library)
    asked = np.array([7, 999_999, 3, 7, 1])
    with Library.open(library) as opened:
        found = read_looks(opened.catalog.engine, asked)
        assert len(read_looks(opened.catalog.engine, asked[:0]).grey) == 0
    assert found.held.tolist() == [True, False, True, True, True]
    for at, id_ in enumerate(asked):
        if found.held[at]:
            assert found.hashes[at] == every.hashes[id_ - 1]
            np.testing.assert_array_equal(found.grey[at], every.grey[id_ - 1])
    assert not found.grey[1].any() and found.hashes[1] == 0


def test_an_older_library_gets_its_looks_from_thumbnails_and_no_original_is_read(
    photos: Path, library: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(photos)
    before = looks(library)
    make_older(library)
    decoded: list[object] = []
    monkeypatch.setattr(Reader, "decode", lambda *given, **more: decoded.append(given))
    again = index(photos)
    assert (again.code, again.unchanged, again.encoded, decoded) == (0, 24, 0, [])
    after = looks(library)
    assert after.held.all()
    # But for what JPEG takes from a thumbnail.
    assert np.abs(after.grey.astype(int) - before.grey).mean() < 1
    assert max((int(a) ^ int(b)).bit_count() for a, b in zip(after.hashes, before.hashes, strict=True)) <= 4


def test_a_run_says_how_many_thumbnails_it_reads_and_nothing_where_it_reads_none(
    photos: Path, library: Path, index: Index, tiny_space: str
) -> None:
    index(photos)
    make_older(library)
    for expected in ([(0, 24), (24, 24)], []):
        seen: list[Progress] = []
        with locked(library), Library.create(library) as opened:
            Pipeline(opened, Chosen([resolve(tiny_space)]), Options(), seen.append).run([photos])
        reading = [state for state in seen if state.phase == "thumbnails"]
        assert [(state.done, state.total) for state in reading] == expected
        for state in reading[1:]:
            assert run_text.heading(state) == "Reading thumbnails: 24 of 24 pictures"
            assert (run_text.share(state), state.rate > 0) == (1.0, True)


def test_a_run_that_is_stopped_among_thumbnails_leaves_them_to_the_next(
    photos: Path, library: Path, index: Index, tiny_space: str
) -> None:
    index(photos)
    make_older(library)

    def stop(state: Progress) -> None:
        if state.phase == "thumbnails":
            pipeline.stop.set()

    with locked(library), Library.create(library) as opened:
        pipeline = Pipeline(opened, Chosen([resolve(tiny_space)]), Options(), stop)
        assert pipeline.run([photos]).unchanged == 24
    assert not looks(library).held.any()
    index(photos)
    assert looks(library).held.all()


def test_a_picture_without_a_thumbnail_stays_without_a_look_until_it_is_read(
    photos: Path, library: Path, index: Index, other_space: str
) -> None:
    index(photos)
    make_older(library)
    gone, damaged, *_ = thumbnails(library)
    gone.unlink()
    damaged.write_bytes(damaged.read_bytes()[:200])
    for _ in range(2):
        index(photos)
        assert int(looks(library).held.sum()) == 22
    damaged.unlink()
    index(photos, space=other_space)
    assert looks(library).held.all()


def test_another_picture_in_the_same_bytes_has_another_look(photos: Path, library: Path, index: Index) -> None:
    index(photos)
    before = looks(library)
    # What the stamp of a raw file would have left.
    changed(
        library,
        "UPDATE contents SET width = 64, height = 48",
        f"UPDATE contents SET facts_version = {FACTS_VERSION - 1}",
        "UPDATE looks SET hash = 5, grey = zeroblob(1024)",
    )
    assert index(photos).encoded == 24
    after = looks(library)
    np.testing.assert_array_equal(after.hashes, before.hashes)
    np.testing.assert_array_equal(after.grey, before.grey)


def test_what_is_forgotten_leaves_no_look(photos: Path, library: Path, index: Index) -> None:
    index(photos)
    for path in sorted(photos.rglob("*.jpg"))[20:]:
        path.unlink()
    assert index(photos, "--prune", "--prune-emptied").forgotten == 4
    assert int(looks(library).held.sum()) == 20
    assert run(["forget", str(photos), "--library", str(library)]) == 0
    assert not looks(library).held.any()


def test_verify_makes_damaged_and_lost_looks_again(photos: Path, library: Path, index: Index) -> None:
    index(photos)
    before = looks(library)
    assert '{"state": "ok", "part": "looks", "text": "24 there"}' in index("verify", space=None).out
    changed(library, "UPDATE looks SET grey = x'00' WHERE content_id = 3", "DELETE FROM looks WHERE content_id = 5")
    assert looks(library).held.tolist() == [at not in (3, 5) for at in range(1, 25)]
    said = index("verify", "--repair", space=None)
    assert (said.code, '"repaired", "part": "looks", "text": "24 there, 2 of them made again"' in said.out) == (0, True)
    after = looks(library)
    assert after.held.all()
    assert np.abs(after.grey.astype(int) - before.grey).mean() < 1
