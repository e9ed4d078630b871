"""Whether a network can have changes, and what they cost: tried once, which imports torch."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from sightline.models.cache_folder import answered
from sightline.models.changes import Changes
from sightline.models.configuration import OPEN_CLIP_CONFIG, TIMM_CONFIG, load_json
from sightline.models.published import Published, Trial
from store.errors import SpaceError

_KEPT_IN: Final = "fits.cache"


class UnfitError(SpaceError):
    """A model can't have a change that is asked of it."""


def tried(model: Published, changes: Changes) -> Trial:
    """Try changes of a model on its network, on shapes alone; it is kept what came of it."""
    config = load_json(model.folder / (OPEN_CLIP_CONFIG if model.library == "open_clip" else TIMM_CONFIG))
    versions = [version(each) for each in ("timm", "open_clip_torch", "torch")]

    def ask() -> list[Any]:
        from sightline.models.trial import try_changes

        trial = try_changes(model, changes)
        return [trial.problem, trial.work, list(trial.nearest)]

    problem, work, nearest = answered(_KEPT_IN, [versions, config, str(changes)], ask, _is_trial)
    return Trial(problem, work, tuple(nearest))


def check_fit(model: Published, changes: Changes, spec: str) -> None:
    """Refuse changes that a model's network can't have.

    Args:
        spec: what the model was asked for by.

    Raises:
        UnfitError: it says why, and which sizes it can have.
    """
    if not changes:
        return
    trial = tried(model, changes)
    if not trial.problem:
        return
    if not trial.nearest:
        raise UnfitError(f"{spec} is not possible: {trial.problem}.")
    sizes = " or ".join(f"size={side}" for side in trial.nearest)
    raise UnfitError(
        f"The model {spec} can't look at {changes.size} px: {trial.problem}. The nearest that fit: {sizes}."
    )


def _is_trial(known: list[Any]) -> bool:
    return (
        len(known) == 3
        and isinstance(known[0], str)
        and isinstance(known[1], float)
        and isinstance(known[2], list)
        and all(isinstance(side, int) for side in known[2])
    )
