"""What a space is, by content: a digest of weights, network, preparation of pictures and tokenizer.

No path, no name and no date goes into it: a folder that moved, a snapshot of the hub and a copy of it are one space.
No torch here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from sightline.models.cache_folder import cache_folder, read_object, write_object
from sightline.models.changes import Changes
from sightline.models.preprocess import Preprocess
from sightline.models.text_files import TOWER_CONFIG, TextFiles, tokenizer_files

# Names of files and settings of the moment: they change nothing of what a network computes.
_NAMES: Final = frozenset({"hf_model_name", "hf_tokenizer_name", "hf_model_pretrained", "timm_model_pretrained"})
_OF_THE_MOMENT: Final = frozenset({
    "architectures", "auto_map", "dtype", "name_or_path", "torch_dtype", "tokenizer_file", "transformers_version",
    "special_tokens_map_file", "use_cache",
})  # fmt: skip
_BUILT_IN: Final = "open_clip SimpleTokenizer"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# Smaller files are read each time; more digests than anybody has models are not kept.
_WORTH_KEEPING: Final = 1_000_000
_KEPT: Final = 256
# Seconds: a file that was written just now may be written again without a change of its time.
_SETTLED: Final = 3


def fingerprint(
    library: Literal["open_clip", "timm"],
    config: Mapping[str, Any],
    weights: Sequence[Path],
    preprocess: Preprocess,
    text: TextFiles,
    changes: Changes,
) -> str:
    """The SHA-256 of all that decides about the vectors of a model, in hexadecimal.

    Args:
        library: which one reads the model.
        config: the whole of its configuration.
        weights: the files that are loaded; in any order, under any names.
        preprocess: how pictures are prepared for it.
        text: where the files of its text tower and tokenizer lie.
        changes: what is other than it was published.
    """
    network = _open_clip(config, text) if library == "open_clip" else _timm(config)
    told: dict[str, Any] = {
        "weights": sorted(file_digest(file).hex() for file in weights),
        "network": network,
        "preprocess": json.loads(preprocess.to_json()),
        "tokenizer": _tokenizer(text) if library == "open_clip" else None,
    }
    if changes:
        told["changes"] = str(changes)
    return hashlib.sha256(_canonical(told)).hexdigest()


def _open_clip(config: Mapping[str, Any], text: TextFiles) -> dict[str, Any]:
    model = dict(config["model_cfg"])
    for part in ("vision_cfg", "text_cfg"):
        model[part] = {name: value for name, value in (model.get(part) or {}).items() if name not in _NAMES}
    if text.tower is not None:
        model["tower"] = _settings(text.tower / TOWER_CONFIG)
    return model


def _timm(config: Mapping[str, Any]) -> dict[str, Any]:
    # What follows the dot names the weights, which are told apart by their content.
    architecture = str(config["architecture"]).partition(".")[0]
    return {"architecture": architecture, "arguments": config.get("model_args") or {}}


def _tokenizer(text: TextFiles) -> Any:
    if text.tokenizer is None:
        return _BUILT_IN
    vocabulary, *beside = tokenizer_files(text.tokenizer)
    told: dict[str, Any] = {vocabulary.name: file_digest(vocabulary).hex()}
    for file in beside:
        told[file.name] = _settings(file) if file.suffix == ".json" else file_digest(file).hex()
    return told


def _settings(file: Path) -> Any:
    """A JSON file without what is of the moment; its digest where it is no JSON object."""
    try:
        config = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        return file_digest(file).hex()
    return {key: value for key, value in config.items() if key not in _OF_THE_MOMENT and not key.startswith("_")}


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def file_digest(file: Path) -> bytes:
    """The SHA-256 of a file; of a large one it is kept, or read from its name in the hub's cache."""
    real = file.resolve()
    # A file of the hub's cache is a link to a blob; large ones are named by the SHA-256 that the hub has of them.
    if real != file and real.parent.name == "blobs" and _SHA256.fullmatch(real.name):
        return bytes.fromhex(real.name)
    status = real.stat()
    state = _state(status)
    worth_it = status.st_size >= _WORTH_KEEPING
    if worth_it:
        kept = _read_kept().get(str(real))
        if kept is not None and kept[:-1] == state:
            return bytes.fromhex(str(kept[-1]))
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").digest()
    settled = time.time() - max(status.st_mtime, status.st_ctime) > _SETTLED
    if worth_it and settled and _state(real.stat()) == state:
        _keep(str(real), [*state, digest.hex()])
    return digest


def _state(status: os.stat_result) -> list[int]:
    """What changes with the bytes of a file.

    Copying another version over it may keep its size, inode and time (`cp --preserve`, archives that give all files one
    date), but not the time of its last change of any kind.
    """
    return [status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns]


def _kept_in() -> Path:
    return cache_folder() / "digests.cache"


def _read_kept() -> dict[str, list[Any]]:
    """Size, times, inode and digest of files by path; nothing of a file that is damaged or not ours."""
    return {
        path: entry
        for path, entry in read_object(_kept_in()).items()
        if isinstance(entry, list) and len(entry) == 5 and _SHA256.fullmatch(str(entry[-1]))
    }


def _keep(path: str, entry: list[Any]) -> None:
    kept = _read_kept()
    kept.pop(path, None)
    kept[path] = entry
    write_object(_kept_in(), dict(list(kept.items())[-_KEPT:]))  # a cache: hashed again where it can't be kept
