"""The model of a library's space: found by its content, wherever it lies now. No torch here."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sightline.models.changes import split
from sightline.models.hub import Repository
from sightline.models.names import HUB, LOCAL, Address, changes_of, read_name
from sightline.models.offline import is_offline
from sightline.models.presets import PRESETS
from sightline.models.resolve import Model, models_here, resolve_address
from store.errors import SpaceError
from store.tables.catalog import SpaceState


class ModelAwayError(SpaceError):
    """The model of a space can't be had.

    Attributes:
        in_short: why, and the way out, for a run that goes on without it.
    """

    def __init__(self, message: str, in_short: str) -> None:
        super().__init__(message)
        self.in_short = in_short


def model_of(space: SpaceState, *, offline: bool = False) -> Model:
    """Find the model that a space's vectors were made with, by its content.

    Looked for at the commit that it had, then at the space's address, then in the repository of its preset. The
    hub's main branch may have moved, by a download of another program: that changes nothing.

    Raises:
        ModelAwayError: it is not here, nor where it can be downloaded from.
    """
    problems: list[SpaceError] = []
    others: list[Model] = []
    for address in _addresses(space, problems):
        for model in models_here(address, problems):
            if is_of(model, space):
                return model
            others.append(model)
    commit = _commit(space)
    if commit is not None and not (offline or is_offline()):
        try:
            model = resolve_address(commit)
        except SpaceError as error:
            problems.insert(0, error)
        else:
            if is_of(model, space):
                return model
            others.append(model)
    raise _not_found(space, commit, problems, others)


def model_for(spec: str, spaces: Sequence[SpaceState], *, offline: bool = False) -> Model:
    """Find the model that `--space` names, for a library with these spaces, oldest first.

    A repository that the library has a space of means the commit of that space, unless a revision is named.

    Raises:
        SpaceError: see `sightline.models.resolve.resolve`.
    """
    spec = spec.strip()
    for space in reversed(spaces):
        if space.model == spec and _commit(space) is not None:
            return model_of(space, offline=offline)
    address = read_name(spec)
    if isinstance(address.place, Repository) and address.place.revision is None:
        for space in reversed(spaces):
            if space.weights.startswith(f"{address.place.name}@"):
                if changes_of(space.model) == address.changes:
                    return model_of(space, offline=offline)
                commit = Repository(*space.weights.split("@", 1))
                return resolve_address(replace(address, place=commit), offline=offline)
    return resolve_address(address, offline=offline)


def is_of(model: Model, space: SpaceState) -> bool:
    """Whether a space's vectors were made with this model."""
    return model.identity().is_of(space.key, space.fingerprint)


def _commit(space: SpaceState) -> Address | None:
    """The commit that a space's weights came from."""
    name, at, commit = space.weights.partition("@")
    if not at or name.count("/") != 1:
        return None
    return Address(space.model, Repository(name, commit), changes_of(space.model))


def _addresses(space: SpaceState, problems: list[SpaceError]) -> Iterator[Address]:
    if commit := _commit(space):
        yield commit
    for spec in dict.fromkeys((space.model, *([space.name] if split(space.name)[0] in PRESETS else []))):
        try:
            yield read_name(spec)
        except SpaceError as error:
            problems.append(error)


def _not_found(
    space: SpaceState, commit: Address | None, problems: Sequence[SpaceError], others: Sequence[Model]
) -> ModelAwayError:
    if others:
        reason = (
            f"The model {space.model} is not the one this library was indexed with: what is in {others[-1].folder} has "
            "other weights, another preprocessing or another tokenizer"
        )
    else:
        where = space.model if commit is None else f"{space.model} ({commit.place})"
        why = str(problems[0]).rstrip(".") if problems else "it is not on this computer"
        reason = f"The model of the space {space.name!r} is not to be found at {where}: {why}"
    if space.fingerprint is None and commit is not None:
        # Its key tells the commit and nothing of what that holds: a copy elsewhere can't be known.
        advice = (
            f"The library is of a former version and knows the model by that commit only ({commit.place}): connect "
            "once and run again (it is downloaded), or set HF_HOME to where a cache of the hub holds it"
        )
        in_short = "Connect once and run again"
    else:
        anew = shlex.quote(f"{LOCAL}ITS_FOLDER{split(space.model)[1]}")
        advice = (
            f"Wherever the same model lies now, python -m indexer spaces --find {LOCAL}ITS_FOLDER, or a run with "
            f"--space {anew}, finds the space again by its content, and encodes nothing anew"
        )
        in_short = f"Where it lies now: python -m indexer spaces --find {LOCAL}ITS_FOLDER"
    if others:
        spec = others[-1].spec if commit is None else f"{HUB}{others[-1].weights}"
        advice += f"; --space {shlex.quote(spec)} makes a new space with the other one"
    return ModelAwayError(
        f"{reason}. Searching with pictures of the library still works. {advice}.", f"{reason}. {in_short}"
    )
