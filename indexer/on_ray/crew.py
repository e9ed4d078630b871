"""The workers of a run on a cluster: started, given jobs, asked for news, and replaced where they die.

A thread talks to them. What a worker had that died is given to another; a worker is told of nothing twice.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, Protocol

from indexer.on_ray.cluster import Cluster, Share
from indexer.on_ray.errors import RayError
from indexer.on_ray.messages import Answer, Hello, Job, Made, News, Plan
from indexer.on_ray.worker import Worker
from indexer.options import OnRay
from sightline.humanize import count

log = logging.getLogger(__name__)

# Workers that may die in a row, with nothing done in between, for each that there is.
_DEATHS: Final = 3
# Seconds that a worker waits for something to say: where it has jobs and no room, and where it might take more.
_BUSY: Final = 0.5
_ROOM: Final = 0.05
# Seconds between two looks at what has come, at most.
_LOOK: Final = 0.2
_SAID: Final = 400


class Asked(Protocol):
    """What the thread asks of the run."""

    def answer(self, number: int, digest: bytes) -> Answer:
        """What the run knows of the content that was read for a job."""

    def lost(self, number: int) -> None:
        """Take back what was said of a job's content: its worker died."""

    def left(self) -> int:
        """How many files are left to read, as far as is known."""


class _Member:
    """A worker: what it was given, and what it was asked."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.pending: Any = actor.hello.remote()
        self.host = ""
        self.jobs: dict[int, Job] = {}
        self.answers: dict[int, Answer] = {}
        self.room = 0
        self.has_read: set[int] = set()  # roots


class Crew:
    """Workers on a cluster, and the thread that talks to them.

    Attributes:
        made: what was done, with the name of the machine and whether its worker had read of that root before; or what
            ended the crew.
        is_loading: whether all that are there are loading models, or none is there.
        waited: seconds that they waited, all together, by what for.
    """

    def __init__(self, cluster: Cluster, on: OnRay, plan: Plan, share: Share, asked: Asked) -> None:
        self.made: queue.Queue[tuple[Made, str, bool] | BaseException] = queue.Queue()
        self.is_loading = True
        self.waited: Mapping[str, float] = {}
        self._cluster = cluster
        self._ray = cluster.ray
        self._on = on
        self._plan = plan
        self._share = share
        self._asked = asked
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._members: list[_Member] = []
        self._waits: dict[int, tuple[bool, Mapping[str, float]]] = {}
        self._deaths = 0
        self._moved = time.monotonic()
        self._stopped = threading.Event()
        self._class = self._ray.remote(Worker).options(
            num_cpus=share.cpus, num_gpus=share.gpus, memory=share.memory, max_restarts=0, max_task_retries=0
        )
        self._thread = threading.Thread(target=self._talk, name="ray", daemon=True)

    def start(self) -> None:
        """Have the workers started, which takes seconds; `give` may be called at once."""
        self._thread.start()

    def give(self, job: Job) -> None:
        """Have a job done after those before it."""
        with self._lock:
            self._waiting.append(job)

    def clear(self) -> None:
        """Forget the jobs that no worker has."""
        with self._lock:
            self._waiting.clear()

    def close(self) -> None:
        """End the workers, whatever they are at."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(30)
        for member in self._members:
            self._kill(member)

    # -- the thread -------------------------------------------------------------------------------------------------

    def _talk(self) -> None:
        try:
            while not self._stopped.is_set():
                while len(self._members) < self._share.workers:
                    self._members.append(_Member(self._class.remote(self._plan)))
                by_reference = {member.pending: member for member in self._members}
                self._ray.wait(list(by_reference), num_returns=1, timeout=_LOOK)
                ready, _ = self._ray.wait(list(by_reference), num_returns=len(by_reference), timeout=0)
                for reference in ready:
                    self._hear(by_reference[reference])
                self._check_stall()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that can deal with it
            self.made.put(error if isinstance(error, RayError) else self._told(error))

    def _hear(self, member: _Member) -> None:
        errors = self._ray.exceptions
        try:
            said: Hello | News = self._ray.get(member.pending)
        except (errors.RayActorError, errors.OwnerDiedError, errors.ObjectLostError) as error:
            self._replace(member, error)
            return
        except errors.RayTaskError as error:
            raise self._told(error) from error
        self._moved = time.monotonic()
        if isinstance(said, Hello):
            log.info("a worker on %s is process %d", said.host, said.pid)
            member.host = said.host
            member.room = 1
        else:
            self._take(member, said)
        self._ask(member)

    def _take(self, member: _Member, news: News) -> None:
        if news.problem:
            raise RayError(f"A worker on {member.host} can't go on: {news.problem}. What was committed is safe.")
        for made in news.made:
            self._deaths = 0
            job = member.jobs.pop(made.number)
            had_read = job.task.root_id in member.has_read
            if made.result.hash:
                member.has_read.add(job.task.root_id)
            self.made.put((made, member.host, had_read))
        member.answers = {number: self._asked.answer(number, digest) for number, digest in news.questions.items()}
        member.room = news.room
        self._waits[id(member)] = news.is_loading, news.waited
        self.is_loading = all(is_loading for is_loading, _ in self._waits.values())
        waits = [waited for _, waited in self._waits.values()]
        self.waited = {what: sum(each[what] for each in waits) for what in news.waited}

    def _ask(self, member: _Member) -> None:
        """Give a worker its answers and jobs, and ask for its news."""
        with self._lock:
            jobs = [self._waiting.popleft() for _ in range(min(member.room, len(self._waiting)))]
        member.jobs.update((job.number, job) for job in jobs)
        seconds = _BUSY if member.jobs and member.room <= len(jobs) else _ROOM
        answers, member.answers = member.answers, {}
        member.pending = member.actor.exchange.remote(jobs, answers, self._asked.left(), seconds)

    def _replace(self, member: _Member, error: Exception) -> None:
        """Another takes the place of a worker that died, and its jobs."""
        if not member.host and _is_of_its_start(error):
            raise self._told(error) from error
        log.info("a worker on %s died: %s", member.host or "a machine", _first_line(error))
        self._deaths += 1
        if self._deaths >= _DEATHS * self._share.workers:
            raise RayError(
                f"{count(self._deaths, 'worker')} of {self.name} died one after another, the last on "
                f"{member.host or 'a machine'}: {_first_line(error)}. What was committed is safe. Memory may be short: "
                "give each more cores (--on-cpus), so that fewer share a machine; then run again."
            )
        for number in member.jobs:
            self._asked.lost(number)
        with self._lock:
            self._waiting.extendleft(reversed(member.jobs.values()))
        self._members.remove(member)
        self._waits.pop(id(member), None)
        self._kill(member)

    def _kill(self, member: _Member) -> None:
        try:
            self._ray.kill(member.actor)
        except Exception:  # noqa: BLE001 - it is dead, or the cluster is gone
            return

    @property
    def name(self) -> str:
        return self._cluster.name

    def _check_stall(self) -> None:
        has_work = bool(self._waiting) or any(member.jobs for member in self._members)
        stalled = time.monotonic() - self._moved
        if not has_work:
            self._moved = time.monotonic()
        elif stalled > self._on.stall_seconds:
            there = sum(bool(member.host) for member in self._members)
            raise RayError(
                f"Nothing came of {self.name} for {self._on.stall_seconds:,.0f} seconds: {there} of "
                f"{count(self._share.workers, 'worker')} started, and of its resources are free: "
                f"{self._cluster.free()}. Each worker wants {self._share}. What was committed is safe. End what else "
                "runs there, or say --on-workers or --on-cpus; --stall-seconds N waits longer."
            )

    def _told(self, error: BaseException) -> RayError:
        return RayError(f"The workers of {self.name} can't go on: {_first_line(error)}. What was committed is safe.")


def _is_of_its_start(error: Exception) -> bool:
    """Whether a worker's own code ended it before it began, as where Sightline is not installed."""
    return "creation task" in str(error) or "ModuleNotFoundError" in str(error)


def _first_line(error: BaseException) -> str:
    """What an error of Ray says, in a line: the last one of a traceback, the first one of anything else."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    said = lines[-1] if "Traceback" in str(error) or "ray::" in lines[0] else lines[0]
    return said[:_SAID].rstrip(".")
