"""Walk, read, encode, commit: overlapped, bounded, and safe to kill at any moment.

The walk runs ahead in a thread. Other threads have files read and decoded by processes, so that a file which crashes or
stops its decoder costs that file (docs/decisions/decoders-in-processes.md). This thread encodes and commits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.batcher import Encoded, PictureEncoder
from indexer.chosen_spaces import Chosen
from indexer.edits import Edits
from indexer.encoding import Encoding, Encodings
from indexer.finish import Finisher
from indexer.missing_looks import make_due_looks
from indexer.new_spaces import identity_of
from indexer.options import Options
from indexer.places import place_of
from indexer.progress_writer import ProgressWriter
from indexer.read_ahead import threads_of
from indexer.reads import open_reads
from indexer.root_scan import RootScan
from indexer.roots import Target, find_targets
from indexer.scanner import Scanner
from indexer.summary import Summary
from indexer.tiling import NOTHING, Vectors, encoded_tiles, grids_of
from store.library import Library
from store.paths import display, to_bytes
from store.progress import Progress
from store.tables.losses import Losses
from store.tables.writer import Failed, Indexed, Writer

if TYPE_CHECKING:
    from indexer.file_reader import ReadResult
    from sightline.images.gpu_jpeg import GpuJpegDecoder
    from sightline.images.workers import Workers

# What a kill can cost: so many encoded pictures, or so many seconds of them.
COMMIT_PICTURES = 256
COMMIT_SECONDS = 2.0
# Seconds to wait for the walk to find something: with files being read, and with nothing else to do.
SOON, PATIENCE = 0.005, 0.2
# Seconds in which the walk has to come to another folder, while nothing else is left to do.
WALK_SECONDS = 600.0
# Rows whose inode and ctime are written at once.
LOOKS = 10_000


class Pipeline:
    """One run of the indexer over a library whose lock the caller holds.

    Attributes:
        summary: what was done so far.
        stop: set it to end the run after the batch at hand.
    """

    def __init__(
        self,
        library: Library,
        chosen: Chosen,
        options: Options,
        report: Callable[[Progress], None] = lambda progress: None,
        encoders: Sequence[PictureEncoder] = (),
        gpu: GpuJpegDecoder | None = None,
        may_lose: Callable[[Losses, int], bool] = lambda losses, photos: False,
        workers: Workers | None = None,
        keep: Callable[[PictureEncoder], None] | None = None,
    ) -> None:
        """Prepare a run.

        Args:
            library: open for writing.
            chosen: the models of the spaces to index into.
            options: of the run.
            report: called with the progress after every file.
            encoders: of these models, as far as they are loaded already; others are when they are first needed.
            gpu: decodes JPEGs too; it then says how many threads read.
            may_lose: whether a prune that forgets so many photos may lose marks; asked only where it would.
            workers: that read files, if they are started already; see `start_workers`.
            keep: is given the models that this run loads, for the next one; else they are closed.
        """
        self.summary = Summary()
        self.stop = threading.Event()
        self._library = library
        self._chosen = chosen
        self._options = options
        self._writer = Writer(library.catalog.engine)
        self._progress = ProgressWriter(library, self.summary, report)
        self._encoders = encoders
        self._keep_encoder = keep
        self._gpu = gpu
        self._may_lose = may_lose
        self._threads = threads_of(gpu, options.workers)
        self._reads = open_reads(library, options, gpu, self._progress, workers)
        self._ready: list[Indexed] = []
        self._failed: list[Failed] = []
        self._duplicates_in_flight: list[ReadResult] = []
        self._failed_hashes: dict[bytes, Failed] = {}
        self._linked = 0  # new paths whose content was known
        self._last_commit = time.monotonic()

    def run(self, folders: Sequence[Path]) -> Summary:
        """Index folders. An interrupted run (see `stop`) commits what it has and marks nothing missing.

        Raises:
            FolderError, RootUnavailableError: a folder can't be indexed; nothing was changed.
            SilentError: a folder does not answer; what was read before is committed.
            SpaceError: the model can't be loaded.
        """
        skip = self._library.own_places
        catalog = self._library.catalog
        targets = find_targets(folders, catalog, self._options.walk, skip, yes=self._options.yes)
        models = {self._writer.add_space(identity_of(model, catalog)): model for model in self._chosen.models}
        grids = grids_of(self._library, models, self._options.tiles)
        self._encodings = Encodings(
            self._library.thumbnails, models, self._options, self._progress, self._encoders, self._keep_encoder, grids
        )
        self._space_ids = list(models)
        self._reads.prepare(models, grids)
        self._edits = Edits(self._library, self._space_ids)
        self.summary.spaces = [model.name for model in models.values()]
        run_id = self._writer.start_run(self._space_ids[0] if self._chosen.is_one else None)
        state = "failed"
        try:
            self._progress.begin(tuple(display(to_bytes(target.start)) for target in targets))
            self._run(targets, skip)
            state = "interrupted" if self.stop.is_set() else "done"
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            self.summary.seconds = self._progress.seconds
            self.summary.bound_by = self._progress.bound_by
            self.summary.loading = self._progress.waited["load"]
            self._writer.finish_run(run_id, state, self.summary.to_dict())
            self._encodings.close()
        return self.summary

    def _run(self, targets: Sequence[Target], skip: Sequence[Path]) -> None:
        scans = [self._start_scan(target) for target in targets]
        scanner = Scanner(self._library.catalog, self._space_ids, scans, skip, self.summary)
        self._progress.scanner = scanner
        try:
            scanner.start()
            self._index(scanner)
            scanner.check(WALK_SECONDS)
        finally:
            scanner.stop()
            self._reads.close()
        self._progress.enter("finishing")
        finisher = Finisher(self._library, self._writer, self._space_ids, self.summary, self._may_lose)
        if not self.stop.is_set():
            self._failed.extend(finisher.mark_missing(scans))
            self._commit()
            finisher.resolve_moves(scans, self._linked, self._options.prune)
            finisher.choose_default(self._chosen.away)
        finisher.save_vectors()
        self._encodings.make_null_queries(self._library, self.stop)
        make_due_looks(self._library, self._progress, self._threads, self.stop)

    def _start_scan(self, target: Target) -> RootScan:
        root_id = self._writer.add_root(to_bytes(target.root), target.options)
        catalog = self._library.catalog
        failures, last = catalog.known_failures(root_id), catalog.last_photo_id()
        options = self._options
        return RootScan(
            target, root_id, failures, last, rescan=options.rescan, growing=options.growing,
            place=place_of(target.root),
        )  # fmt: skip

    def _index(self, scanner: Scanner) -> None:
        """Read, encode and commit what the scanner finds."""
        for result in self._read_ahead(scanner):
            if result is not None:
                self._take(result)
            is_late = self._is_late()
            self._encode(is_late=is_late)
            if self._is_due():
                self._commit()
            scanner.keep_looks(self._writer, LOOKS)
            self._progress.update()
        scanner.keep_looks(self._writer, 1)
        # Again while there is something: duplicates wait for what the commit before wrote, and may be read then.
        while not self._encodings.is_idle or self._ready or self._failed or self._duplicates_in_flight or self._reads:
            if self.stop.is_set():  # what they are copies of may be among what is left unread: so are they
                self._duplicates_in_flight.clear()
                self._reads.clear()
            self._encode(is_late=True)
            self._commit()
            while self._reads and not self.stop.is_set():
                if (result := self._reads.take()) is not None:
                    self._take(result)
        self._progress.update()

    # -- read -------------------------------------------------------------------------------------------------------

    def _read_ahead(self, scanner: Scanner) -> Iterator[ReadResult | Encoded | None]:
        """Files, read at most two batches ahead; None: none was found or read lately."""
        reads = self._reads
        while not self.stop.is_set():
            while not scanner.ended and len(reads) < reads.most(self._encodings.size):
                with self._progress.waiting("" if reads else "walk"):
                    task = scanner.take(SOON if reads else PATIENCE)
                if task is None:
                    break
                reads.submit(task)
            if reads:
                with self._progress.waiting(reads.waits_for):
                    result = reads.take()
                yield result
            elif scanner.ended or scanner.is_silent(WALK_SECONDS):
                return
            else:
                yield None

    def _take(self, result: ReadResult | Encoded) -> None:
        """Take in a file that was read: encode it, commit it, or let it wait for another with its bytes."""
        self._progress.done += 1
        if isinstance(result, Encoded):
            self._take_encoded(result)
        elif result.failed is not None:
            if result.hash:
                if result.failed.stage != "read":  # what the bytes are to blame for holds for every copy
                    self._failed_hashes[result.hash] = result.failed
                self._reads.settle(result.hash)
            self._fail(result.failed)
        elif result.duplicate_in_flight:
            self._duplicates_in_flight.append(result)
        elif result.pixels or any(len(each.pixels) for each in result.tiles.values()):
            self._encodings.add(result)
        elif not result.gone:
            self._keep(result)
            self._count(result)

    def _keep(self, result: ReadResult, vectors: Vectors = NOTHING, tiles: Mapping[int, Vectors] = NOTHING) -> None:
        """Have a file and what was made of it committed."""
        item = Indexed(
            result.file, result.hash, result.facts, vectors, result.look, result.task.facts_first,
            replaces_pixels=result.is_anew, tiles=encoded_tiles(result, tiles),
        )  # fmt: skip
        self.summary.tiled += bool(item.tiles)
        self._ready.append(item)
        if result.is_anew:
            self._library.previews.remove(result.hash)
        if result.task.old_content not in (None, result.known_content):
            self._edits.note(item)

    def _count(self, result: ReadResult) -> None:
        task, content = result.task, result.known_content
        if task.old_content is None:
            if content is None:
                self.summary.added += 1
            else:
                self._linked += 1
        elif content != task.old_content:
            self.summary.changed += 1
        elif task.was_missing:
            self.summary.restored += 1
        else:
            self.summary.unchanged += 1

    def _fail(self, failed: Failed) -> None:
        self._failed.append(failed)
        self.summary.failed += 1
        self.summary.failed_now += 1

    # -- encode -----------------------------------------------------------------------------------------------------

    def _encode(self, *, is_late: bool) -> None:
        """Encode what fills a batch, or all where it is late.

        A device that works by itself is left one to work on.
        """
        encodings = self._encodings
        for encoding in encodings:
            batches = encoding.batches
            while batches.queued and (is_late or batches.queued >= batches.size):
                held = len(self._ready) + encodings.partial + batches.in_flight_images
                if self._ready and held + min(batches.queued, batches.size) > COMMIT_PICTURES:
                    self._commit()
                encodings.send(encoding)
                self._collect(encoding, encoding.encoder.ahead)
        if is_late:
            for encoding in encodings:
                self._collect(encoding)

    def _collect(self, encoding: Encoding, left: int = 0) -> None:
        """Take the oldest batches of one space from its device, until only `left` remain."""
        while encoding.batches.in_flight_batches > left:
            for picture in self._encodings.collect(encoding):
                self._take_encoded(picture)

    def _take_encoded(self, picture: Encoded) -> None:
        """Take in a picture that was encoded in every space that lacked it."""
        self.summary.encoded += 1
        result = picture.result
        if not picture.unfit:
            self._keep(result, picture.vectors, picture.tiles)
            self._count(result)
            return
        names = " and ".join(map(repr, picture.unfit))
        verb = "models" if len(picture.unfit) > 1 else "model"
        failed = Failed(result.file, "encode", f"the {verb} {names} gave no finite vector")
        # What one model makes nothing of is not taken from the others.
        if picture.vectors or (result.known_content is not None and not result.is_anew):
            self._keep(result, picture.vectors, picture.tiles)
            self._fail(failed)
        else:
            self._progress.done -= 1
            self._take(replace(result, failed=failed))

    # -- commit -----------------------------------------------------------------------------------------------------

    def _is_due(self) -> bool:
        waiting = len(self._ready) + len(self._failed)
        return waiting >= COMMIT_PICTURES or (waiting > 0 and self._is_late())

    def _is_late(self) -> bool:
        return time.monotonic() - self._last_commit > COMMIT_SECONDS

    def _commit(self) -> None:
        with self._progress.waiting("write"):
            outcome = self._writer.commit(self._edits.judged(self._ready), self._failed)
        self.summary.marks_carried += outcome.carried
        self.summary.marks_left += outcome.left
        for item in self._ready:
            self._reads.settle(item.hash)
        self._ready, self._failed = [], []
        self._last_commit = time.monotonic()
        self._resolve_duplicates()

    def _resolve_duplicates(self) -> None:
        """Take up duplicates of contents that were in flight, and are now committed or failed."""
        waiting, self._duplicates_in_flight = self._duplicates_in_flight, []
        for duplicate in waiting:
            failed = self._failed_hashes.get(duplicate.hash)
            if failed is not None:
                self._fail(Failed(duplicate.file, failed.stage, failed.reason))
            elif self._reads.is_in_flight(duplicate.hash):
                self._duplicates_in_flight.append(duplicate)
            else:
                # The library knows it now; if not, the other file changed under the reader, and this one is the first.
                self._progress.done -= 1
                self._reads.submit(duplicate.task)
