"""The bound on pixels that are decoded at once."""

from __future__ import annotations

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from pictures import encoded, photo

from sightline.images.budget import PixelBudget
from sightline.images.decode import decode


def test_pictures_beyond_the_budget_wait_and_a_larger_one_is_alone() -> None:
    budget, lock = PixelBudget(100), threading.Lock()
    held, most = [], []

    def work(pixels: int) -> None:
        with budget.hold(pixels):
            with lock:
                held.append(pixels)
                most.append(list(held))
            time.sleep(0.002)
            with lock:
                held.remove(pixels)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [30, 60, 250, 10, 90, 100, 500, 40] * 4))
    assert all(sum(together) <= 100 or len(together) == 1 for together in most)
    assert any(len(together) > 1 for together in most)


def test_every_picture_comes_through_a_small_budget() -> None:
    data = [encoded(photo(96, 64), kind) for kind in ("PNG", "JPEG", "WEBP", "TIFF")] + [
        b"\x89PNG\r\n\x1a\nrubbish"
    ] * 2
    budget = PixelBudget(1)

    def shape(each: bytes) -> tuple[int, ...]:
        try:
            return decode(io.BytesIO(each), need=32, budget=budget).pixels.shape
        except Exception:  # noqa: BLE001 - a failure must give its pixels back, too
            return ()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(shape, data * 3)) == ([(64, 96, 3)] * 4 + [()] * 2) * 3
