"""Cosines of half-precision rows to a few queries: exact, in one pass over memory, on all cores.

Compiled when first needed (0.5 s with numba's import), into memory only: a cache on disk would have to find a folder
that it may write.

Measured on 2 cores of an AMD EPYC with AVX-512 and 1M x 512, 1 GB, whose copy took 49 ms, and looking for its greatest
number with both cores 23 ms: one query 25 ms, three 26, eight 46. FAISS's scan took 30 ms for one query and 63 for
three; torch, in chunks turned into float32 by two threads, 43 and 73; numpy the same way 870 and 930.
docs/decisions/details-of-the-exact-kernel.md has more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np

from store.arrays import Floats, Halves, Rows
from store.vectors.kernels import AHEAD, LINE, PIECE_BYTES, compiling, in_pieces, prefetching

# Queries that share one pass over a row. The kernel always works on so many at once, so that a query's cosines are the
# same to the bit whatever is asked beside it; a query alone takes about a fifth longer for that.
GROUP: Final = 4

_Kernel = Callable[..., None]


def cosines(matrix: Halves, rows: Rows, queries: Floats) -> Floats:
    """Dot products of some rows with each query, summed up in single precision.

    Reading the wanted rows one by one is worth it at nearly every share: of 1M x 512, 1 % took 1.1 ms, 10 % 4.6,
    50 % 17, 75 % 23, and all 25. At 90 % it took between as long as all and 14 % longer, too little for another way.

    Args:
        matrix: float16 (n, dim), contiguous, finite.
        rows: row numbers int64 (w,), each of 0 to n - 1, in any order; not checked.
        queries: float32 (m, dim).

    Returns:
        float32 (m, w). For unit vectors within 2e-6 of the exact value. The same bits for the same row and query on one
        machine, whatever other rows and queries are asked for, and however many threads there are.
    """
    count, dim = len(queries), matrix.shape[1]
    out = np.empty((count, len(rows)), np.float32)
    if not out.size:
        return out
    padded = np.zeros((-(-count // GROUP) * GROUP, dim), np.float32)
    padded[:count] = queries
    bits, rows, kernel = matrix.view(np.uint16), np.ascontiguousarray(rows, np.int64), prepare()
    in_pieces(lambda first, last: kernel(bits, rows, padded, out, first, last), len(rows), PIECE_BYTES // (2 * dim))
    return out


def prepare() -> _Kernel:
    """The kernel, compiled now if it was not yet."""
    with compiling:
        return _compiled()


@cache
def _compiled() -> _Kernel:
    # Only a search needs numba; importing it takes 0.2 s.
    from numba import njit, types

    prefetch = prefetching()

    def score(  # type: ignore[no-untyped-def]  # pragma: no cover - it runs as machine code
        matrix, rows, queries, out, first, last
    ) -> None:
        dim, count, base = matrix.shape[1], out.shape[0], matrix.ctypes.data
        zero, scale = np.float32(0), np.float32(2.0**-24)
        for place in range(first, last):
            row = rows[place]
            if place + AHEAD < last:
                ahead = base + rows[place + AHEAD] * dim * 2
                for byte in range(0, dim * 2, LINE):
                    prefetch(ahead + byte)
            for query in range(0, count, GROUP):
                sum0 = sum1 = sum2 = sum3 = zero
                for i in range(dim):
                    # IEEE 754 half to single by integers: not every processor has an instruction for it, and LLVM
                    # calls for a library that is not there where it lacks one. The exponent's bias grows by 112; what
                    # is below 2**-14 (subnormal) has none and counts in steps of 2**-24.
                    half = np.uint32(matrix[row, i])
                    size = half & np.uint32(0x7FFF)
                    value = np.uint32((size << np.uint32(13)) + np.uint32(112 << 23)).view(np.float32)
                    if size < np.uint32(0x0400):
                        value = np.float32(np.int32(size)) * scale
                    if half != size:
                        value = -value
                    sum0 += value * queries[query, i]
                    sum1 += value * queries[query + 1, i]
                    sum2 += value * queries[query + 2, i]
                    sum3 += value * queries[query + 3, i]
                out[query, place] = sum0
                if query + 1 < count:
                    out[query + 1, place] = sum1
                if query + 2 < count:
                    out[query + 2, place] = sum2
                if query + 3 < count:
                    out[query + 3, place] = sum3

    def array(kind: Any, dimensions: int, *, readonly: bool = True) -> Any:
        return types.Array(kind, dimensions, "C", readonly=readonly)

    signature = types.void(
        array(types.uint16, 2), array(types.int64, 1), array(types.float32, 2),
        array(types.float32, 2, readonly=False), types.int64, types.int64,
    )  # fmt: skip
    # Sums may be reordered, which is what lets LLVM add up in vectors: once, when compiled, not from call to call.
    kernel: _Kernel = njit([signature], fastmath={"reassoc", "contract", "nsz"}, nogil=True)(score)
    return kernel
