"""Tiles in a run: what they cost, of which spaces they are, and those of a picture that was encoded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sightline.humanize import count, size
from sightline.tiles.grid import usual_count
from store.arrays import Floats
from store.library import Library
from store.tables import tiles

if TYPE_CHECKING:
    from indexer.file_reader import ReadResult
    from sightline.models.resolve import Model

Vectors = Mapping[int, Floats]
"""Of a picture by the id of a space, or of its tiles by their place."""
NOTHING: Final[Mapping[int, Any]] = MappingProxyType({})


def costs(library: Library, models: Sequence[Model], grid: int) -> Iterator[str]:
    """What a grid costs, or that tiles go, in a sentence for each model that had another one."""
    catalog = library.catalog
    held, pictures = tiles.counts(catalog.engine), catalog.counts().pictures
    for model in models:
        now = held.get(catalog.find_space(model.identity()) or 0)
        if grid == (now.grid if now else 0):
            continue
        if not grid:
            if now:
                yield (
                    f"The {count(now.tiles, 'tile')} of {model.name} go; {size(now.bytes)} of the database are free "
                    "for what is indexed next, and those of the index at once."
                )
            continue
        each = usual_count(grid, model.preprocess)
        more = each * (2 * model.dim + 16)
        known = (
            f"; for the {count(pictures, 'picture')} of this library {size(more * pictures)}, and their files are read "
            "again"
            if pictures
            else ""
        )
        yield (
            f"Tiles with {model.name}: {grid} along the shorter side, {each} of a photo of 4:3. That is about "
            f"{each + 1} times the encoding, and {size(more)} more a picture, in the database and once more in the "
            f"index{known}."
        )


def grids_of(library: Library, space_ids: Collection[int], grid: int | None) -> dict[int, int]:
    """The grids of those of some spaces that have tiles; with `grid`, which is theirs from now on."""
    engine = library.catalog.engine
    for space_id in () if grid is None else space_ids:
        tiles.set_grid(engine, space_id, grid or 0)
    return {id_: each for id_, each in tiles.grids(engine).items() if id_ in space_ids}


def encoded_tiles(result: ReadResult, vectors: Mapping[int, Vectors]) -> dict[int, tiles.Tiles]:
    """The tiles of a picture by the id of a space, without those that the model made nothing of.

    Args:
        result: of reading the picture.
        vectors: by the id of a space, then by the place of a tile.
    """
    made = {}
    for id_, cut in result.tiles.items():
        own = vectors.get(id_, {})
        places = sorted(own)
        stacked = np.stack([own[at] for at in places]) if places else np.empty((0, 0), np.float32)
        made[id_] = tiles.Tiles(cut.boxes[places], stacked)
    return made
