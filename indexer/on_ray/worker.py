"""A worker of a run: reads, decodes and encodes files, and tells the run what it made of them.

Nothing of Ray is imported here: Ray makes an actor of it, and a test calls it as it is.
"""

from __future__ import annotations

import os
import platform
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from indexer.on_ray.messages import Answer, Hello, Job, Made, News, Plan, WorkerProblem

if TYPE_CHECKING:
    from indexer.batcher import Encoded
    from indexer.encoding import Encodings
    from indexer.file_reader import ReadResult
    from indexer.on_ray.asking_reader import AskingReader
    from indexer.scanner import Task
    from sightline.models.resolve import Model
    from store.progress import Phase

# Seconds in which what comes at about the same time is told together, and until a batch that is not full is encoded:
# where nothing is being read, and where something is.
_GATHER: Final = 0.005
_IDLE: Final = 0.05
_LATE: Final = 0.5


@dataclass(slots=True)
class _Left:
    found: int = 0


class _Clock:
    """Counts what the worker waits for: see `indexer.progress_writer.RunClock`."""

    def __init__(self) -> None:
        self.done = 0
        self.scanner = _Left()
        self.waited = dict.fromkeys(("load", "decode", "encode"), 0.0)
        self.is_loading = True

    def enter(self, phase: Phase) -> None:
        self.is_loading = phase in ("loading", "preparing")

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self.waited[what] += time.monotonic() - begun


class _Question:
    """A hash that waits for what the run knows of it."""

    def __init__(self) -> None:
        self._is_there = threading.Event()
        self._answer = Answer()

    def give(self, answer: Answer) -> None:
        self._answer = answer
        self._is_there.set()

    def wait(self) -> Answer:
        self._is_there.wait()
        return self._answer


_Read = Future[tuple["ReadResult", bytes | None]]


class Worker:
    """One set of models in memory, and the processes that decode for it. Call `hello` first."""

    def __init__(self, plan: Plan) -> None:
        """Nothing is started yet."""
        self._plan = plan
        # Before anything of torch or numpy's algebra is loaded: as `indexer.__main__` has it.
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        os.environ["OMP_NUM_THREADS"] = str(plan.cpus)
        if plan.offline:
            os.environ["HF_HUB_OFFLINE"] = "1"
        self._clock = _Clock()
        self._inbox: queue.Queue[Job | tuple[int, _Read]] = queue.Queue()
        self._lock = threading.Condition()
        self._asked: dict[int, _Question] = {}
        self._questions: dict[int, bytes] = {}
        self._made: list[Made] = []
        self._at_work: dict[int, tuple[int, bytes | None, Task]] = {}  # by the identity of the task
        self._outstanding = 0
        self._batch = 8
        self._problem = ""

    def hello(self) -> Hello:
        """Start to work.

        Raises:
            WorkerProblem: this worker has another version.
        """
        from sightline import __version__

        if __version__ != self._plan.version:
            raise WorkerProblem(
                f"it has Sightline {__version__}, and this run has {self._plan.version}. Install one version everywhere"
            )
        threading.Thread(target=self._work, name="work", daemon=True).start()
        return Hello(platform.node(), os.getpid())

    def exchange(self, jobs: Sequence[Job], answers: Mapping[int, Answer], left: int, seconds: float) -> News:
        """Take in jobs and answers; returns what there is to say, at the latest after so many seconds.

        Args:
            jobs: files to read.
            answers: to questions, by the number of their job.
            left: how many files are left to read, as far as is known.
            seconds: to wait for something to say.
        """
        self._clock.scanner.found = left
        with self._lock:
            asked = [(self._asked.pop(number), answer) for number, answer in answers.items() if number in self._asked]
            self._outstanding += len(jobs)
        for question, answer in asked:
            question.give(answer)
        for job in jobs:
            self._inbox.put(job)
        with self._lock:
            self._lock.wait_for(lambda: self._questions or self._made or self._problem, seconds)
        time.sleep(_GATHER)
        with self._lock:
            questions, self._questions = self._questions, {}
            made, self._made = self._made, []
            self._outstanding -= len(made)
            room = max(0, 2 * (self._batch + self._plan.readers) - self._outstanding)
            waited = dict(self._clock.waited)
            return News(questions, tuple(made), room, waited, self._clock.is_loading, self._problem)

    def _ask(self, number: int, digest: bytes) -> Answer:
        question = _Question()
        with self._lock:
            self._asked[number], self._questions[number] = question, digest
            self._lock.notify_all()
        return question.wait()

    def _tell(self, made: Made) -> None:
        with self._lock:
            self._made.append(made)
            self._lock.notify_all()

    # -- the thread that works --------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - told to the run, which ends with it
            from store.errors import SightlineError

            is_said = isinstance(error, SightlineError | WorkerProblem)
            said = str(error) if is_said else f"{type(error).__name__}: {error}"
            with self._lock:
                self._problem = said.rstrip(".")
                self._lock.notify_all()

    def _run(self) -> None:
        from indexer.encoding import Encodings
        from indexer.on_ray.asking_reader import AskingReader
        from indexer.options import Options
        from indexer.read_ahead import start_workers
        from sightline.models.compiled.runtime import limit_threads

        plan = self._plan
        limit_threads(plan.cpus)
        models = {id_: self._model(*space) for id_, space in plan.spaces.items()}
        preprocess = {id_: model.preprocess for id_, model in models.items()}
        decoders = start_workers(plan.readers, plan.file_seconds)
        reader = AskingReader(preprocess, decoders, plan.readers, plan.grids, self._ask)
        options = Options(device=plan.device, precision=plan.precision, batch_size=plan.batch_size)
        encodings = Encodings(None, models, options, self._clock, (), None, plan.grids)
        self._clock.is_loading = False
        reading = 0
        while True:
            is_late = False
            try:
                with self._clock.waiting("decode"):
                    item = self._inbox.get(timeout=_LATE if reading else _IDLE)
            except queue.Empty:
                is_late = True
            else:
                if isinstance(item, Job):
                    reading += 1
                    self._begin(reader, item)
                else:
                    reading -= 1
                    self._take(encodings, *item)
            self._encode(encodings, is_late=is_late)
            self._batch = encodings.size

    def _model(self, spec: str, key: str) -> Model:
        from sightline.models.resolve import resolve

        model = resolve(spec, offline=self._plan.offline)
        if model.identity().key != key:
            raise WorkerProblem(
                f"its model {spec} is not the one of this run: other weights or another configuration. Give both the "
                "same files"
            )
        return model

    def _begin(self, reader: AskingReader, job: Job) -> None:
        reader.read(job).add_done_callback(lambda read: self._inbox.put((job.number, read)))

    def _take(self, encodings: Encodings, number: int, read: _Read) -> None:
        result, thumbnail = read.result()
        if not (result.pixels or any(len(each.pixels) for each in result.tiles.values())):
            self._tell(Made(number, result, thumbnail=thumbnail))
            return
        self._at_work[id(result.task)] = number, thumbnail, result.task
        encodings.add(result)

    def _encode(self, encodings: Encodings, *, is_late: bool) -> None:
        """Encode what fills a batch, or all where it is late; a GPU is left a batch to work on."""
        for encoding in encodings:
            batches = encoding.batches
            while batches.queued and (is_late or batches.queued >= batches.size):
                encodings.send(encoding)
                while batches.in_flight_batches > encoding.encoder.ahead:
                    self._tell_encoded(encodings.collect(encoding))
            while is_late and batches.in_flight_batches:
                self._tell_encoded(encodings.collect(encoding))

    def _tell_encoded(self, pictures: Iterator[Encoded]) -> None:
        for each in pictures:
            number, thumbnail, _ = self._at_work.pop(id(each.result.task))
            made = Made(number, each.result, True, each.vectors, each.tiles, tuple(each.unfit), thumbnail)
            self._tell(made)
