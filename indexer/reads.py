"""What reads the files of a run: threads of this process, or workers of a cluster, which encode, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from indexer.options import Options
from indexer.progress_writer import ProgressWriter
from indexer.read_ahead import ReadAhead, threads_of
from indexer.scanner import Task
from store.library import Library

if TYPE_CHECKING:
    from indexer.batcher import Encoded
    from indexer.file_reader import ReadResult
    from sightline.images.gpu_jpeg import GpuJpegDecoder
    from sightline.images.workers import Workers
    from sightline.models.resolve import Model


class Reads(Protocol):
    """Files that are being read, and handed out when they are."""

    @property
    def waits_for(self) -> str:
        """What who waits for a file waits for: `decode` or `encode`."""

    def __len__(self) -> int: ...

    def prepare(self, models: Mapping[int, Model], grids: Mapping[int, int]) -> None:
        """Take in the models of the run, and the grids of those that have tiles, by the id of the space."""

    def most(self, batch: int) -> int:
        """How many files are to be submitted at once, where a batch of the models has so many."""

    def submit(self, task: Task) -> None:
        """Have a file read, after those before it."""

    def take(self) -> ReadResult | Encoded | None:
        """A file that was read, or also encoded, of at least one; None where that takes longer than a second.

        Raises:
            SightlineError: the run can't go on.
        """

    def clear(self) -> None:
        """Forget what is being read."""

    def is_in_flight(self, content_hash: bytes) -> bool:
        """Whether a content is being worked on."""

    def settle(self, content_hash: bytes) -> None:
        """Note that a content is committed, or has failed: another file with it may be read."""

    def close(self) -> None:
        """End what is being read."""


def open_reads(
    library: Library, options: Options, gpu: GpuJpegDecoder | None, progress: ProgressWriter, workers: Workers | None
) -> Reads:
    """What reads the files of a run by its options; nothing starts before the first file."""
    if options.on is not None:
        from indexer.on_ray.ray_reads import RayReads

        return RayReads(library, options, progress)
    return ReadAhead(library, threads_of(gpu, options.workers), gpu, options.file_seconds, progress, workers)
