"""Where the files of a text tower and of a tokenizer lie, whatever name a configuration gives them.

open_clip's text towers of transformers, and its tokenizers, are named by a hub repository, by a path, or by ".". Where
the files lie in the model's own folder or in the hub cache, nothing of that needs a network: the names are replaced in
memory by the folder that was found. No torch here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

from sightline.models import hub
from sightline.models.configuration import OPEN_CLIP_CONFIG, load_json
from store.errors import SpaceError

# What open_clip 3.3 knows how to build a text tower of (open_clip/hf_configs.py).
TOWERS: Final = ("bert", "m2m_100", "mt5", "roberta", "xlm-roberta")
TOWER_CONFIG: Final = "config.json"
# One of these is enough; the first that is there is the one that is read.
VOCABULARIES: Final = (
    "tokenizer.json", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "vocab.json", "vocab.txt",
)  # fmt: skip
# What is read beside it.
BESIDE: Final = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt")
FILES: Final = [TOWER_CONFIG, *VOCABULARIES, *BESIDE]
"""What is downloaded of a repository that only lends its text tower's configuration or its tokenizer."""


class MissingTextFilesError(SpaceError):
    """A text tower's configuration or a tokenizer is nowhere on this computer.

    Attributes:
        repository: of the hub, that the model's configuration names for it; None where it names none.
    """

    def __init__(self, message: str, repository: str | None) -> None:
        super().__init__(message)
        self.repository = repository


@dataclass(frozen=True, slots=True)
class TextFiles:
    """Folders on this disk.

    Attributes:
        tower: holds the configuration of a transformers text tower; None where open_clip builds its own.
        tokenizer: holds the tokenizer's files; None where open_clip's built-in one is used.
    """

    tower: Path | None = None
    tokenizer: Path | None = None


def find_text_files(folder: Path, config: Mapping[str, Any]) -> Iterator[TextFiles]:
    """Find what the `model_cfg` of a model in `folder` names: each way to have it, likeliest first.

    Looked for in the folder itself, at the path that is named, in its subfolders, and in the hub cache, in this order.

    Raises:
        MissingTextFilesError: it is at none of these places.
    """
    text = config.get("text_cfg") or {}
    tower = f"the configuration of its text tower ({TOWER_CONFIG})"
    tokenizer = f"its tokenizer (such as {VOCABULARIES[0]})"
    towers = _folders(folder, text.get("hf_model_name"), _holds_tower, tower)
    tokenizers = _folders(folder, text.get("hf_tokenizer_name"), _holds_tokenizer, tokenizer)
    yield from (TextFiles(*pair) for pair in product(towers, tokenizers))


def _folders(folder: Path, name: Any, holds: Callable[[Path], bool], what: str) -> Sequence[Path | None]:
    """Every folder that holds what a configuration names; `[None]` where it names nothing."""
    if not name:
        return [None]
    if found := [place for place in dict.fromkeys(_places(folder, str(name))) if holds(place)]:
        return found
    repository = hub.repository_named(str(name))
    source = f"of the hub repository {repository} " if repository else ""
    raise MissingTextFilesError(
        f"The model in {folder} lacks {what}: put the files {source}into that folder"
        + (", or connect once and run again (they are downloaded)." if repository else "."),
        repository,
    )


def _places(folder: Path, name: str) -> Iterator[Path]:
    """Where the files of a tower or tokenizer of this name may lie."""
    yield folder
    with suppress(RuntimeError):  # "~nobody"
        yield folder / Path(name).expanduser()
    yield folder / Path(name).name
    yield from sorted(inner for inner in folder.iterdir() if inner.is_dir())
    if repository := hub.repository_named(name):
        yield from hub.snapshots(hub.Repository(repository))


def _holds_tower(folder: Path) -> bool:
    try:
        config = json.loads((folder / TOWER_CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("model_type") in TOWERS


def _holds_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in VOCABULARIES)


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of a folder that its tokenizer is read from: one vocabulary, and what lies beside it."""
    vocabulary = next(folder / name for name in VOCABULARIES if (folder / name).is_file())
    return [vocabulary, *(folder / name for name in BESIDE if (folder / name).is_file())]


def configuration_of(folder: Path, text: TextFiles) -> dict[str, Any]:
    """The `model_cfg` of a model in a folder; text tower and tokenizer are named by local folders.

    A copy: nothing is written. `open_clip.model.CustomTextCLIP(**configuration)` then reaches for no network.
    """
    config: dict[str, Any] = load_json(folder / OPEN_CLIP_CONFIG)["model_cfg"]
    settings = config.get("text_cfg") or {}
    if text.tower is not None:
        settings["hf_model_name"] = str(text.tower)
    if text.tokenizer is not None:
        settings["hf_tokenizer_name"] = str(text.tokenizer)
    return config


def tokenizer_of(folder: Path, text: TextFiles) -> Any:
    """Load the tokenizer of a model in a folder, as `open_clip.get_tokenizer` would, without a network.

    Raises:
        SpaceError: its files can't be read.
    """
    from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer, SimpleTokenizer

    settings = configuration_of(folder, text).get("text_cfg") or {}
    length = settings.get("context_length", DEFAULT_CONTEXT_LENGTH)
    options = dict(settings.get("tokenizer_kwargs") or {})
    if options.pop("trust_remote_code", False):
        raise SpaceError(_runs_a_program(folder))
    if text.tokenizer is None:
        return SimpleTokenizer(context_length=length, **options)
    mode = settings.get("tokenizer_mode")
    try:
        # Said, else transformers asks for leave on the terminal.
        own = {"tokenizer_mode": mode, "trust_remote_code": False}
        return HFTokenizer(str(text.tokenizer), context_length=length, **own, **options)
    except Exception as error:  # whatever transformers raises: its messages run over many lines
        if "trust_remote_code" in str(error):
            raise SpaceError(_runs_a_program(text.tokenizer)) from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise SpaceError(f"The tokenizer in {text.tokenizer} can't be read: {reason}") from error


def _runs_a_program(folder: Path) -> str:
    return f"The tokenizer of the model in {folder} asks to run a program of its own; that is refused."
