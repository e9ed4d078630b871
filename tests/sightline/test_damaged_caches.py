"""Whatever became of the caches in a library's folder, a search gives the same hits, and a picture its thumbnail."""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import indexing
import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from examples import examples
from sightline.media.derived import thumbnail
from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.searcher import Searcher
from store.library import Library

QUERY = parse("red boat OR snow dedup:off")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, tiny_space: str) -> Path:
    folder = tmp_path_factory.mktemp("caches")
    (folder / "photos").mkdir()
    for seed in range(12):
        blocks = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((96, 64), Image.Resampling.NEAREST).save(folder / "photos" / f"{seed:02}.jpg")
    indexing.add(folder / "library", folder / "photos", tiny_space)
    return folder / "library"


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    return Encoders(offline=True)


def answers(path: Path, encoders: Encoders) -> tuple[list[tuple[int, float, str]], list[bytes | None]]:
    with Library.open(path) as library:
        hits: list[tuple[int, float, str]] = [
            (hit.photo.content_id, hit.score, hit.band) for hit in Searcher(library, encoders).search(QUERY).hits
        ]
        return hits, [thumbnail(library, content_hash) for content_hash in sorted(library.catalog.hashes())]


def caches(path: Path) -> list[Path]:
    return sorted(each for name in ("vectors", "thumbnails") for each in (path / name).rglob("*") if each.is_file())


@given(which=st.integers(0, 999), flips=st.lists(st.integers(0, 2**32), min_size=1, max_size=12), cut=st.booleans())
@examples(60, nightly=2_000)
def test_flipped_bits_and_cut_files_change_no_answer(
    path: Path, encoders: Encoders, which: int, flips: list[int], cut: bool
) -> None:
    right = answers(path, encoders)
    files = caches(path)
    kept = {file: file.read_bytes() for file in files}
    file = files[which % len(files)]
    data = bytearray(kept[file])
    for flip in flips:
        if data:
            data[flip // 8 % len(data)] ^= 1 << flip % 8
    file.write_bytes(bytes(data[: flips[0] % (len(data) + 1)] if cut else data))
    try:
        assert answers(path, encoders) == right
    finally:
        for place, before in kept.items():
            place.write_bytes(before)


@given(one=st.integers(0, 999), other=st.integers(0, 999))
@examples(40)
def test_a_cache_file_in_the_place_of_another_changes_no_answer(
    path: Path, encoders: Encoders, one: int, other: int
) -> None:
    right = answers(path, encoders)
    files = caches(path)
    kept = {file: file.read_bytes() for file in files}
    files[one % len(files)].write_bytes(kept[files[other % len(files)]])
    try:
        assert answers(path, encoders) == right
    finally:
        for place, before in kept.items():
            place.write_bytes(before)
