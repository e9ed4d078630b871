"""Files that are being read, handed out in the order of the walk.

Others go before one that takes long.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indexer.options import OnRay
from indexer.progress_writer import ProgressWriter
from indexer.scanner import Task
from store.library import Library
from store.remote import has_library

if TYPE_CHECKING:
    from indexer.file_reader import FileReader, ReadResult
    from sightline.images.gpu_jpeg import GpuJpegDecoder
    from sightline.images.workers import Workers
    from sightline.models.preprocess import Preprocess
    from sightline.models.resolve import Model

# Seconds after which others go before a file that is still being read: what they gave can be committed meanwhile.
SLOW: Final = 1.0


class ReadAhead:
    """Reads files by threads, which wait for worker processes; one thread takes the results."""

    def __init__(
        self, library: Library, threads: int, gpu: GpuJpegDecoder | None, file_seconds: float | None,
        progress: ProgressWriter, workers: Workers | None,
    ) -> None:  # fmt: skip
        """Get ready; nothing starts before the first file, and `prepare` comes before that.

        Arguments as of `FileReader` and `Options`; `workers` if they are started already.
        """
        self._library = library
        self._preprocess: Mapping[int, Preprocess] = {}
        self._grids: Mapping[int, int] = {}
        self._threads = threads
        self._gpu = gpu
        self._file_seconds = file_seconds
        self._progress = progress
        self._reader: FileReader | None = None
        self._workers = workers
        self._window: deque[Future[ReadResult]] = deque()
        self._head_since = 0.0

    def __len__(self) -> int:
        return len(self._window)

    @property
    def waits_for(self) -> str:
        return "decode"

    def prepare(self, models: Mapping[int, Model], grids: Mapping[int, int]) -> None:
        """Take in the models of the run, and the grids of those that have tiles, by the id of the space."""
        self._preprocess = {space_id: model.preprocess for space_id, model in models.items()}
        self._grids = grids

    def most(self, batch: int) -> int:
        """How many files are to be submitted at once: two batches, and those of the threads."""
        return 2 * (batch + self._threads)

    def submit(self, task: Task) -> None:
        """Have a file read, after those before it."""
        if not self._window:
            self._head_since = time.monotonic()
        self._window.append(self._started().submit(task))

    def take(self) -> ReadResult | None:
        """The next file that was read, of at least one; None where that takes longer than `SLOW`.

        Raises:
            LibraryError: the library's disk is full or read-only.
            WorkerError: files can't be read here.
        """
        window, head = self._window, self._window[0]
        if not head.done():
            wait([head], max(0.0, self._head_since + SLOW - time.monotonic()))
        done = head if head.done() else next((read for read in window if read.done()), None)
        if done is None:
            wait(window, SLOW, FIRST_COMPLETED)
            done = next((read for read in window if read.done()), None)
        if done is None:
            return None
        if done is head:
            window.popleft()
            self._head_since = time.monotonic()
        else:
            window.remove(done)
        return done.result()

    def clear(self) -> None:
        """Forget what is being read."""
        self._window.clear()

    def is_in_flight(self, content_hash: bytes) -> bool:
        """Whether a content is being worked on."""
        return self._reader is not None and content_hash in self._reader.in_flight

    def settle(self, content_hash: bytes) -> None:
        """Note that a content is committed, or has failed: another file with it may be read."""
        if self._reader is not None:
            self._reader.in_flight.remove(content_hash)

    def close(self) -> None:
        """End what is being read."""
        if self._reader is not None:
            self._reader.close()
        elif self._workers is not None:
            self._workers.close()

    def _started(self) -> FileReader:
        # With the first file to read: a run without work starts no processes.
        if self._reader is None:
            self._progress.enter("loading")
            with self._progress.waiting("load"):
                # They start beside the imports of this process.
                workers = self._workers or start_workers(self._threads, self._file_seconds)
                from indexer.file_reader import FileReader

            library = self._library
            self._reader = FileReader(
                library.catalog, library.thumbnails, self._preprocess, workers, self._threads, self._gpu, self._grids
            )
            self._progress.enter("indexing")
        return self._reader


def threads_of(gpu: GpuJpegDecoder | None, workers: int | None) -> int:
    """How many files are read at once, by the options of a run."""
    return gpu.threads if gpu is not None else workers or os.cpu_count() or 1


def start_workers(threads: int, file_seconds: float | None) -> Workers:
    """Start the processes that read, for so many threads; a quarter of a second later they are there."""
    from sightline.images.budget import PixelBudget
    from sightline.images.limits import FILES, PIXELS_AT_ONCE, within
    from sightline.images.workers import Workers

    limits = FILES if file_seconds is None else within(file_seconds)
    return Workers(threads, limits, PixelBudget(PIXELS_AT_ONCE * threads))


@contextmanager
def started_early(
    library: Path, threads: int, file_seconds: float | None, on: OnRay | None = None
) -> Iterator[Workers | None]:
    """The workers of a library that is yet to be made: they start beside the model that is tried first.

    None of one that is there, which may have nothing to read, and none where files are read elsewhere.
    """
    if on is not None or has_library(library):
        yield None
        return
    with closing(start_workers(threads, file_seconds)) as workers:
        yield workers
