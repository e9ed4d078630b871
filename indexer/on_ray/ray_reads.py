"""Files of a run that are read and encoded by workers of a Ray cluster, for the pipeline."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from indexer.batcher import Encoded
from indexer.file_reader import InFlight, ReadResult
from indexer.on_ray.cluster import Cluster
from indexer.on_ray.crew import Crew
from indexer.on_ray.errors import RayError
from indexer.on_ray.messages import Answer, Job, Made, Plan
from indexer.options import Options
from indexer.places import looks_of
from indexer.progress_writer import ProgressWriter
from indexer.scanner import Task
from sightline.models.resolve import Model
from store.addresses import is_address
from store.disk_errors import disk_sentence
from store.errors import LibraryError, SpaceError
from store.library import Library
from store.paths import display, to_bytes, to_path
from store.tables.looks import has_look
from store.tables.tiles import tiled_among

log = logging.getLogger(__name__)

# Seconds after which the pipeline is told that nothing came, to commit what it has; fewer while workers start.
_SLOW: Final = 1.0
# Files for each worker that are submitted at once: as many as it may have, and as many again that wait for it.
_EACH: Final = 512


class RayReads:
    """Reads and encodes on a cluster; see `indexer.reads.Reads`."""

    def __init__(self, library: Library, options: Options, progress: ProgressWriter) -> None:
        """Get ready; nothing starts before the first file."""
        assert options.on is not None
        self._library = library
        self._options = options
        self._on = options.on
        self._progress = progress
        self._models: Mapping[int, Model] = {}
        self._grids: Mapping[int, int] = {}
        self._cluster: Cluster | None = None
        self._crew: Crew | None = None
        self._workers = 1
        self._number = 0
        self._jobs: dict[int, Job] = {}
        self._granted: dict[int, bytes] = {}  # by job: contents that are its to make
        self._failed: dict[bytes, tuple[str, str]] = {}  # stage and reason, by what the bytes are to blame for
        self._in_flight = InFlight()

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def waits_for(self) -> str:
        """What most of the workers wait for."""
        if self._crew is None or self._crew.is_loading:
            return "load"
        waited = self._crew.waited
        return "encode" if waited["encode"] >= waited["decode"] else "decode"

    def prepare(self, models: Mapping[int, Model], grids: Mapping[int, int]) -> None:
        """Take in the models of the run, and the grids of those that have tiles, by the id of the space."""
        self._models, self._grids = models, grids

    def most(self, batch: int) -> int:
        """How many files are to be submitted at once, whatever a batch is here."""
        return _EACH * self._workers

    def submit(self, task: Task) -> None:
        """Have a file read and encoded.

        Raises:
            RayError: there is no cluster, or no room in it.
        """
        crew = self._started()
        catalog, old = self._library.catalog, task.old_content
        self._number += 1
        job = Job(self._number, task)
        if old is not None and task.header_only is not None:
            job = replace(job, old_hash=catalog.hash_of(old), old_shape=catalog.shape_of(old))
        self._jobs[job.number] = job
        crew.give(job)

    def take(self) -> ReadResult | Encoded | None:
        """What became of a file; None where that takes longer than a second.

        Raises:
            RayError: the workers can't go on.
            LibraryError: the library's disk is full or read-only.
        """
        crew = self._started()
        until = time.monotonic() + _SLOW
        while (left := until - time.monotonic()) > 0:
            try:
                item = crew.made.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(item, BaseException):
                raise item
            made, host, had_read = item
            job = self._jobs.pop(made.number, None)
            if job is not None:  # else it was cleared
                self._enter("indexing")
                return self._taken(job, made, host, had_read=had_read)
        self._enter("loading" if crew.is_loading else "indexing")
        return None

    def _enter(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self._progress.enter("loading" if phase == "loading" else "indexing")

    _phase = "loading"

    def _taken(self, job: Job, made: Made, host: str, *, had_read: bool) -> ReadResult | Encoded:
        result = replace(made.result, task=job.task)
        failed = result.failed
        if not had_read and (result.gone or (failed is not None and failed.file.ctime_ns is None)):
            self._check_seen(job.task, host, "it is not there" if failed is None else failed.reason)
        granted = self._granted.pop(job.number, None)
        if failed is not None and result.hash and failed.stage != "read":
            self._failed[result.hash] = failed.stage, failed.reason
        if granted is not None and not (made.is_encoded or (failed is not None and result.hash)):
            self._in_flight.remove(granted)  # nobody settles it: it was known, or the file could not be read to its end
        if made.thumbnail is not None:
            self._write_thumbnail(result.hash, made.thumbnail)
        if not made.is_encoded:
            return result
        vectors, tiles = dict(made.vectors), {id_: dict(each) for id_, each in made.tiles.items()}
        return Encoded(result, 0, vectors, tiles, True, list(made.unfit))

    def _check_seen(self, task: Task, host: str, reason: str) -> None:
        """Whether a worker that read nothing of a root so far could have read a file of it.

        Raises:
            RayError: this machine can, so the root is not where the worker is.
        """
        if looks_of(task.root, task.path) is None or not (is_address(task.root) or _can_be_opened(task)):
            return
        where = display(to_bytes(task.root))
        if is_address(task.root):
            raise RayError(
                f"The worker on {host} can't read {display(task.path)} in {where}, which this machine can: {reason}. "
                "Workers read objects themselves: give them the same keys, endpoint and packages as here. Nothing was "
                "marked as failed."
            )
        raise RayError(
            f"The worker on {host} can't read {display(task.path)} in {where}, which this machine can: {reason}. "
            "Workers read files themselves: put the folder on a disk that all machines have under this path, or the "
            "pictures into an object store (s3://...). Nothing was marked as failed."
        )

    def _write_thumbnail(self, digest: bytes, data: bytes) -> None:
        try:
            self._library.thumbnails.write(digest, data)
        except OSError as error:
            said = disk_sentence(error) or f"A thumbnail can't be written: {error.strerror}: {error.filename}."
            raise LibraryError(f"{said} What was committed is safe.") from error

    def clear(self) -> None:
        """Forget what is being read."""
        if self._crew is not None:
            self._crew.clear()
        self._jobs.clear()

    def is_in_flight(self, content_hash: bytes) -> bool:
        """Whether a content is being worked on."""
        return content_hash in self._in_flight

    def settle(self, content_hash: bytes) -> None:
        """Note that a content is committed, or has failed."""
        self._in_flight.remove(content_hash)

    def close(self) -> None:
        """End the workers, and the cluster of this machine."""
        crew, cluster, self._crew, self._cluster = self._crew, self._cluster, None, None
        if crew is not None:
            crew.close()
        if cluster is not None:
            cluster.close()

    # -- what the crew asks, in a thread of its own ------------------------------------------------------------------

    def answer(self, number: int, digest: bytes) -> Answer:
        """What the run knows of the content that was read for a job."""
        job = self._jobs.get(number)
        if job is None:  # it was cleared: nothing is to be made of it
            return Answer(is_copy=True)
        failed = self._failed.get(digest)
        if failed is not None:
            return Answer(failed=failed)
        if self._granted.get(number) != digest:
            # Added before the look into the library: a content that is committed in between is then found there.
            if not self._in_flight.add(digest):
                return Answer(is_copy=True)
            self._granted[number] = digest
        answer = self._known(digest)
        is_whole = answer.known is not None and self._models.keys() <= answer.known[1]
        if is_whole and answer.tiled >= self._grids.keys() and not job.task.facts_due:
            self._in_flight.remove(self._granted.pop(number))
        return answer

    def _known(self, digest: bytes) -> Answer:
        catalog, thumbnails = self._library.catalog, self._library.thumbnails
        known = catalog.content_by_hash(digest, tuple(self._models))
        if known is None:
            return Answer()
        tiled = tiled_among(catalog.engine, known[0], tuple(self._grids)) if self._grids else frozenset[int]()
        seen = has_look(catalog.engine, known[0])
        return Answer(
            known=known, tiled=tiled, shape=catalog.shape_of(known[0]), has_look=seen,
            has_thumbnail=thumbnails.has(digest), thumbnail=None if seen else thumbnails.read(digest),
        )  # fmt: skip

    def lost(self, number: int) -> None:
        """Take back what was said of a job's content: its worker died."""
        if (granted := self._granted.pop(number, None)) is not None:
            self._in_flight.remove(granted)

    def left(self) -> int:
        """How many files are left to read, as far as is known."""
        scanner = self._progress.scanner
        return 0 if scanner is None else scanner.found - self._progress.done

    # -- the start ---------------------------------------------------------------------------------------------------

    def _started(self) -> Crew:
        # With the first file to read: a run without work starts no cluster.
        if self._crew is None:
            self._progress.enter("loading")
            with self._progress.waiting("load"):
                self._crew = self._start()
        return self._crew

    def _start(self) -> Crew:
        from sightline import __version__

        options, on = self._options, self._on
        device = options.device
        if device not in ("auto", "cpu", "cuda"):
            raise SpaceError(f"--device {device} names a part of one machine. With --on say auto, cpu or cuda.")
        cluster = self._cluster = Cluster(on)
        weights = sum(_weights(model.folder) for model in self._models.values())
        wants = {"auto": None, "cpu": False, "cuda": True}[device]
        share = cluster.share(on, gpus=wants, weights=weights)
        self._workers = share.workers
        log.info("%d workers on %s, each with %s", share.workers, cluster.name, share)
        spaces = {id_: (model.spec, model.identity().key) for id_, model in self._models.items()}
        plan = Plan(
            __version__, spaces, self._grids, device if share.gpus else "cpu", options.precision, options.batch_size,
            share.cpus, options.workers or 2 * share.cpus, options.file_seconds, on.offline,
        )  # fmt: skip
        crew = Crew(cluster, on, plan, share, self)
        crew.start()
        return crew


def _can_be_opened(task: Task) -> bool:
    try:
        with to_path(to_bytes(task.root), task.path).open("rb"):
            return True
    except OSError:
        return False


def _weights(folder: Path) -> int:
    """Bytes of a model's weights."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))
