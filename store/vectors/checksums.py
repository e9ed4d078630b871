"""Checksums of rows, as fast as reading them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from store.arrays import Halves, Rows
from store.vectors.kernels import PIECE_BYTES, compiling, in_pieces

_Kernel = Callable[..., None]

# Fewer rows than this are summed up by numpy, in 1.5 microseconds each: not worth a compiler.
MIN_COMPILED_ROWS: Final = 8_192
# D. E. Knuth, "The Art of Computer Programming", volume 3, section 6.4.
_KNUTH: Final = np.uint64(2_654_435_761)


def of_rows(matrix: Halves, rows: Rows | None = None) -> NDArray[np.uint32]:
    """A checksum of each row, or of some, uint32 (w,): any one changed number changes it.

    The row's 16-bit words, each times an odd number of its own, summed up modulo 2^32.

    Args:
        matrix: float16 (n, dim), contiguous.
        rows: row numbers int64 (w,), each of 0 to n - 1, which is not checked.
    """
    rows = np.arange(len(matrix)) if rows is None else np.ascontiguousarray(rows, np.int64)
    words, sums, factors = matrix.view(np.uint16), np.empty(len(rows), np.uint32), weights(matrix.shape[1])
    if len(rows) < MIN_COMPILED_ROWS:
        for start in range(0, len(rows), 1_024):
            part = words[rows[start : start + 1_024]]
            sums[start : start + 1_024] = (part * factors).sum(axis=1, dtype=np.uint32)
        return sums
    with compiling:
        kernel = _compiled()
    in_pieces(
        lambda first, last: kernel(words, rows, factors, sums, first, last),
        len(rows),
        PIECE_BYTES // matrix.strides[0],
    )
    return sums


def weights(count: int) -> NDArray[np.uint32]:
    """The factors of `count` words in a checksum, uint32 (count,)."""
    return (np.arange(1, count + 1, dtype=np.uint64) * _KNUTH % 2**32 | 1).astype(np.uint32)


@cache
def _compiled() -> _Kernel:
    from numba import njit, types

    def add_up(matrix, rows, weights, out, first, last) -> None:  # type: ignore[no-untyped-def]  # pragma: no cover
        for place in range(first, last):
            row, total = rows[place], np.uint32(0)
            for i in range(matrix.shape[1]):
                total += np.uint32(matrix[row, i]) * weights[i]
            out[place] = total

    def array(kind: Any, dimensions: int, *, readonly: bool = True) -> Any:
        return types.Array(kind, dimensions, "C", readonly=readonly)

    signature = types.void(
        array(types.uint16, 2), array(types.int64, 1), array(types.uint32, 1), array(types.uint32, 1, readonly=False),
        types.int64, types.int64,
    )  # fmt: skip
    kernel: _Kernel = njit([signature], nogil=True)(add_up)
    return kernel
