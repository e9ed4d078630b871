"""What the cache promises, whatever is put into it and asked of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
from hypothesis import given

from sightline.lru import Lru

KEYS = st.integers(0, 7)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.integers(1, 9)),
        st.tuples(st.just("get"), KEYS, st.just(0)),
        st.tuples(st.just("make"), KEYS, st.integers(1, 9)),
        st.tuples(st.just("drop"), KEYS, st.just(0)),
    ),
    max_size=60,
)
PINNED = 9


def evicted(kept: list[tuple[int, int]], most: int | None, cost: int | None, least: int) -> list[tuple[int, int]]:
    """What stays of entries, least recently used first, worked out the slow way."""
    while (most is not None and len(kept) > most) or (
        cost is not None and sum(value for _, value in kept) > cost and len(kept) > least
    ):
        out = next((entry for entry in kept if entry[1] != PINNED), None)
        if out is None:
            break
        kept = [entry for entry in kept if entry != out]
    return kept


@given(STEPS, st.none() | st.integers(1, 5), st.none() | st.integers(1, 30), st.integers(1, 3))
def test_what_was_not_used_for_longest_goes_first_and_no_bound_is_passed(
    steps: list[tuple[str, int, int]], most: int | None, cost: int | None, least: int
) -> None:
    cache: Lru[int, int] = Lru(
        most, max_cost=cost, cost=lambda value: value, min_entries=least, pinned=lambda value: value == PINNED
    )
    kept: list[tuple[int, int]] = []
    for step, key, value in steps:
        known = dict(kept).get(key)
        others = [entry for entry in kept if entry[0] != key]
        match step:
            case "put":
                cache.put(key, value)
                kept = evicted([*others, (key, value)], most, cost, least)
            case "get":
                assert cache.get(key) == known
                kept = kept if known is None else [*others, (key, known)]
            case "make":
                assert cache.get_or_make(key, lambda value=value: value) == (value if known is None else known)  # type: ignore[misc]
                kept = evicted([*others, (key, value)], most, cost, least) if known is None else [*others, (key, known)]
            case _:
                cache.drop(lambda own, key=key: own % 3 == key % 3)  # type: ignore[misc]
                kept = [entry for entry in kept if entry[0] % 3 != key % 3]
        assert cache.items() == kept


def test_threads_that_make_one_value_at_once_all_get_the_same_and_do_not_wait_for_others() -> None:
    cache: Lru[str, object] = Lru(4)
    together = threading.Barrier(4, timeout=20)

    def make() -> object:
        together.wait()  # every thread is making it by now: none holds the others off
        cache.get("another")
        return object()

    with ThreadPoolExecutor(4) as pool:
        made = [future.result() for future in [pool.submit(cache.get_or_make, "key", make) for _ in range(4)]]
    assert len(set(map(id, made))) == 1 and cache.get("key") is made[0]
