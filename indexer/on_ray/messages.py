"""What a run and its workers tell each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.file_reader import ReadResult
    from indexer.scanner import Task
    from store.arrays import Floats


class WorkerProblem(Exception):
    """A worker can't go on. Its text is a sentence without the worker's name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker works by.

    Attributes:
        version: of Sightline, which the worker must have, too.
        spaces: the name of each model and the key of its space, by the id of the space.
        grids: of the spaces that have tiles.
        device: where models run, as `Options.device`; on a CPU one that no GPU was given to.
        precision: as `Options.precision`.
        batch_size: as `Options.batch_size`.
        cpus: cores of this worker.
        readers: how many files are read at once.
        file_seconds: as `Options.file_seconds`.
        offline: whether models may not be downloaded.
    """

    version: str
    spaces: Mapping[int, tuple[str, str]]
    grids: Mapping[int, int]
    device: str
    precision: str
    batch_size: int | None
    cpus: int
    readers: int
    file_seconds: float | None
    offline: bool


@dataclass(frozen=True, slots=True)
class Hello:
    """Who a worker is: the name of its machine, and its process."""

    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class Job:
    """A file to read.

    Attributes:
        number: of the job, for answers and results.
        task: the file.
        old_hash: the hash of the content that it had, where only its header may have to be read.
        old_shape: width, height and orientation of that.
    """

    number: int
    task: Task
    old_hash: bytes | None = None
    old_shape: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the run knows of a content that a worker read.

    Attributes:
        is_copy: another file with these bytes is being worked on.
        failed: stage and reason, where a copy of it failed in this run.
        known: its id in the library, and the spaces that have its vector; None where it is new.
        tiled: the spaces that have its tiles.
        shape: its width, height and orientation.
        has_look: whether the library knows what it looks like.
        has_thumbnail: whether it has a thumbnail.
        thumbnail: that, where it is needed to make the look.
    """

    is_copy: bool = False
    failed: tuple[str, str] | None = None
    known: tuple[int, frozenset[int]] | None = None
    tiled: frozenset[int] = frozenset()
    shape: tuple[int, int, int] | None = None
    has_look: bool = False
    has_thumbnail: bool = False
    thumbnail: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a job.

    Attributes:
        number: of the job.
        result: of reading it, without pixels.
        is_encoded: whether it was given to a model.
        vectors: float32 (width,) by the id of the space.
        tiles: of each tile, by the id of the space and its place.
        unfit: names of the models that gave no finite vector.
        thumbnail: a JPEG, where the library lacks it.
    """

    number: int
    result: ReadResult
    is_encoded: bool = False
    vectors: Mapping[int, Floats] = field(default_factory=dict, repr=False)
    tiles: Mapping[int, Mapping[int, Floats]] = field(default_factory=dict, repr=False)
    unfit: tuple[str, ...] = ()
    thumbnail: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class News:
    """What a worker has to say.

    Attributes:
        questions: the hash that was read, by the number of its job.
        made: what is done.
        room: how many more jobs it takes.
        waited: seconds that it waited for what, so far: `decode`, `encode`, `load`.
        is_loading: whether a model is being loaded, made ready or tried.
        problem: why it can't go on, in a sentence; empty where it can.
    """

    questions: Mapping[int, bytes]
    made: tuple[Made, ...]
    room: int
    waited: Mapping[str, float]
    is_loading: bool
    problem: str = ""
