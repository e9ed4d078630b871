"""From a name to a model's files on this disk, and to the identity of its space.

No torch here: a run that finds nothing to encode must not wait for it. Every model is a folder: huggingface_hub caches
repositories as folders, and open_clip and timm both read `local-dir:`. A bare path to a weights file would silently get
default preprocessing; it is refused.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sightline.models.configuration import OPEN_CLIP_CONFIG, read_configuration
from sightline.models.offline import is_offline
from sightline.models.preprocess import Preprocess
from sightline.models.presets import DEMO, DEMO_MODEL, PRESETS
from sightline.models.weight_files import find_weights, stored_tensors
from store.errors import SpaceError
from store.tables.writer import SpaceIdentity

log = logging.getLogger(__name__)

LOCAL, HUB = "local-dir:", "hf-hub:"
# Only what loading needs; a repository may hold the same weights in three formats, pickles among them.
HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose files are here.

    Attributes:
        spec: the name it was asked for by, in full; asking for it again finds it again.
        folder: holds its configuration and weights.
        library: which one reads the folder.
        weights: a hub repository's commit, or the SHA-256 of the weights file and configuration.
        preprocess: the model's own.
        dim: numbers in a vector.
        has_text: whether words can be turned into vectors.
    """

    spec: str
    folder: Path
    library: Literal["open_clip", "timm"]
    weights: str
    preprocess: Preprocess
    dim: int
    has_text: bool

    @property
    def name(self) -> str:
        """A short name for people: the preset's, or the last part of the spec."""
        return self.spec if self.spec in PRESETS else self.spec.rstrip("/").rsplit("/", 1)[-1]

    def identity(self) -> SpaceIdentity:
        """The identity of this model's space: weights and preprocessing, never the folder that they lie in."""
        preprocess = self.preprocess.to_json()
        digest = hashlib.sha256(f"{self.weights}\n{preprocess}".encode()).hexdigest()
        return SpaceIdentity(
            digest[:32], self.name, self.spec, self.weights, preprocess, self.dim, self.has_text
        )  # 128 bits: no two spaces of one library share a key by chance


def resolve(spec: str, *, offline: bool = False) -> Model:
    """Find a model's files: a preset, `model/tag` of open_clip, `local-dir:PATH`, `hf-hub:ORG/NAME`.

    Files that are not here yet are downloaded once, unless `offline` or HF_HUB_OFFLINE says not to.

    Raises:
        SpaceError: the name is unknown, the folder holds no model, or the files are neither here nor downloadable.
    """
    spec = spec.strip()
    if spec == DEMO:
        return _from_folder(spec, DEMO_MODEL)
    if spec.startswith(LOCAL):
        folder = Path(spec.removeprefix(LOCAL)).expanduser().absolute()
        return _from_folder(f"{LOCAL}{folder}", folder)
    if spec.startswith(HUB):
        repository = spec.removeprefix(HUB)
        return _from_hub(spec, repository, offline=offline)
    model = PRESETS[spec].model if spec in PRESETS else spec
    return _from_hub(spec, _repository(model), offline=offline)


def _repository(model: str) -> str:
    """The hub repository of an open_clip `model/tag`."""
    looks_like_path = model.startswith((".", "/", "~")) or model.endswith((".safetensors", ".bin", ".pt", ".pth"))
    if looks_like_path or Path(model).exists():
        raise SpaceError(
            f"{model!r} is a path. Weights alone do not say how pictures are prepared for them: put them in a folder "
            f"with the model's {OPEN_CLIP_CONFIG} and say --space {LOCAL}FOLDER"
        )
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    name, _, tag = model.partition("/")
    tags = list_pretrained_tags_by_model(name)
    if not tags:
        raise SpaceError(
            f"There is no model named {model!r}. Presets: {', '.join(PRESETS)}. Others are named MODEL/TAG as "
            f"open_clip lists them, {LOCAL}FOLDER or {HUB}ORG/NAME."
        )
    if tag not in tags:
        raise SpaceError(f"open_clip's model {name} has no weights {tag!r}; it has {', '.join(tags)}.")
    hub = str(get_pretrained_cfg(name, tag).get("hf_hub", ""))
    if not hub.endswith("/"):
        raise SpaceError(
            f"The weights {model} are published without the model's configuration. Choose others of "
            f"{', '.join(tags)}, or put them in a folder with an {OPEN_CLIP_CONFIG} and say --space {LOCAL}FOLDER"
        )
    return hub.rstrip("/")


def _from_hub(spec: str, repository: str, *, offline: bool) -> Model:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repository)
        valid = repository.count("/") == 1
    except HFValidationError:
        valid = False
    if not valid:
        raise SpaceError(f"{spec!r} does not name a hub repository; say {HUB}ORG/NAME")
    offline = offline or is_offline()
    try:
        # Weights that are here are used as they are: no network once they are cached, and no surprise revision.
        folder = Path(snapshot_download(repository, allow_patterns=HUB_FILES, local_files_only=True))
        if _is_whole(folder):
            return _from_folder(spec, folder, weights=f"{repository}@{folder.name}")
        reason = "its download was interrupted"
    except LocalEntryNotFoundError:
        reason = "its weights are not on this computer"
    if offline:
        raise SpaceError(_unreachable(spec, repository, f"{reason}, and offline was asked for"))
    log.info("downloading the weights of %s from the hub, once", repository)
    try:
        folder = Path(snapshot_download(repository, allow_patterns=HUB_FILES))
    except HfHubHTTPError as error:
        answer = error.response.status_code if error.response is not None else "no answer"
        raise SpaceError(_unreachable(spec, repository, f"{reason}, and the hub refused it ({answer})")) from error
    except (OSError, LocalEntryNotFoundError) as error:
        raise SpaceError(_unreachable(spec, repository, f"{reason}, and the hub can't be reached")) from error
    return _from_folder(spec, folder, weights=f"{repository}@{folder.name}")


def _is_whole(folder: Path) -> bool:
    """Whether a download left weights, all shards of them, and a configuration."""
    try:
        return bool(find_weights(folder) and read_configuration(folder))
    except SpaceError:
        return False


def _unreachable(spec: str, repository: str, reason: str) -> str:
    return (
        f"The model {spec!r} can't be loaded: {reason}. Three ways out: connect once and run again (it downloads "
        f"{repository}); say --space {LOCAL}FOLDER with a folder that holds the model; or say --space {DEMO} to try "
        "Sightline with the small model it ships."
    )


def _from_folder(spec: str, folder: Path, *, weights: str | None = None) -> Model:
    if not folder.is_dir():
        raise SpaceError(f"There is no folder {folder} (from --space {spec}).")
    files = find_weights(folder)
    config, (library, preprocess, dim, has_text) = read_configuration(folder)
    stored_tensors(files)  # damaged files are told before anything else is done
    return Model(spec, folder, library, weights or _fingerprint(*files, config), preprocess, dim, has_text)


def _fingerprint(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"
