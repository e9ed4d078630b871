"""From a name to a model's files on this disk, and to the identity of its space.

No torch here: a run that finds nothing to encode must not wait for it. Every model is a folder: huggingface_hub caches
repositories as folders, and open_clip and timm both read `local-dir:`. A bare path to a weights file would silently get
default preprocessing; it is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from sightline.models import hub
from sightline.models.changes import Changes
from sightline.models.configuration import load_json, read_configuration, timm_settings
from sightline.models.fingerprint import file_digest, fingerprint
from sightline.models.fitting import UnfitError, check_fit, tried
from sightline.models.hub import Repository, UnreachableError
from sightline.models.names import LOCAL, Address, read_name
from sightline.models.offline import is_offline
from sightline.models.preprocess import Preprocess
from sightline.models.presets import DEMO, preset_of
from sightline.models.published import Published
from sightline.models.text_files import FILES, MissingTextFilesError, TextFiles, find_text_files
from sightline.models.timm_sizes import own_pool
from sightline.models.weight_files import PICKLES, find_weights, stored_tensors
from store.errors import SpaceError
from store.tables.space_identity import SpaceIdentity

# Only what loading needs; a repository may hold the same weights in three formats, pickles among them.
HUB_FILES: Final = ["*.json", "*.txt", "*.model", "*.safetensors"]


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose files are here.

    Attributes:
        spec: the name it was asked for by, in full; asking for it again finds it again.
        name: a short name for people.
        folder: holds its configuration and weights.
        library: which one reads the folder.
        weights: a hub repository's commit, `ORG/NAME@COMMIT`, or the SHA-256 of the weights file and configuration.
        preprocess: the model's own, for pictures of the size that it is asked for at.
        dim: numbers in a vector.
        has_text: whether words can be turned into vectors.
        text: where the files of its text tower and tokenizer lie.
        fingerprint: see `sightline.models.fingerprint`.
        former_weights: what `weights` was or would have been in a library that knew no fingerprints.
        changes: what is other than the model was published.
        own_size: height and width of the pictures that it was made for, px.
    """

    spec: str
    name: str
    folder: Path
    library: Literal["open_clip", "timm"]
    weights: str
    preprocess: Preprocess
    dim: int
    has_text: bool
    text: TextFiles
    fingerprint: str
    former_weights: tuple[str, ...]
    changes: Changes
    own_size: tuple[int, int]

    def identity(self) -> SpaceIdentity:
        """The identity of this model's space: what it holds, never the folder that it lies in."""
        preprocess = self.preprocess.to_json()
        former = [hashlib.sha256(f"{weights}\n{preprocess}".encode()).hexdigest() for weights in self.former_weights]
        # 128 bits in each key: no two spaces of one library share one by chance.
        return SpaceIdentity(
            self.fingerprint[:32], self.name, self.spec, self.weights, preprocess, self.dim, self.has_text,
            self.fingerprint, tuple(key[:32] for key in former),
        )  # fmt: skip

    @property
    def published(self) -> Published:
        """The model without its changes."""
        return Published(self.library, self.folder, self.text, self.own_size)

    def remark(self) -> str:
        """What is to be known before pictures are encoded at another size than a model's own; nothing at that.

        Nor at the size of its preset: that was chosen as one that its makers measured.
        """
        preset = preset_of(self.spec)
        if self.changes.size in (None, None if preset is None else preset.changes.size):
            return ""
        high, wide = self.own_size
        trained = f"{high}" if high == wide else f"{high} x {wide}"
        work = tried(self.published, self.changes).work
        return (
            f"{self.name} looks at {self.changes.size} px and was trained at {trained}: quality may fall. "
            f"A picture takes {work:.2g} times the work."
        )


def resolve(spec: str, *, offline: bool = False) -> Model:
    """Find a model's files: a preset, `model/tag`, `local-dir:PATH`, `hf-hub:ORG/NAME[@REVISION]`.

    Each may have `;size=PX` and `;pool=NAME` at its end.

    Files that are not here yet are downloaded once, unless `offline` or HF_HUB_OFFLINE says not to.

    Raises:
        SpaceError: the name is unknown, the folder holds no model, or the files are neither here nor downloadable.
    """
    return resolve_address(read_name(spec), offline=offline)


def resolve_address(address: Address, *, offline: bool = False) -> Model:
    """Find the files of the model at an address; see `resolve`."""
    offline = offline or is_offline()
    fetched: set[Repository] = set()
    while True:
        problems: list[SpaceError] = []
        if model := next(models_here(address, problems), None):
            return model
        _fetch(address, problems, fetched, offline=offline)


def models_here(address: Address, problems: list[SpaceError]) -> Iterator[Model]:
    """Yield the models that this disk holds at an address; mostly one, the first is the one that is meant.

    Of a repository the hub's cache may hold several commits; of a text tower's files, too. What is there and can't be
    loaded is added to `problems`.

    Raises:
        UnfitError: the model can't have the changes that are asked of it.
    """
    place = address.place
    folders = [place] if isinstance(place, Path) else hub.snapshots(place)
    for folder in folders:
        try:
            yield from _models_in(address, folder)
        except UnfitError:
            raise
        except SpaceError as error:
            problems.append(error)


def _fetch(address: Address, problems: list[SpaceError], fetched: set[Repository], *, offline: bool) -> None:
    """Download what an address lacks; or raise, where that was done already or can't be."""
    repository = address.place if isinstance(address.place, Repository) else None
    text = next((error.repository for error in problems if isinstance(error, MissingTextFilesError)), None)
    if text is not None and (repository is None or text != repository.name):
        wanted, patterns = Repository(text), FILES
    elif repository is not None:
        wanted, patterns = repository, HUB_FILES
    else:
        raise problems[0]
    if wanted in fetched:
        raise _unusable(address, wanted, problems)
    if hub.is_interrupted(wanted):
        reason = "its download was interrupted"
    else:
        reason = str(problems[0]).rstrip(".") if problems else "its weights are not on this computer"
    if offline:
        raise SpaceError(_unreachable(address.spec, wanted, f"{reason}, and offline was asked for"))
    fetched.add(wanted)
    try:
        hub.download(wanted, patterns)
    except UnreachableError as error:
        raise SpaceError(_unreachable(address.spec, wanted, f"{reason}, and {error}")) from error


def _unusable(address: Address, repository: Repository, problems: list[SpaceError]) -> SpaceError:
    """Say why what was downloaded is no model."""
    files = hub.files_of(repository)
    pickles = [name for name in files if name.endswith(PICKLES)]
    if pickles and not any(name.endswith(".safetensors") for name in files):
        return SpaceError(
            f"The model {address.spec!r} can't be loaded: {repository} publishes its weights as a pickle only "
            f"({pickles[0]}), which can run programs when it is opened. Choose another model, or convert the file to "
            f"safetensors where that can do no harm, put it in a folder with the other files of {repository}, and say "
            f"--space {LOCAL}FOLDER"
        )
    if problems:
        return problems[0]
    return SpaceError(f"The model {address.spec!r} can't be loaded: {repository} holds no model.")


def _unreachable(spec: str, repository: Repository, reason: str) -> str:
    return (
        f"The model {spec!r} can't be loaded: {reason}. Three ways out: connect once and run again (it downloads "
        f"{repository}); say --space {LOCAL}FOLDER with a folder that holds the model; or say --space {DEMO} to try "
        "Sightline with the small model it ships."
    )


def _meant(address: Address) -> str:
    """Which folder is there, where the end of its name was read as changes; nothing where none is."""
    written = address.spec.removeprefix(LOCAL)
    if not address.spec.startswith(LOCAL) or not Path(written).is_dir():
        return ""
    return f" The folder {written} is there: with a slash behind it, {LOCAL}{written}/ is that one."


def _models_in(address: Address, folder: Path) -> Iterator[Model]:
    """The model in a folder, with each of the text files that it may be meant to have."""
    if not folder.is_dir():
        raise SpaceError(f"There is no folder {folder}.{_meant(address)}")
    files = find_weights(folder)
    config_file, (library, preprocess, dim, has_text) = read_configuration(folder)
    stored_tensors(files)  # damaged files are told before anything else is done
    config = load_json(config_file)
    address, preprocess, own_size = _changed(address, library, config, preprocess)
    weights, *others = _former_weights(folder, files, config_file)
    former = () if address.changes else (weights, *others)  # nothing was changed of models then
    ways = find_text_files(folder, config["model_cfg"]) if library == "open_clip" else [TextFiles()]
    for text in ways:
        told = fingerprint(library, config, files, preprocess, text, address.changes)
        model = Model(
            address.spec, address.name, folder, library, weights, preprocess, dim, has_text, text, told, former,
            address.changes, own_size,
        )  # fmt: skip
        check_fit(model.published, model.changes, model.spec)
        yield model


def _changed(
    address: Address, library: Literal["open_clip", "timm"], config: dict[str, Any], preprocess: Preprocess
) -> tuple[Address, Preprocess, tuple[int, int]]:
    """The address without changes that change nothing, its preparation of pictures, the own size."""
    own_size = preprocess.size
    if not address.changes:
        return address, preprocess, own_size
    square = own_size[0] if own_size[0] == own_size[1] else None
    pool = None
    if address.changes.pool is not None:
        if library == "open_clip":
            raise UnfitError(f"{address.spec} asks for another pooling. That can be changed of timm's models only.")
        pool = own_pool(config, timm_settings(config))
    address = address.plain(Changes(square, pool))
    if address.changes.size is not None:
        preprocess = replace(preprocess, size=(address.changes.size, address.changes.size))
    return address, preprocess, own_size


def _former_weights(folder: Path, files: Sequence[Path], config: Path) -> tuple[str, ...]:
    """What the weights of a folder were called before fingerprints: by its commit, by its two files.

    Weights in several files were not read whole then: no space of that time is one of these.
    """
    digests = b"".join(file_digest(file) for file in (*files, config))
    named = f"sha256:{hashlib.sha256(digests).hexdigest()}"
    commit = hub.commit_of(folder)
    return (named,) if commit is None else (commit, named)
