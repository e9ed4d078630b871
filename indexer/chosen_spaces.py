"""The spaces of a run: the one that is asked for, or all of the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer.new_spaces import try_model
from sightline.models.resolve import Model, resolve
from sightline.models.space_models import ModelAwayError, model_for, model_of
from store.errors import SpaceError
from store.library import Library
from store.remote import has_library
from store.tables.catalog import SpaceState
from store.tables.space_rows import stood_for
from store.tables.writer import Writer


@dataclass(frozen=True, slots=True)
class Chosen:
    """The models of a run.

    Attributes:
        models: of the spaces to bring up to date, at least one.
        is_one: the run is for one space alone: it was asked for, or the library has no other.
        away: why the model of a space of the library can't be had now, by the id of the space.
    """

    models: Sequence[Model]
    is_one: bool = True
    away: Mapping[int, str] = field(default_factory=dict)


def choose(path: Path, spec: str | None, device: str, *, offline: bool) -> Chosen:
    """Find the models of a run. Call it under the library's lock.

    Args:
        path: the library's folder; there need be no library yet.
        spec: what `--space` says; None for all spaces of the library, and in a new one for what suits the machine.
        device: where models will run.
        offline: whether to use no network.

    Of a new library the model is tried before anything is made: one that fails leaves no library behind.

    Raises:
        SpaceError: the model that is asked for, or that of every space, can't be had, or is of no use.
    """
    if not has_library(path):
        model = resolve(_usual(device) if spec is None else spec, offline=offline)
        try_model(model)
        return Chosen([model])
    with Library.create(path) as library:
        spaces = _with_fingerprints(library)
        known = held_or_default(spaces, library.catalog.default_space_id())
    if spec is not None:
        return Chosen([model_for(spec, spaces, offline=offline)])
    if not known:
        return Chosen([resolve(_usual(device), offline=offline)])
    models: list[Model] = []
    away: dict[int, SpaceError] = {}
    for space in known:
        try:
            models.append(model_of(space, offline=offline))
        except SpaceError as error:
            away[space.id] = error
    if not models:
        raise next(iter(away.values()))
    reasons = {space_id: why_away(error) for space_id, error in away.items()}
    return Chosen(models, is_one=len(known) == 1, away=reasons)


def why_away(error: SpaceError) -> str:
    """Why a model can't be had, for a run that goes on without it."""
    return error.in_short if isinstance(error, ModelAwayError) else str(error)


def held_or_default(spaces: Sequence[SpaceState], default: int | None) -> list[SpaceState]:
    """Those of a library's spaces that have vectors; where none has, the one that searches would use.

    Of several spaces of one model, as older libraries can have them, the one that the model finds.
    """
    others = stood_for((space.id, space.fingerprint, space.count) for space in spaces)
    held = [space for space in spaces if space.count and space.id not in others]
    return held or [space for space in spaces if space.id == default]


def _usual(device: str) -> str:
    from sightline.models.devices import device_name
    from sightline.models.presets import DEFAULT_ON_CPU, DEFAULT_ON_GPU

    return DEFAULT_ON_CPU if device_name(device) == "cpu" else DEFAULT_ON_GPU


def _with_fingerprints(library: Library) -> list[SpaceState]:
    """The spaces; of an older library, what they hold is noted while their models lie where they were."""
    spaces = library.catalog.spaces()
    older = [space for space in spaces if space.fingerprint is None]
    for space in older:
        try:
            model = model_of(space, offline=True)
        except SpaceError:  # it is gone; what is asked for says so where it matters
            continue
        Writer(library.catalog.engine).add_space(model.identity())
    return library.catalog.spaces() if older else spaces
