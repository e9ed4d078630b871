"""Pictures that are similar to one: the nearest vectors, without the picture itself."""

from __future__ import annotations

from collections.abc import Iterator

import indexing
import numpy as np
import pytest
from PIL import Image

from indexer.demo.pictures import write_pictures
from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.searcher import Searcher
from sightline.similar import similar
from store.library import Library


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """A library of drawn pictures, one of which was saved anew."""
    folder = tmp_path_factory.mktemp("similar")
    drawn = write_pictures(folder / "photos", 60, 0, (320, 240))
    boats = next(picture for picture in drawn if "two red boats" in " ".join(picture.captions))
    with Image.open(folder / "photos" / boats.path) as image:
        image.convert("RGB").save(folder / "photos" / "again.jpg", quality=60)
    indexing.add(folder / "library", folder / "photos", "demo")
    with Library.open(folder / "library") as library:
        yield Searcher(library, Encoders(offline=True))


def test_similar_pictures_are_the_nearest_and_never_the_picture_or_its_versions(searcher: Searcher) -> None:
    hit = next(hit for hit in searcher.search(parse("two red boats")).hits if hit.folded)
    id_, space = hit.photo.content_id, searcher.space()
    found = similar(searcher.library, space.id, id_)
    assert len(found) == len(set(found)) == 12
    assert not {id_, *hit.folded} & set(found)
    index = searcher.library.vectors.get(space.id)
    own = index.vectors_of(np.array([id_]))[0]
    cosines = index.vectors_of(np.array(found)) @ own
    assert (np.diff(cosines) <= 1e-6).all()
    like = searcher.search(parse(f"like:{id_}")).hits
    assert found[:3] == [each.photo.content_id for each in like if each.photo.content_id not in {id_, *hit.folded}][:3]
    assert similar(searcher.library, space.id, 10**9) == []
    assert similar(searcher.library, space.id, id_, 3) == found[:3]
