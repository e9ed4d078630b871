"""The spaces of a run: the one that is asked for, or all of the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sightline.models.resolve import Model, resolve
from store.errors import SpaceError
from store.library import DATABASE, Library
from store.tables.records import SpaceState


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


def known_spaces(path: Path) -> list[SpaceState]:
    """The spaces of the library at `path` that have vectors; where none has, the default one."""
    if not (path / DATABASE).exists():
        return []
    with Library.open(path) as library:
        spaces, default = library.catalog.spaces(), library.catalog.default_space_id()
    return [space for space in spaces if space.count] or [space for space in spaces if space.id == default]


def choose(spec: str | None, known: Sequence[SpaceState], device: str, *, offline: bool) -> Chosen:
    """Find the models of a run.

    Args:
        spec: the space that is asked for; None for all of the library, or in a new one for what suits the machine.
        known: the spaces of the library, see `known_spaces`.
        device: where models are to run.
        offline: use no network.

    Raises:
        SpaceError: the model that is asked for, or that of every space, can't be had.
    """
    if spec is None and not known:
        spec = _for_this_machine(device)
    if spec is not None or len(known) == 1:
        return Chosen([resolve(spec or known[0].model, offline=offline)])
    models, away = [], {}
    for space in known:
        try:
            models.append(model_of(space, offline=offline))
        except SpaceError as error:
            away[space.id] = str(error)
    if not models:
        raise SpaceError(next(iter(away.values())))
    return Chosen(models, is_one=False, away=away)


def model_of(space: SpaceState, *, offline: bool) -> Model:
    """The model of a space of the library.

    Raises:
        SpaceError: it can't be had, or it is another one now.
    """
    model = resolve(space.model, offline=offline)
    if model.identity().key != space.key:
        raise SpaceError(
            f"the model {space.model} is not the one it was made with: its weights or its preprocessing changed. Put "
            f"the old one back, or say --space {space.model} to make a space of the new one"
        )
    return model


def _for_this_machine(device: str) -> str:
    from sightline.models.devices import choose_device
    from sightline.models.presets import DEFAULT_ON_CPU, DEFAULT_ON_GPU

    return DEFAULT_ON_CPU if choose_device(device).type == "cpu" else DEFAULT_ON_GPU
