"""Which files of a folder hold a model's weights, and what they say they hold. No torch here.

A library that searches a folder has an order of its own: open_clip takes a pickle before `model.safetensors`, timm
takes one before a file of another name. What is found here is what is hashed and what is loaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from store.errors import SpaceError

# In open_clip's own order of preference.
WEIGHTS: Final = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
_INDEX: Final = ".safetensors.index.json"
_SHARD: Final = re.compile(r"-\d+-of-(\d+)\.safetensors$")
PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: a pointer is below 1024 bytes and begins so.
_POINTER: Final = b"version https://git-lfs"
_POINTER_SIZE: Final = 1024
# What loading may read beside the weights: configuration, tokenizer.
_BESIDE: Final = frozenset({".json", ".model", ".txt"})
# A header of a million tensors; the safetensors library accepts no more either.
_MAX_HEADER: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """What the header of a weights file says of one tensor.

    Attributes:
        file: that holds it.
        dtype: as safetensors writes it: `F32`, `BF16`, `I8` and so on.
        shape: its sides.
    """

    file: Path
    dtype: str
    shape: tuple[int, ...]


def find_weights(folder: Path) -> tuple[Path, ...]:
    """The files that hold the weights of a model: one, or the shards of an index, sorted by name.

    Raises:
        SpaceError: there is no such folder, it holds no weights that can be read or can't tell which are the model's,
            a shard is missing, or a Git LFS pointer lies in the place of a file.
    """
    if not folder.is_dir():
        raise SpaceError(f"There is no folder {folder}.")
    try:
        # Hidden ones are no part of a model: macOS writes a `._NAME` beside each file on other systems' disks.
        files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    except OSError as error:
        raise SpaceError(f"The folder {folder} can't be read: {error.strerror or error}.") from error
    refuse_pointers(file for file in files if file.suffix in _BESIDE)
    found = _chosen(folder, {file.name for file in files})
    refuse_pointers(found)
    return found


def _chosen(folder: Path, names: set[str]) -> tuple[Path, ...]:
    for name in WEIGHTS:
        if name in names:
            return (folder / name,)
        index = name.removesuffix(".safetensors") + _INDEX
        if index in names:
            return _shards(folder / index)
    indexes = [name for name in sorted(names) if name.endswith(_INDEX)]
    if len(indexes) == 1:
        return _shards(folder / indexes[0])
    return (_only(folder, sorted(names), indexes),)


def _only(folder: Path, names: list[str], indexes: list[str]) -> Path:
    """The one weights file of a folder where none has a usual name."""
    found = indexes or [name for name in names if name.endswith(".safetensors")]
    if len(found) == 1:
        shard = _SHARD.search(found[0])
        if shard is None or int(shard[1]) == 1:
            return folder / found[0]
        raise SpaceError(
            f"{folder / found[0]} is one of {int(shard[1])} parts of a model's weights, and the folder lacks the "
            f"others and their index (*{_INDEX}): copy or download the model whole."
        )
    if found:
        listed = ", ".join(found[:4]) + (" ..." if len(found) > 4 else "")
        raise SpaceError(
            f"The folder {folder} holds {len(found)} files of weights, {listed}, and nothing says which are the "
            f"model's: leave one, or name it {WEIGHTS[-1]}; parts of one model need their index (*{_INDEX})."
        )
    pickles = [name for name in names if name.endswith(PICKLES)]
    if pickles:
        raise SpaceError(
            f"The folder {folder} holds weights as a pickle only ({pickles[0]}), which can run code when it is read "
            "and is never opened here: get the model's *.safetensors, or convert the file where you trust it, with "
            "safetensors.torch.save_file."
        )
    what = "holds no weights (*.safetensors)" if names else "is empty and holds no weights (*.safetensors)"
    raise SpaceError(f"The folder {folder} {what}: copy or download the model whole.")


def refuse_pointers(files: Iterable[Path]) -> None:
    """Raise SpaceError where a file is a Git LFS pointer, which git wrote in the place of its content."""
    for file in files:
        try:
            if file.stat().st_size >= _POINTER_SIZE:
                continue
            with file.open("rb") as opened:
                is_pointer = opened.read(len(_POINTER)) == _POINTER
        except OSError as error:
            raise SpaceError(f"{file} can't be read: {error.strerror or error}.") from error
        if is_pointer:
            raise SpaceError(
                f"{file} is a Git LFS pointer, not the file itself: the repository was cloned without Git LFS. Run "
                f"'git lfs pull' in {file.parent}, or download the model again."
            )


def _shards(index: Path) -> tuple[Path, ...]:
    names = sorted(set(_weight_map(index).values()))
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise SpaceError(
            f"{index} lists {len(names)} files of weights, and {len(missing)} of them, {missing[0]} first, are not in "
            "the folder: copy or download the model whole."
        )
    return tuple(index.parent / name for name in names)


def _weight_map(index: Path) -> dict[str, str]:
    """Which file holds which tensor, by an index."""
    try:
        found: Any = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        whole = bool(found) and all(map(_is_beside, found.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise SpaceError(f"{index} is not an index of weights (a weight_map of names and *.safetensors beside it).")
    return dict(found)


def _is_beside(name: Any) -> bool:
    """Whether an index names a file of its own folder."""
    return isinstance(name, str) and name.endswith(".safetensors") and not set(name) & set("/\\:")


def stored_tensors(files: Iterable[Path]) -> dict[str, Stored]:
    """The tensors of weights files by name, from their headers.

    Raises:
        SpaceError: a file is damaged or cut off, or two of them hold a tensor of one name.
    """
    found: dict[str, Stored] = {}
    for file in files:
        for name, stored in _header(file).items():
            if name in found:
                raise SpaceError(f"{file} and {found[name].file} both hold the weights {name!r}: the model is damaged.")
            found[name] = stored
    return found


def _header(file: Path) -> dict[str, Stored]:
    """What a file holds; its size is compared with it.

    The format: 8 bytes with the length of a JSON object, the object, the bytes of all tensors
    (https://github.com/huggingface/safetensors#format).
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if size < 8 or length > min(size - 8, _MAX_HEADER):
                raise SpaceError(_damaged(file, f"it has {size} bytes and no whole header"))
            header: Any = json.loads(opened.read(length))
        header.pop("__metadata__", None)
        end = 8 + length + max((int(entry["data_offsets"][1]) for entry in header.values()), default=0)
        found = {
            name: Stored(file, str(entry["dtype"]), tuple(int(side) for side in entry["shape"]))
            for name, entry in header.items()
        }
    except OSError as error:
        raise SpaceError(f"{file} can't be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise SpaceError(_damaged(file, "its header can't be read")) from error
    if size != end:
        raise SpaceError(_damaged(file, f"it has {size} bytes and should have {end}"))
    if not found:
        raise SpaceError(_damaged(file, "it holds no tensor"))
    return found


def _damaged(file: Path, why: str) -> str:
    return f"The weights in {file} can't be loaded, {why}: copy or download the file again."
