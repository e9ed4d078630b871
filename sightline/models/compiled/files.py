"""The folder of a model's compiled towers: written once, as a whole, with a checksum of everything.

It lies in the cache folder, under the identity of the space, the version of OpenVINO and a digest of the processor.
What can't be read, or is not what was written, is not used.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from sightline.models.cache_folder import cache_folder
from sightline.models.compiled.runtime import TowerError, machine, version
from sightline.models.resolve import Model
from sightline.models.weight_files import find_weights
from store.arrays import Floats
from store.checked_files import is_there, sealed, unsealed
from store.files import make_private, writable

log = logging.getLogger(__name__)

# Of what is written here; another number, and all is made again.
_FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_MOST_BYTES: Final = 1_000_000
_AT_ONCE: Final = 1 << 20
# Begins the names of folders that are being written, or thrown away.
_UNFINISHED: Final = ".tmp-"
# After this many seconds nobody is writing any more.
_STALE: Final = 3600
# Models of which that was said.
_said: Final[set[tuple[str, Path]]] = set()
PICTURES: Final = "pictures.blob"
TEXTS: Final = "texts.blob"
ROWS: Final = "rows.bin"


@dataclass(frozen=True, slots=True)
class Part:
    """One compiled tower.

    Attributes:
        precision: that it computes in.
        probe: the vector of a known input, float32 (dim,), in base64.
        seconds: for one picture, or one text.
    """

    precision: str
    probe: str
    seconds: float

    @property
    def vector(self) -> Floats:
        """The vector of the known input."""
        return np.frombuffer(base64.b64decode(self.probe), np.float32)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder holds.

    Attributes:
        dim: numbers in a vector.
        pictures: the tower of pictures; None where it was not exact enough.
        texts: that of texts; None without.
        scale, bias: the model's head; see `Head`.
        context: tokens that it reads.
        causal: whether a text may be cut after its last token.
        rows: type of the embedding in a file of its own, `float16` or `float32`; None where it is in the tower.
        width: numbers in a row of the embedding.
        files: bytes and CRC-32 of every other file but `ROWS`, by name; of that, which is read in part only, each row
            has its own.
    """

    dim: int
    pictures: Part | None = None
    texts: Part | None = None
    scale: float = 0.0
    bias: float | None = None
    context: int = 0
    causal: bool = False
    rows: str | None = None
    width: int = 0
    files: dict[str, tuple[int, int]] | None = None


def place_of(model: Model) -> Path:
    """The folder of a model's compiled towers, for the OpenVINO and the processor here; it need not exist.

    Raises:
        TowerError: OpenVINO does not load.
    """
    release = re.sub(r"[^0-9A-Za-z.]+", "_", version())
    return _home() / f"{_digits(model)}-{release}-{machine()}-{_FORMAT}"


def has_any(model: Model) -> bool:
    """Whether there is any folder of this model, be it of another version; OpenVINO is not asked."""
    try:
        return next(_home().glob(f"{_digits(model)}-*"), None) is not None
    except OSError:
        return False


def _home() -> Path:
    return cache_folder() / "compiled"


def _digits(model: Model) -> str:
    return model.fingerprint[:32]


def read_manifest(folder: Path) -> Manifest | None:
    """What a folder holds; None where there is none, or it is not what was written.

    The sizes of its files are looked at, their bytes are not: see `check_file`.
    """
    try:
        with (folder / _MANIFEST).open("rb") as file:
            told = unsealed(file.read(_MOST_BYTES), folder.name.encode())
        if told is None:
            return None
        values: dict[str, Any] = json.loads(told)
        parts = {kind: None if values[kind] is None else Part(**values.pop(kind)) for kind in ("pictures", "texts")}
        manifest = Manifest(**{**values, **parts})
        for name, (size, _) in (manifest.files or {}).items():
            if (folder / name).stat().st_size != size:
                return None
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return manifest


def check_file(folder: Path, manifest: Manifest, name: str) -> Path:
    """The path of a file, after all of it was compared with its checksum: 3 GB/s.

    Raises:
        TowerError: it is damaged.
    """
    path = folder / name
    if (manifest.files or {}).get(name, (0, 0))[1] != _checksum(path):
        raise TowerError(f"{path} is damaged")
    return path


def _checksum(path: Path) -> int:
    found = 0
    try:
        with path.open("rb", buffering=0) as file:
            block = bytearray(_AT_ONCE)
            view = memoryview(block)
            while count := file.readinto(block):
                found = zlib.crc32(view[:count], found)
    except OSError as error:
        raise TowerError(f"{path} can't be read: {error}") from error
    return found


def write_manifest(folder: Path, manifest: Manifest, name: str) -> None:
    """Write what a folder holds, which will have this name.

    Raises:
        OSError: it can't be written.
    """
    values = asdict(manifest)
    values["files"] = {
        path.name: (path.stat().st_size, 0 if path.name == ROWS else _checksum(path)) for path in folder.iterdir()
    }
    (folder / _MANIFEST).write_bytes(sealed(json.dumps(values, indent=1).encode(), name.encode()))
    for path in folder.iterdir():
        path.chmod(0o600)


@contextmanager
def new_folder(place: Path) -> Iterator[Path]:
    """A folder to write into, that takes its place when all went well, and is removed else.

    One process at a time makes a place: see `lock_of`.

    Raises:
        OSError: the cache folder can't be written.
    """
    home = place.parent
    make_private(home, parents=True)
    _tidy(place)
    made = _unfinished(place)
    made.chmod(0o700)  # whatever the umask
    try:
        yield made
        throw_away(place)
        made.rename(place)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    for other in home.glob(f"{place.name.partition('-')[0]}-*"):
        if other != place and _is_replaced(other, place):
            throw_away(other)


def _is_replaced(other: Path, place: Path) -> bool:
    """Whether a folder of the same model is of another version for the same processor."""
    return other.name.split("-")[-2] == place.name.split("-")[-2]


def lock_of(place: Path) -> Path:
    """The file that is locked by who makes a folder."""
    return place.with_name(f".{place.name}.lock")


def has_room(model: Model) -> bool:
    """Whether the cache folder can be written and has room for a model's towers; says once where not."""
    home = _home()
    there = next(folder for folder in (home, *home.parents) if is_there(folder))
    problem = "" if there.is_dir() and writable(there) else "that folder can't be written"
    with suppress(OSError):
        # They are half as large as weights in float32.
        need = sum(file.stat().st_size for file in find_weights(model.folder))
        free = shutil.disk_usage(there).free
        if not problem and free < need:
            problem = f"{free / 1e6:,.0f} MB are free there, and up to {need / 1e6:,.0f} are needed"
    if problem:
        say_not_kept(model, f"{home}: {problem}")
    return not problem


def say_not_kept(model: Model, problem: str) -> None:
    """Say that the towers of a model can't be kept; once in a process, and for a cache folder."""
    if (model.fingerprint, _home()) not in _said:
        _said.add((model.fingerprint, _home()))
        log.warning(
            "The model %s can't be kept for quick starts (%s): it is loaded whole each time.", model.name, problem
        )


def throw_away(folder: Path) -> None:
    """Remove a folder if it can be; nobody finds half of it meanwhile."""
    with suppress(OSError):
        aside = _unfinished(folder)
        with suppress(OSError):
            folder.rename(aside / folder.name)
        shutil.rmtree(aside, ignore_errors=True)


def _unfinished(place: Path) -> Path:
    """A new folder beside a place, for what is not yet, or no more, in it."""
    return Path(tempfile.mkdtemp(prefix=f"{_UNFINISHED}{place.name}-", dir=place.parent))


def _tidy(place: Path) -> None:
    """Remove what was left by who was killed: of this place all; of others, what is old."""
    for left in place.parent.glob(f"{_UNFINISHED}*"):
        with suppress(OSError):
            # Where the clock went back, an old one is of a time to come.
            if left.name.startswith(f"{_UNFINISHED}{place.name}-") or abs(time.time() - left.stat().st_mtime) > _STALE:
                shutil.rmtree(left, ignore_errors=True)


def encoded(vector: Floats) -> str:
    """A vector for a manifest."""
    return base64.b64encode(np.ascontiguousarray(vector, np.float32).tobytes()).decode()
