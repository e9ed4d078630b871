"""Cosines are the same to the bit, whether numpy or the compiled kernel computes them."""

from __future__ import annotations

import numpy as np
import pytest

from store.arrays import Floats, Halves, Rows
from store.vectors import exact, exact_kernel


def _some(dim: int, count: int, seed: int) -> tuple[Halves, Rows, Floats]:
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((count, dim)).astype(np.float16)
    matrix[::7] *= np.float16(1e-6)  # subnormal: without an exponent
    matrix[3] = -0.0
    return matrix, random.permutation(count)[: count - 1], random.standard_normal((6, dim), np.float32)


@pytest.mark.parametrize("converting", [False, True])
@pytest.mark.parametrize("dim", [1, 15, 16, 64, 500])
def test_the_kernel_gives_the_bits_that_numpy_gives(dim: int, converting: bool) -> None:
    if converting and not exact_kernel.converts():
        pytest.skip("this processor has no instruction for half precision")
    matrix, rows, queries = _some(dim, 90, dim)
    few = exact.cosines(matrix, rows, queries)
    kernel = exact_kernel.compiled(exact.GROUP, exact.LANES, converting=converting)
    padded = np.zeros((8, dim), np.float32)
    padded[:6] = queries
    found = np.empty_like(few)
    kernel(*(each.ctypes.data for each in (matrix, rows, padded, found)), 6, len(rows), dim, 0, len(rows))
    assert few.tobytes() == found.tobytes()
    np.testing.assert_allclose(
        few, queries.astype(np.float64) @ matrix[rows].astype(np.float64).T, rtol=1e-4, atol=1e-4
    )


def test_a_score_does_not_change_when_the_compiler_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, rows, queries = _some(48, 3_000, 1)
    before = exact.cosines(matrix, rows, queries)
    monkeypatch.setattr(exact, "WORTH_COMPILING", 0)
    assert exact.cosines(matrix, rows, queries).tobytes() == before.tobytes()
    # Nor by what is asked beside it.
    assert exact.cosines(matrix, rows[5:6], queries[2:3])[0, 0] == before[2, 5]
