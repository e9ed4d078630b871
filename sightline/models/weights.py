"""Weights from a model's folder into a network: all, or only the image tower of a joint model.

The files that were found and hashed are read, and no others. Every parameter of the network, and every buffer that is
stored with it, comes from them in its own shape, or nothing is loaded: what a file lacks would be a random number.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from sightline.models.configuration import TIMM_CONFIG, load_json, timm_settings
from sightline.models.networks import POSITION_IDS, as_open_clip, make_joint, resize_tower
from sightline.models.resolve import Model
from sightline.models.text_files import tokenizer_of
from sightline.models.timm_networks import TimmMaker, Weights, set_pool, without_wrappers
from sightline.models.weight_files import Stored, find_weights, stored_tensors
from store.errors import SpaceError

# Types that hold a weight as it is. Integers and 8-bit floats need a scale, which no network here asks for.
_FLOATS: Final = frozenset({"F64", "F32", "F16", "BF16"})
# As safetensors writes them.
_KINDS: Final = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
# What conversions raise for weights of a form that they do not know.
_CONVERTING: Final = (
    KeyError, ValueError, RuntimeError, AttributeError, AssertionError, TypeError, IndexError
)  # fmt: skip
# Where open_clip's networks have their image tower.
_VISUAL: Final = "visual."
_NAMED: Final = 3
# So many numbers are read before they are copied to where they belong: 128 MB in float32.
_AT_ONCE: Final = 32_000_000
# Batch normalisation counts what it was trained on there, and never reads it again.
_COUNTER: Final = "num_batches_tracked"


def load_network(model: Model) -> tuple[nn.Module, Any, int]:
    """Load a network, its tokenizer (None for picture-only ones) and the number of tokens that it reads.

    Raises:
        SpaceError: its files do not hold this network's weights, whole.
    """
    files = find_weights(model.folder)
    stored = stored_tensors(files)
    if model.library == "timm":
        maker = _timm(model)
        if model.changes.size is not None:
            maker = maker.sized(model.preprocess.size)
        network = maker.make()
        _check_size(model, maker.fixed_size(network))
        _load_timm(maker, network, files, stored)
        _refuse_unset(network, files)
        if model.changes.pool is not None:
            set_pool(network, model.changes.pool)
        return network, None, 0
    tower = make_joint(model.folder, model.text, model.changes.size)
    problem = _difference(tower, stored, frozenset({POSITION_IDS}))
    if problem is None:
        _fill(tower, stored)
    else:
        try:
            weights = as_open_clip(tower, _read(files))
            problem = _difference(tower, _described(weights, files))
        except _CONVERTING:
            weights = {}
        _refuse(files, problem)
        tower.load_state_dict(weights, strict=False)
    _refuse_unset(tower, files)
    resize_tower(tower, model.preprocess.size)
    tokenizer = tokenizer_of(model.folder, model.text)
    return tower, tokenizer, int(tokenizer.context_length)


def _load_timm(maker: TimmMaker, network: nn.Module, files: tuple[Path, ...], stored: Mapping[str, Stored]) -> None:
    """Load weights that have the network's own names; others as timm converts them for its architecture."""
    if _difference(network, stored) is None:
        return _fill(network, stored)
    beyond = maker.classifier(network)
    if _difference(network, stored, beyond) is None:
        return _fill(network, stored)
    weights = without_wrappers(_read(files))
    problem = _difference(network, _described(weights, files), beyond)
    convert = maker.conversion(network) if problem else None
    if convert is not None:
        with suppress(*_CONVERTING):
            weights = convert(weights)
            if _difference(network, _described(weights, files), beyond) is None:
                problem = None
    _refuse(files, problem)
    network.load_state_dict(weights, strict=False)
    return None


def _timm(model: Model) -> TimmMaker:
    import timm

    config = load_json(model.folder / TIMM_CONFIG)
    maker = TimmMaker.of(config, timm_settings(config))
    if not maker.is_known:
        raise SpaceError(
            f"{model.folder / TIMM_CONFIG} names the architecture {maker.architecture!r}, which timm "
            f"{timm.__version__} does not have: correct the name, or install the timm that has it."
        )
    return maker


def load_image_tower(model: Model, dtype: torch.dtype) -> nn.Module | None:
    """Load an open_clip model without its text tower, in `dtype`, one weight after the other.

    Loading all of it takes twice its float32 weights in memory, and the text tower of a multilingual model is most of
    it. None where the files do not hold the tower's weights under their own names, in their shapes: open_clip knows how
    to turn older ones.

    Raises:
        SpaceError: the files are damaged.
    """
    from safetensors import safe_open

    found = stored_tensors(find_weights(model.folder))
    stored = {name.removeprefix(_VISUAL): held for name, held in found.items() if name.startswith(_VISUAL)}
    try:
        with torch.device("meta"):
            tower: Any = make_joint(model.folder, model.text, model.changes.size)
    except (NotImplementedError, RuntimeError):  # it computes with numbers while it is made
        return None
    visual: nn.Module = tower.visual
    if _difference(visual, stored) is not None:
        return None
    for name in [name for name, _ in tower.named_children() if name != "visual"]:
        setattr(tower, name, nn.Identity())
    for name in [name for name, _ in (*tower.named_parameters(recurse=False), *tower.named_buffers(recurse=False))]:
        setattr(tower, name, None)
    weights: Weights = {}
    for name, empty in visual.state_dict().items():
        held = stored.get(name)
        if held is None:  # a counter of batch normalisation, the only one that may be missing
            weights[name] = torch.zeros(empty.shape, dtype=empty.dtype)
            continue
        # Opened anew for each: what was read through a mapping counts as this process's memory until it is closed.
        with safe_open(held.file, "pt") as opened:
            weight = opened.get_tensor(f"{_VISUAL}{name}")
            weights[name] = weight.to(dtype if weight.is_floating_point() else weight.dtype, copy=True)
    visual.load_state_dict(weights, assign=True)
    if any(tensor.is_meta for tensor in (*visual.parameters(), *visual.buffers())):
        return None  # computed when it is made, not stored
    resize_tower(tower, model.preprocess.size)
    return tower  # type: ignore[no-any-return]


def _read(files: Iterable[Path]) -> Weights:
    from safetensors.torch import load_file

    return {name: weight for file in files for name, weight in load_file(file).items()}


def _fill(network: nn.Module, stored: Mapping[str, Stored]) -> None:
    """Copy weights of the network's own names, some at a time: a file read takes memory until closed."""
    from safetensors import safe_open

    wanted = network.state_dict().keys()
    for file, names in _portions(stored):
        with safe_open(file, "pt") as opened:
            network.load_state_dict({name: opened.get_tensor(name) for name in names if name in wanted}, strict=False)


def _portions(stored: Mapping[str, Stored]) -> Iterator[tuple[Path, list[str]]]:
    """Names of tensors that are read at once: of one file, and few."""
    names: list[str] = []
    file, held = Path(), 0
    for name, kept in stored.items():
        size = math.prod(kept.shape)
        if names and (kept.file != file or held + size > _AT_ONCE):
            yield file, names
            names, held = [], 0
        file, held = kept.file, held + size
        names.append(name)
    if names:
        yield file, names


def _described(weights: Weights, files: tuple[Path, ...]) -> dict[str, Stored]:
    """Weights in memory in the terms of a file."""
    return {
        name: Stored(files[0], _KINDS.get(weight.dtype, str(weight.dtype)), tuple(weight.shape))
        for name, weight in weights.items()
    }


def _difference(network: nn.Module, stored: Mapping[str, Stored], beyond: frozenset[str] = frozenset()) -> str | None:
    """How stored weights differ from a network's, in words; None where they are its own.

    Args:
        beyond: names that may be stored though the network has none such.
    """
    wanted = network.state_dict(keep_vars=True)
    # Of a tensor that has two names in the network, safetensors' own writer keeps one.
    held = {id(tensor) for name, tensor in wanted.items() if name in stored}
    missing = [
        name
        for name, tensor in wanted.items()
        if name not in stored and id(tensor) not in held and not name.endswith(_COUNTER)
    ]
    if missing:
        lacks = f"lacks {len(missing)} of the network's {len(wanted)} tensors, {_some(missing)}"
        return lacks + _wrapped(wanted, stored) + _normed_before(network, missing, stored)
    extra = [name for name in stored if name not in wanted and name not in beyond and not name.endswith(_COUNTER)]
    if extra:
        return f"holds {len(extra)} tensors that the network of its configuration does not have, {_some(extra)}"
    for name, tensor in wanted.items():
        kept = stored.get(name)
        if kept is None or name.endswith(_COUNTER):  # one of another type: all of the file was converted
            continue
        if kept.shape != tuple(tensor.shape):
            return f"holds {name} as {_sides(kept.shape)}, and the network has it as {_sides(tuple(tensor.shape))}"
        if tensor.is_floating_point() != (kept.dtype in _FLOATS):
            return (
                f"holds {name} as numbers of type {kept.dtype}, as smaller editions of models do, and weights are read "
                "as F32, F16 or BF16"
            )
    return None


def _wrapped(wanted: Mapping[str, object], stored: Mapping[str, Stored]) -> str:
    """What is said of names that only have something before them."""
    first = next(iter(stored), "")
    before = first[: first.find(".") + 1]
    own = {name.removeprefix(before) for name in stored if name.startswith(before)}
    return f" (its names begin with {before!r}: save them without)" if before and wanted.keys() <= own else ""


def _normed_before(network: nn.Module, missing: list[str], stored: Mapping[str, Stored]) -> str:
    """What is said of a file whose last norm is before pooling, and the network has it after."""
    takes = inspect.signature(type(network).__init__).parameters
    argument = next((name for name in ("use_fc_norm", "fc_norm") if name in takes), None)
    if argument is None or not all(name.replace("fc_norm.", "norm.") in stored for name in missing):
        return ""
    return (
        f" (it has the norm before pooling, as networks before they are fine-tuned: say '{argument}': false in "
        f"'model_args' of {TIMM_CONFIG})"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _refuse(files: tuple[Path, ...], difference: str | None) -> None:
    if difference:
        what = files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"
        raise SpaceError(
            f"The model in {files[0].parent} can't be loaded: {what} {difference}. Copy or download the model again; "
            "if it is your own, save its whole network with the configuration it was made by."
        )


def _refuse_unset(network: nn.Module, files: tuple[Path, ...]) -> None:
    unset = [name for name, tensor in (*network.named_parameters(), *network.named_buffers()) if tensor.is_meta]
    _refuse(files, f"left {len(unset)} tensors without a value, {_some(unset)}" if unset else None)


def _check_size(model: Model, size: tuple[int, int] | None) -> None:
    """Refuse a network that reads pictures of one `size` only, and not the one of the configuration."""
    if size not in (None, model.preprocess.size):
        high, wide = model.preprocess.size
        raise SpaceError(
            f"The model in {model.folder} can't be loaded: its network reads pictures of {size[0]} x {size[1]} pixels, "
            f"and {TIMM_CONFIG} says {high} x {wide}. Say 'fixed_input_size': true there, or give 'img_size' in "
            "'model_args'."
        )
