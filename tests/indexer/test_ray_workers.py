"""What a run does with workers that die, hang, see other files or have other versions."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray_in_process import ActorDied, InProcess
from searching import vectors_of

import indexer.on_ray.cluster
import indexer.on_ray.crew
from indexer.chosen_spaces import Chosen
from indexer.commands import run
from indexer.on_ray import ray_reads
from indexer.on_ray.cluster import Cluster, fitted
from indexer.on_ray.errors import RayError
from indexer.on_ray.messages import Answer, Hello, Job, News, Plan
from indexer.on_ray.worker import Worker
from indexer.options import OnRay, Options
from indexer.pipeline import Pipeline
from indexer.summary import Summary
from sightline.models.compiled import runtime
from sightline.models.resolve import resolve
from store.errors import LibraryError, SpaceError
from store.library import Library

MACHINE = {"CPU": 8.0, "memory": 32e9}
GPUS = {"CPU": 32.0, "GPU": 4.0, "memory": 256e9}


class InProcessCluster(Cluster):
    """A cluster of this process."""

    def __init__(self, on: OnRay) -> None:
        self.ray = InProcess()
        self.name = "the cluster of a test"
        self.is_local = True
        self._folder = None


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_reads, "Cluster", InProcessCluster)
    monkeypatch.setattr(runtime, "_threads", None)
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))


def _run(library: Path, photos: Path, space: str, **options: Any) -> Summary:
    on = OnRay("ray", 2, 1, offline=True, **options)
    with Library.create(library) as opened:
        return Pipeline(opened, Chosen([resolve(space)]), Options(batch_size=2, precision="fp32", on=on)).run([photos])


def _use(monkeypatch: pytest.MonkeyPatch, worker: type[Worker]) -> None:
    monkeypatch.setattr(indexer.on_ray.crew, "Worker", worker)


def test_what_a_worker_had_that_died_is_done_by_another_and_once(
    photos: Path, library: Path, tiny_space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths: list[int] = []

    class Dies(Worker):
        def exchange(self, jobs: Sequence[Job], answers: Mapping[int, Answer], left: int, seconds: float) -> News:
            news = super().exchange(jobs, answers, left, seconds)
            if news.made and len(deaths) < 2:
                deaths.append(len(news.made))
                raise ActorDied("it was killed")
            return news

    _use(monkeypatch, Dies)
    summary = _run(library, photos, tiny_space)
    assert len(deaths) == 2
    assert (summary.encoded, summary.added, summary.failed) == (24, 24, 0)
    with Library.open(library) as opened:
        assert len(vectors_of(opened)) == 24


def test_a_run_ends_with_a_sentence_where_all_its_workers_die(
    photos: Path, library: Path, tiny_space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dies(Worker):
        def exchange(self, jobs: Sequence[Job], answers: Mapping[int, Answer], left: int, seconds: float) -> News:
            raise ActorDied("memory ran out")

    _use(monkeypatch, Dies)
    with pytest.raises(RayError, match=r"6 workers of the cluster of a test died one after another.*memory ran out"):
        _run(library, photos, tiny_space)


def test_a_run_ends_with_a_sentence_where_nothing_comes(
    photos: Path, library: Path, tiny_space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hangs(Worker):
        def exchange(self, jobs: Sequence[Job], answers: Mapping[int, Answer], left: int, seconds: float) -> News:
            time.sleep(5)
            raise AssertionError

    _use(monkeypatch, Hangs)
    with pytest.raises(RayError, match=r"Nothing came of the cluster of a test for 1 seconds: 2 of 2 workers started"):
        _run(library, photos, tiny_space, stall_seconds=1.0)


def test_a_folder_that_a_worker_does_not_see_is_one_error(
    photos: Path, library: Path, tiny_space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Elsewhere(Worker):
        def exchange(self, jobs: Sequence[Job], answers: Mapping[int, Answer], left: int, seconds: float) -> News:
            away = [replace(job, task=replace(job.task, root=Path("/nowhere"))) for job in jobs]
            return super().exchange(away, answers, left, seconds)

    _use(monkeypatch, Elsewhere)
    with pytest.raises(RayError, match=r"can't read .* which this machine can.*put the folder on a disk that all"):
        _run(library, photos, tiny_space)
    with Library.open(library) as opened:
        assert opened.catalog.counts().pictures == 0
        assert opened.catalog.failures() == []


def test_a_worker_of_another_version_is_refused(
    photos: Path, library: Path, tiny_space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Older(Worker):
        def __init__(self, plan: Plan) -> None:
            super().__init__(replace(plan, version="0.0.1"))

    _use(monkeypatch, Older)
    with pytest.raises(RayError, match=r"and this run has 0\.0\.1\. Install one version everywhere"):
        _run(library, photos, tiny_space)


def test_a_worker_with_another_model_is_refused(
    photos: Path, library: Path, tiny_space: str, other_space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(Worker):
        def __init__(self, plan: Plan) -> None:
            spaces = {id_: (other_space, key) for id_, (_, key) in plan.spaces.items()}
            super().__init__(replace(plan, spaces=spaces))

    _use(monkeypatch, Other)
    with pytest.raises(RayError, match=r"its model .* is not the one of this run"):
        _run(library, photos, tiny_space)


def test_a_worker_that_cannot_start_is_named(
    photos: Path, library: Path, tiny_space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fails(Worker):
        def hello(self) -> Hello:
            raise ValueError("no room for its processes")

    _use(monkeypatch, Fails)
    with pytest.raises(RayError, match="no room for its processes"):
        _run(library, photos, tiny_space)


@pytest.mark.parametrize(
    ("on", "machines", "gpus", "expected"),
    [
        (OnRay("ray"), [MACHINE], False, (2, 4, 0)),
        (OnRay("ray"), [MACHINE, {"CPU": 3.0, "memory": 8e9}], False, (2, 4, 0)),
        (OnRay("ray", cpus=1), [MACHINE, {"CPU": 3.0, "memory": 8e9}], False, (11, 1, 0)),
        (OnRay("ray", workers=2, cpus=2), [MACHINE], False, (2, 2, 0)),
        (OnRay("ray"), [GPUS, MACHINE], True, (4, 8, 1)),
        (OnRay("ray"), [{"CPU": 2.0, "memory": 8e9}], False, (1, 2, 0)),
        (OnRay("ray", cpus=1), [{"CPU": 64.0, "memory": 4e9}], False, (4, 1, 0)),
    ],
)
def test_workers_get_what_the_machines_have(
    on: OnRay, machines: list[dict[str, float]], gpus: bool, expected: tuple[int, int, int]
) -> None:
    share = fitted(on, machines, gpus=gpus, memory=10**9, name="it")
    assert (share.workers, share.cpus, share.gpus) == expected


@pytest.mark.parametrize(
    ("on", "machines", "gpus", "says"),
    [
        (
            OnRay("ray", workers=3),
            [MACHINE],
            False,
            r"3 workers of 4 cores .* has 8 cores.*room for 2\. Say --on-workers 2",
        ),
        (OnRay("ray"), [MACHINE], True, r"1 GPU .* 0 GPUs .*room for 0\. Say --device cpu"),
        (OnRay("ray", cpus=9), [MACHINE, MACHINE], False, r"9 cores .* has 16 cores.*fewer cores with --on-cpus"),
        (OnRay("ray"), [{"CPU": 4.0, "memory": 1e8}], False, r"1\.0 GB of memory: it has 4 cores.*room for 0"),
    ],
)
def test_what_a_cluster_lacks_is_said_before_anything_starts(
    on: OnRay, machines: list[dict[str, float]], gpus: bool, says: str
) -> None:
    with pytest.raises(RayError, match=says):
        fitted(on, machines, gpus=gpus, memory=10**9, name="it")


def test_without_ray_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(indexer.on_ray.cluster, "_settle_environment", lambda **_: None)
    with pytest.raises(LibraryError, match=r'pip install "sightline\[cluster\]"'):
        Cluster(OnRay("ray"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--on", "head:10001"], "'head:10001' is no cluster. Say ray, or ray://HOST:PORT."),
        (["--on-workers", "2"], "--on-workers is for runs on a cluster: say which, as in --on ray --on-workers 2."),
        (["--on", "ray", "--decode-on", "gpu"], "--decode-on gpu is for runs in this process."),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: list[str], says: str, photos: Path, library: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([str(photos), "--library", str(library), *options]) == 2
    assert says in " ".join(capfd.readouterr().err.split())
    assert not library.exists()


def test_one_gpu_of_a_machine_is_not_asked_of_a_cluster(photos: Path, library: Path, tiny_space: str) -> None:
    options = Options(device="cuda:1", on=OnRay("ray", offline=True))
    with (
        Library.create(library) as opened,
        pytest.raises(SpaceError, match=r"--device cuda:1 names a part of one machine\. With --on say"),
    ):
        Pipeline(opened, Chosen([resolve(tiny_space)]), options).run([photos])
