"""Which model a run encodes with: the one that is asked for, or that of the library's own space."""

from __future__ import annotations

from pathlib import Path

from sightline.models.resolve import Model, resolve
from sightline.models.space_models import model_for, model_of
from store.errors import SpaceError
from store.library import DATABASE, Library
from store.tables.writer import Writer


def choose_model(path: Path, space: str | None, device: str, *, offline: bool) -> Model:
    """Find the model of a run. Call it under the library's lock.

    Args:
        path: the library's folder; there need be no library yet.
        space: what `--space` says; None for what the library uses, and in a new one for what suits the machine.
        device: where it will run.
        offline: whether to use no network.

    Raises:
        SpaceError: there is no such model, or its files can't be had.
    """
    if (path / DATABASE).exists():
        with Library.create(path) as library:
            _note_fingerprints(library)
            spaces, default = library.catalog.spaces(), library.catalog.default_space_id()
        if space is not None:
            return model_for(space, spaces, offline=offline)
        for known in spaces:
            if known.id == default:
                return model_of(known, offline=offline)
    return resolve(space or _usual(device), offline=offline)


def _usual(device: str) -> str:
    from sightline.models.devices import choose_device
    from sightline.models.presets import DEFAULT_ON_CPU, DEFAULT_ON_GPU

    return DEFAULT_ON_CPU if choose_device(device).type == "cpu" else DEFAULT_ON_GPU


def _note_fingerprints(library: Library) -> None:
    """Note what the spaces of an older library hold, while their models still lie where they were."""
    for space in library.catalog.spaces():
        if space.fingerprint is None:
            try:
                model = model_of(space, offline=True)
            except SpaceError:  # it is gone; what is asked for says so where it matters
                continue
            Writer(library.catalog.engine).add_space(model.identity())
