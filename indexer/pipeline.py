"""Walk, read, encode, commit: overlapped, bounded, and safe to kill at any moment.

The walk runs ahead in a thread; files are read and decoded by worker threads (they release the GIL where the time
goes, and pass pixels on without a copy; processes measured no faster, docs/benchmarks.md); this thread encodes and
commits meanwhile.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from indexer.batcher import Batches
from indexer.finish import Ending
from indexer.progress_writer import Beacon
from indexer.roots import Target, find_targets
from indexer.scanner import RootScan, Scanner
from indexer.summary import Summary
from indexer.walk import WalkOptions
from sightline.models.resolve import Model
from store.library import Library
from store.paths import display, to_bytes
from store.progress import Phase, Progress
from store.tables.records import now
from store.tables.writer import Failed, Indexed, Writer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from indexer.file_reader import Read, Reader
    from sightline.images.decode_scheduler import Routes
    from sightline.models.encoder import Encoder
    from sightline.models.multi_gpu import Fleet

# What a kill can cost: so many encoded pictures, or so many seconds of them.
COMMIT_PICTURES = 256
COMMIT_SECONDS = 2.0
# Seconds to wait for the walk to find something: with files being read, and with nothing else to do.
SOON, PATIENCE = 0.005, 0.2


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes. `batch_size` and `workers` None: chosen by what is measured and by the cores."""

    walk: WalkOptions = field(default_factory=WalkOptions)
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    workers: int | None = None
    prune: bool = False


class Pipeline:
    """One run of the indexer over a library whose lock the caller holds.

    Attributes:
        summary: what was done so far.
        stop: set it to end the run after the batch at hand.
    """

    def __init__(
        self,
        library: Library,
        model: Model,
        options: Options,
        report: Callable[[Progress], None] = lambda progress: None,
        encoder: Encoder | Fleet | None = None,
        routes: Routes | None = None,
    ) -> None:
        """Prepare a run.

        Args:
            library: open for writing.
            model: of the space to index into.
            report: told of the progress after every file.
            encoder: of the same model, for who has loaded it already; else the run loads it when it first needs it.
            routes: for who decodes on cards as well; it says how many threads read then.
        """
        self.summary = Summary()
        self.stop = threading.Event()
        self._library = library
        self._model = model
        self._options = options
        self._report = report
        self._writer = Writer(library.catalog.engine)
        self._encoder = encoder
        self._owns_encoder = encoder is None
        self._routes = routes
        self._threads = routes.threads if routes is not None else options.workers or os.cpu_count() or 1
        self._reader: Reader | None = None
        # All of them from the start: another thread looks at them while they change.
        self._waited = dict.fromkeys(("walk", "load", "decode", "encode", "write"), 0.0)
        self._taken = 0
        self._batches = Batches(options.batch_size)
        self._ready: list[Indexed] = []
        self._failed: list[Failed] = []
        self._twins: list[Read] = []
        self._lost: dict[bytes, Failed] = {}
        self._linked = 0  # new paths whose content was known
        self._last_commit = time.monotonic()
        self._folders: tuple[str, ...] = ()
        self._scanner: Scanner | None = None
        self._phase: Phase = "looking"
        self._beacon = Beacon(library.path, self._progress)

    def run(self, folders: Sequence[Path]) -> Summary:
        """Index folders. An interrupted run (see `stop`) commits what it has and marks nothing missing.

        Raises:
            FolderError, RootUnavailableError: a folder can't be indexed; nothing was changed.
            SpaceError: the model can't be loaded.
        """
        self._since, self._started = now(), time.monotonic()
        skip = [self._library.path]
        targets = find_targets(folders, self._library.catalog, self._options.walk, skip)
        self._folders = tuple(display(to_bytes(target.start)) for target in targets)
        self._space_id = self._writer.add_space(self._model.identity())
        run_id = self._writer.start_run(self._space_id)
        state = "failed"
        try:
            with self._beacon:
                self._run(targets, skip)
            state = "interrupted" if self.stop.is_set() else "done"
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            self.summary.seconds = time.monotonic() - self._started
            self.summary.bound_by = self._bound()
            self.summary.loading = self._waited["load"]
            self._writer.finish_run(run_id, state, self.summary.to_dict())
            if self._encoder is not None and self._owns_encoder:
                self._encoder.close()
        return self.summary

    def _run(self, targets: Sequence[Target], skip: Sequence[Path]) -> None:
        scans = [self._start_scan(target) for target in targets]
        catalog = self._library.catalog
        self._scanner = Scanner(catalog, self._space_id, scans, self._options.walk, skip, self.summary)
        self._index(self._scanner)
        self._enter("finishing")
        ending = Ending(self._library, self._writer, self._space_id, self.summary)
        if not self.stop.is_set():
            self._failed.extend(ending.mark(scans))
            self._commit()
            ending.settle(scans, self._linked, prune=self._options.prune)
            ending.choose_default()
        ending.save_vectors()

    def _start_scan(self, target: Target) -> RootScan:
        root_id = self._writer.add_root(to_bytes(target.root))
        catalog = self._library.catalog
        return RootScan(target, root_id, catalog.known_failures(root_id), catalog.last_photo_id())

    # -- the stream -----------------------------------------------------------------------------------------------

    def _index(self, scanner: Scanner) -> None:
        try:
            scanner.start()
            for item in self._read_ahead(scanner):
                if item is not None:
                    self._take(item)
                late = self._is_late()
                if late or self._batches.gathered >= self._batches.size:
                    self._encode()
                if late:
                    self._collect()
                if self._is_due():
                    self._commit()
                self._report(self._progress())
            if self.stop.is_set():  # what they are copies of may be among what is left unread: so are they
                self._twins.clear()
            # Again while there is something: copies wait for what the commit before wrote.
            while self._batches.gathered or self._batches.flights or self._ready or self._failed or self._twins:
                self._encode()
                self._collect()
                self._commit()
            self._report(self._progress())
        finally:
            scanner.stop()
            if self._reader is not None:
                self._reader.close()

    def _read_ahead(self, scanner: Scanner) -> Iterator[Read | None]:
        """Files in the order of the walk, read by threads at most two batches ahead; None: none found yet."""
        window: deque[Future[Read]] = deque()
        while not self.stop.is_set():
            while not scanner.ended and len(window) < 2 * (self._batches.size + self._threads):
                with self._clock("" if window else "walk"):
                    task = scanner.take(SOON if window else PATIENCE)
                if task is None:
                    break
                window.append(self._get_reader().submit(task))
            if window:
                with self._clock("decode"):
                    item = window.popleft().result()
                yield item
            elif scanner.ended:
                return
            else:
                yield None

    def _get_reader(self) -> Reader:
        # Made with the first file to read: decoding brings torch along, for which a run without work need not wait.
        if self._reader is None:
            self._enter("loading")
            with self._clock("load"):
                from indexer.file_reader import Reader

            library = self._library
            self._reader = Reader(
                library.catalog, library.thumbnails, self._space_id, self._model.preprocess, self._threads, self._routes
            )
            self._enter("indexing")
        return self._reader

    def _take(self, item: Read) -> None:
        self._taken += 1
        if item.gone:
            return
        reader = self._get_reader()
        if item.failed is not None:
            if item.hash:
                if item.failed.stage != "read":  # what the bytes are to blame for holds for every copy
                    self._lost[item.hash] = item.failed
                reader.claims.release(item.hash)
            self._fail(item.failed)
        elif item.twin:
            self._twins.append(item)
        elif item.pixels is not None:
            self._batches.add(item)
            self._load()  # with the first one, while the threads decode the next
        else:
            self._accept(item, None)

    def _accept(self, item: Read, vector: NDArray[np.float32] | None) -> None:
        self._ready.append(Indexed(item.file, item.hash, item.facts, vector))
        task, content = item.task, item.known_content
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

    def _encode(self) -> None:
        """Encode what is gathered, a batch at a time; a device that works by itself is left one to work on."""
        while self._batches.gathered:
            waiting = len(self._ready) + self._batches.flying + min(self._batches.gathered, self._batches.size)
            if self._ready and waiting > COMMIT_PICTURES:
                self._commit()
            encoder = self._load()
            with self._clock("encode"):
                self._batches.send(encoder)
            self._collect(encoder.ahead)

    def _collect(self, left: int = 0) -> None:
        """Take the oldest batches from the device, until it has only so many `left`."""
        while self._batches.flights > left:
            with self._clock("encode"):
                encoded = self._batches.collect(self._load())
            self.summary.encoded += len(encoded)
            for item, vector in encoded:
                if np.isfinite(vector).all():
                    self._accept(item, vector)
                else:
                    failed = Failed(
                        item.file, "encode", f"the model of space {self._model.name!r} gave no finite vector"
                    )
                    self._taken -= 1
                    self._take(replace(item, failed=failed))

    def _load(self) -> Encoder | Fleet:
        if self._encoder is None:
            self._enter("loading")
            with self._clock("load"):
                from sightline.models.multi_gpu import open_encoder

                options = self._options
                self._encoder = open_encoder(self._model, device=options.device, precision=options.precision)
            self._enter("indexing")
        return self._encoder

    # -- commit -----------------------------------------------------------------------------------------------------

    def _is_due(self) -> bool:
        waiting = len(self._ready) + len(self._failed)
        return waiting >= COMMIT_PICTURES or (waiting > 0 and self._is_late())

    def _is_late(self) -> bool:
        return time.monotonic() - self._last_commit > COMMIT_SECONDS

    def _commit(self) -> None:
        with self._clock("write"):
            self._writer.commit(self._space_id, self._ready, self._failed)
        for item in self._ready:
            self._get_reader().claims.release(item.hash)
        self._ready, self._failed = [], []
        self._last_commit = time.monotonic()
        self._settle_twins()

    def _settle_twins(self) -> None:
        """Copies of a content that was being worked on when they were read: it may be committed by now, or failed."""
        waiting, self._twins = self._twins, []
        for twin in waiting:
            reader = self._get_reader()
            lost = self._lost.get(twin.hash)
            if lost is not None:
                self._fail(Failed(twin.file, lost.stage, lost.reason))
            elif twin.hash in reader.claims:
                self._twins.append(twin)
            else:
                # The library knows it now; if not, the other file changed under the reader, and this one is the first.
                self._taken -= 1
                self._take(reader.read(twin.task))

    # -- what a run says of itself ----------------------------------------------------------------------------------

    def _bound(self) -> str:
        waited = {name: seconds for name, seconds in self._waited.items() if name != "load"}
        return max(waited, key=lambda name: waited[name])

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._beacon.tell()

    def _progress(self) -> Progress:
        scanner = self._scanner
        return Progress(
            pid=os.getpid(),
            started=self._since,
            folders=self._folders,
            phase=self._phase,
            done=self._taken,
            total=scanner.found if scanner is not None and scanner.finished else None,
            rate=self._taken / max(time.monotonic() - self._started - self._waited["load"], 1e-9),
            bound_by=self._bound(),
            failed=self.summary.failed,
            updated=now(),
        )

    @contextmanager
    def _clock(self, name: str) -> Iterator[None]:
        """Adds the time of a `with` block to what the run waited for under this name."""
        begun = time.monotonic()
        try:
            yield
        finally:
            if name:
                self._waited[name] += time.monotonic() - begun
