"""What is fetched from a store is bounded together, and nobody waits for ever for room."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path

import pytest
from object_store import Bucket
from pictures import encoded, photo

from indexer.fetching import Fetcher, Room
from indexer.on_ray.asking_reader import AskingReader
from indexer.on_ray.messages import Answer, Job
from indexer.read_ahead import start_workers
from indexer.scanner import Task
from sightline.images.limits import FILES, within
from sightline.models.space_models import model_for
from store.objects import Objects


def task(bucket: Bucket, path: bytes, seen: tuple[int, int, int] | None = None) -> Task:
    return Task(Path(bucket.address), 1, path, None, was_missing=False, seen=seen)


def test_room_is_given_in_the_order_in_which_it_was_asked_for() -> None:
    room = Room(10)
    turns = [room.turn() for _ in range(4)]
    turns[0].take(25)  # more than there is: alone
    taken: list[int] = []

    def take(number: int) -> None:
        turns[number].take(5)
        taken.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in (3, 2, 1)]
    for thread in threads:
        thread.start()
    assert taken == []
    turns[0].give_back()
    until = time.monotonic() + 20
    while len(taken) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert taken == [1, 2]
    turns[1].give_back()
    for thread in threads:
        thread.join(20)
    assert taken == [1, 2, 3]


def test_who_waits_for_room_is_let_go_when_the_run_ends() -> None:
    room = Room(10)
    first, second = room.turn(), room.turn()
    first.take(10)
    errors: list[OSError] = []

    def take() -> None:
        try:
            second.take(10)
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=take)
    thread.start()
    room.close()
    thread.join(20)
    assert len(errors) == 1


def test_an_object_that_was_replaced_since_it_was_listed_is_read_as_it_is_now(bucket: Bucket) -> None:
    bucket.put("a.jpg", b"first")
    store = Objects(bucket.address)
    seen = store.facts(b"a.jpg")
    bucket.put("a.jpg", b"other bytes")
    fetcher = Fetcher(1, FILES)
    with fetcher.submit(task(bucket, b"a.jpg", seen)).result() as fetched:
        assert fetched.facts == store.facts(b"a.jpg") != seen
        file = Path(fetched.place.root.decode()) / fetched.place.path.decode()
        assert file.read_bytes() == b"other bytes"
    assert not file.exists()
    fetcher.close()


def test_an_object_whose_store_does_not_answer_costs_itself(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("a.jpg", b"some bytes")
    bucket.put("slow.jpg", b"never")
    store = Objects(bucket.address)
    held = threading.Event()
    get_file = type(store._fs).get_file

    def hanging(self: object, path: str, target: str, **options: object) -> object:
        return held.wait(60) if path.endswith("slow.jpg") else get_file(self, path, target, **options)

    monkeypatch.setattr(type(store._fs), "get_file", hanging, raising=False)
    fetcher = Fetcher(1, within(0.3))
    slow, other = fetcher.submit(task(bucket, b"slow.jpg")), fetcher.submit(task(bucket, b"a.jpg"))
    with other.result(20):
        pass
    with pytest.raises(TimeoutError, match="did not answer for"):
        slow.result(20)
    held.set()
    fetcher.close()


def test_a_worker_far_from_the_library_reads_objects_itself(bucket: Bucket) -> None:
    """As workers on Ray do: they are given an address and a path, and send a hash, pixels and a thumbnail."""
    data = encoded(photo(320, 240), "JPEG")
    bucket.put("a.jpg", data)
    bucket.put("broken.jpg", b"no picture")
    preprocess = {1: model_for("demo", (), offline=True).preprocess}
    reader = AskingReader(preprocess, start_workers(1, None), 1, {}, lambda number, digest: Answer())
    try:
        result, thumbnail = reader.read(Job(1, task(bucket, b"a.jpg"))).result(60)
        assert (result.hash, thumbnail is not None, set(result.pixels)) == (hashlib.sha256(data).digest(), True, {1})
        assert result.file.ctime_ns == Objects(bucket.address).facts(b"a.jpg").version
        result, _ = reader.read(Job(2, task(bucket, b"broken.jpg"))).result(60)
        assert result.failed is not None
        result, _ = reader.read(Job(3, task(bucket, b"gone.jpg"))).result(60)
        assert result.gone
    finally:
        reader.close()
