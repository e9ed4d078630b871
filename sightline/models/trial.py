"""Changes of a network, tried on shapes alone: no weights, no numbers, a fraction of a second.

Both libraries take sizes that cut off the right and bottom edge of every picture, and say nothing: a convolution that
reads patches of 16 px looks at 448 of 450. That, and what raises, is found here before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import nn

from sightline.models.changes import LARGEST, SMALLEST, Changes
from sightline.models.configuration import TIMM_CONFIG, load_json, timm_settings
from sightline.models.networks import as_open_clip, make_joint, resize_tower
from sightline.models.published import Published, Trial
from sightline.models.timm_networks import Conversion, TimmMaker, set_pool

_RAISED: Final = (
    ArithmeticError, AssertionError, AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""What networks raise for a size or a pooling that they can't have."""
# Sides that fit a network are multiples of one of these, px: patches, and patches of merged windows.
_STEPS: Final = (1, 2, 4, 8, 14, 16, 28, 32, 64, 128, 256)


class _MisfitError(Exception):
    """A network can't have a change; says why, as the end of a sentence."""


def try_changes(model: Published, changes: Changes) -> Trial:
    """Try changes of a model on its network."""
    try:
        make = _timm(model) if model.library == "timm" else _open_clip(model)
    except _RAISED:
        return Trial()  # whatever is wrong with it is told where it is loaded
    own = model.size
    size = own if changes.size is None else (changes.size, changes.size)
    try:
        usual = _run(make(Changes()), own)
    except (_MisfitError, *_RAISED):  # it computes with numbers: nothing is known by its shapes
        return Trial()

    def tried(changes: Changes, size: tuple[int, int]) -> float:
        """The work at a size; _MisfitError where it does not fit."""
        try:
            found = _run(make(changes), size)
        except _MisfitError:
            raise
        except _RAISED as error:
            raise _MisfitError(_first_line(error)) from error
        if found.cut:
            raise _MisfitError(
                f"{found.cut} px of the right and the bottom edge would not be looked at, as its patches are of "
                f"{found.patch} px"
            )
        return found.work / usual.work if usual.work else 1.0

    pool = replace(changes, size=None)
    if pool:
        try:
            tried(pool, own)
        except _MisfitError as error:
            return Trial(f"it can't pool by {pool.pool!r}: {error}")
    try:
        return Trial(work=tried(changes, size))
    except _MisfitError as error:
        problem = str(error)

    def fits(side: int) -> bool:
        with suppress(_MisfitError):
            tried(Changes(side), (side, side))
            return True
        return False

    return Trial(problem, nearest=_nearest(size[0], own, fits))


def _nearest(side: int, own: tuple[int, int], fits: Callable[[int], bool]) -> tuple[int, ...]:
    """The next smaller and the next larger side that fit; fewer where there are none."""
    for step in (*(step for step in _STEPS if step * 64 > side), own[0]):
        below, above = side // step * step, -(-side // step) * step
        if below == above:
            below, above = below - step, above + step
        found = [each for each in (below, above) if SMALLEST <= each <= LARGEST and fits(each)]
        if len(found) == 2 or (found and below < SMALLEST):
            return tuple(found)
    return (own[0],) if own[0] == own[1] else ()


def _timm(model: Published) -> Callable[[Changes], nn.Module]:
    config = load_json(model.folder / TIMM_CONFIG)
    maker = TimmMaker.of(config, timm_settings(config))
    own = maker.sketch()

    def make(changes: Changes) -> nn.Module:
        if changes.size is None:
            network = maker.sketch()
        else:
            sized = maker.sized((changes.size, changes.size))
            network = sized.sketch()
            _check_weights(own, network, sized.conversion(network))
        if changes.pool is not None:
            set_pool(network, changes.pool)
        return network

    return make


def _open_clip(model: Published) -> Callable[[Changes], nn.Module]:
    def sketch(changes: Changes) -> Any:
        with torch.device("meta"):
            return make_joint(model.folder, model.text, changes.size)

    own = sketch(Changes())

    def make(changes: Changes) -> nn.Module:
        tower = sketch(changes)
        if changes.size is not None:
            _check_weights(own, tower, lambda weights: as_open_clip(tower, weights))
            resize_tower(tower, (changes.size, changes.size))
        visual: nn.Module = tower.visual
        return visual

    return make


def _check_weights(own: nn.Module, sized: nn.Module, convert: Conversion | None) -> None:
    """Refuse a size that needs weights of other shapes, where the library can't turn them."""
    stored, wanted = dict(own.state_dict()), sized.state_dict()
    if convert is not None and _differs(stored, wanted):
        try:
            stored = convert(stored)
        except NotImplementedError:
            return  # it computes with numbers; where it can't, loading says so
    if name := _differs(stored, wanted):
        raise _MisfitError(f"its weights fit its own size only ({name}), and its library can't turn them")


def _differs(stored: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """The first weight that is wanted in another shape than it is stored in."""
    return next((name for name, to in wanted.items() if name not in stored or stored[name].shape != to.shape), None)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a run on shapes showed: operations, pixels of the edge left out, the side of a patch."""

    work: int
    cut: int
    patch: int


def _run(network: nn.Module, size: tuple[int, int]) -> _Found:
    from torch.utils.flop_counter import FlopCounterMode

    network.eval().requires_grad_(False)
    cut = [(0, 0)]
    with _watched(network, size, cut), torch.no_grad(), FlopCounterMode(display=False) as counter:
        features = network(torch.zeros((1, 3, *size), device=next(network.parameters()).device))
    if isinstance(features, tuple):  # CoCa gives the vectors of places, too
        features = features[0]
    if features.ndim != 2:
        raise _MisfitError(f"a picture would have {features.ndim - 1} dimensions of vectors, and one vector is wanted")
    return _Found(counter.get_total_flops(), *max(cut))


@contextmanager
def _watched(network: nn.Module, size: tuple[int, int], cut: list[tuple[int, int]]) -> Iterator[None]:
    """Watch what looks at the pixels, and windows that places are parted in."""

    def looked(module: Any, given: tuple[Any, ...], _: object) -> None:
        if tuple(given[0].shape[1:]) == (3, *size):
            cut.extend(_left_out(module, side, axis) for axis, side in enumerate(size))

    def parted(module: Any, given: tuple[Any, ...], _: object) -> None:
        places, window = tuple(given[0].shape[1:3]), tuple(module.window_size)
        if any(side % part for side, part in zip(places, window, strict=True)):
            raise _MisfitError(f"{places[0]} x {places[1]} places are not parted evenly in windows of {window[0]}")

    kinds = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
    handles = [each.register_forward_hook(looked) for each in network.modules() if isinstance(each, kinds)]
    windowed = [each for each in network.modules() if hasattr(each, "window_size") and hasattr(each, "shift_size")]
    handles += [each.register_forward_hook(parted) for each in windowed]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _left_out(module: Any, side: int, axis: int) -> tuple[int, int]:
    """How many pixels at the end of a side a strided module does not look at, and its stride."""
    if module.padding == "same" or type(module).__name__.endswith("Same") or getattr(module, "ceil_mode", False):
        return 0, 0  # these fill up
    kernel, stride, padding, dilation = (
        value if isinstance(value, int) else value[axis]
        for value in (
            module.kernel_size, module.stride, 0 if module.padding == "valid" else module.padding,
            getattr(module, "dilation", 1),
        )
    )  # fmt: skip
    if kernel < stride:  # a branch that looks at one pixel of some, anywhere in the picture
        return 0, 0
    left = side + 2 * padding - dilation * (kernel - 1) - 1
    return max(0, (left % stride if left >= 0 else side) - padding), stride


def _first_line(error: Exception) -> str:
    said = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return f"its network says: {said[:150].rstrip('.')}"
