"""Stands for the module `ray` in tests of runs: workers are objects of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import SimpleNamespace
from typing import Any


class ActorDied(Exception):
    """A worker died."""


class _Actor:
    def __init__(self, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._worker = make(*arguments)
        self._pool = ThreadPoolExecutor(1)
        self._calls: list[Future[Any]] = []

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=lambda *arguments: self._call(name, arguments))

    def _call(self, name: str, arguments: tuple[Any, ...]) -> Future[Any]:
        result: Future[Any] = Future()
        self._calls.append(result)

        def run() -> None:
            try:
                value = getattr(self._worker, name)(*arguments)
            except Exception as error:  # noqa: BLE001 - as Ray does
                _settle(result, error)
            else:
                _settle(result, value)

        self._pool.submit(run)
        return result

    def die(self) -> None:
        for call in self._calls:
            _settle(call, ActorDied("it was killed"))


def _settle(result: Future[Any], value: Any) -> None:
    if result.done():
        return
    if isinstance(value, Exception):
        result.set_exception(value)
    else:
        result.set_result(value)


class InProcess:
    """The functions of `ray` that a run uses.

    Attributes:
        actors: of all workers that were started.
    """

    def __init__(self, machines: Sequence[dict[str, float]] = ({"CPU": 2, "memory": 8e9},)) -> None:
        self.exceptions = SimpleNamespace(
            RayActorError=ActorDied, OwnerDiedError=ActorDied, ObjectLostError=ActorDied, RayTaskError=ValueError
        )
        self.actors: list[_Actor] = []
        self._machines = machines

    def remote(self, make: Callable[..., Any]) -> Any:
        def start(*arguments: Any) -> _Actor:
            self.actors.append(_Actor(make, arguments))
            return self.actors[-1]

        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=start))

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": machine} for machine in self._machines]

    def available_resources(self) -> dict[str, float]:
        return {"CPU": 0.0}

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": sum(machine["CPU"] for machine in self._machines)}

    def wait(self, calls: list[Future[Any]], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        done, others = wait(calls, timeout, FIRST_COMPLETED)
        return list(done), list(others)

    def get(self, call: Future[Any]) -> Any:
        return call.result(0)

    def kill(self, actor: _Actor) -> None:
        actor.die()

    def shutdown(self) -> None:
        """Nothing is to be ended."""
