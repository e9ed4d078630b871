"""Reads files far from the library: what the library has is asked of the run, a file at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, cast

from indexer.file_reader import FileReader, ReadResult
from indexer.on_ray.messages import Answer, Job
from sightline.images.look import Look, look_of_thumbnail
from store.tables.writer import Failed, File

if TYPE_CHECKING:
    from indexer.fetching import Fetched
    from indexer.scanner import Task
    from sightline.images.reader import Reader
    from sightline.images.workers import Workers
    from sightline.models.preprocess import Preprocess
    from store.images.thumbnails import Thumbnails
    from store.tables.catalog import Catalog


class _AtHand(threading.local):
    """The job of a thread, what the run said of its content, and the thumbnail that was made."""

    job: Job
    answer: Answer
    thumbnail: bytes | None = None


class _Told:
    """Stands for the catalog: says what the run said of the file at hand."""

    def __init__(self, at_hand: _AtHand) -> None:
        self._at_hand = at_hand

    def hash_of(self, _content_id: int) -> bytes | None:
        return self._at_hand.job.old_hash

    def content_by_hash(self, _digest: bytes, _space_ids: object) -> tuple[int, frozenset[int]] | None:
        return self._at_hand.answer.known

    def shape_of(self, content_id: int) -> tuple[int, int, int] | None:
        known = self._at_hand.answer.known
        return self._at_hand.answer.shape if known and known[0] == content_id else self._at_hand.job.old_shape


class AskingReader(FileReader):
    """Reads files; where the library is not at hand it asks, and keeps thumbnails to be sent."""

    def __init__(
        self, preprocess: Mapping[int, Preprocess], workers: Workers, threads: int, grids: Mapping[int, int],
        ask: Callable[[int, bytes], Answer],
    ) -> None:  # fmt: skip
        """Start the threads: arguments as of `FileReader`.

        `ask` answers for the number of a job and the hash of its file, when the answer is there.
        """
        self._at_hand = _AtHand()
        self._ask = ask
        told = cast("Catalog", _Told(self._at_hand))
        super().__init__(told, cast("Thumbnails", None), preprocess, workers, threads, grids=grids)

    def read(self, job: Job) -> Future[tuple[ReadResult, bytes | None]]:
        """Have a file read as soon as a thread is free: the result, and a thumbnail if one was made."""
        return self._pool.submit(self._read_job, job, self._fetching(job.task))

    def _read_job(self, job: Job, fetching: Future[Fetched] | None) -> tuple[ReadResult, bytes | None]:
        at_hand = self._at_hand
        at_hand.job, at_hand.answer, at_hand.thumbnail = job, Answer(), None
        return self._read_wherever(job.task, fetching), at_hand.thumbnail

    def _read_content(self, task: Task, file: File, reader: Reader, digest: bytes) -> ReadResult:
        answer = self._at_hand.answer = self._ask(self._at_hand.job.number, digest)
        if answer.failed is not None:
            return ReadResult(task, file, digest, failed=Failed(file, *answer.failed))
        if answer.is_copy:
            return ReadResult(task, file, digest, duplicate_in_flight=True)
        return self._read_first(task, file, reader, digest)

    def _tiled(self, content_id: int) -> frozenset[int]:
        return self._at_hand.answer.tiled

    def _has_thumbnail(self, digest: bytes) -> bool:
        return self._at_hand.answer.has_thumbnail

    def _write_thumbnail(self, digest: bytes, data: bytes) -> None:
        self._at_hand.thumbnail = data

    def _look_due(self, content_id: int | None, digest: bytes) -> Look | None:
        answer = self._at_hand.answer
        if content_id is None or answer.has_look or answer.thumbnail is None:
            return None
        return look_of_thumbnail(answer.thumbnail)
