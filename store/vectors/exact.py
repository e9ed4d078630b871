"""Cosines of half-precision rows to a few queries: exact, in one pass over memory, on all cores.

By our own kernel, which `llvmlite` compiles into memory, or by numpy where that is sooner done: importing and compiling
takes 0.06 s of processor time and 45 MB; numpy takes as long for some 50,000 rows of 512 numbers. Both give the
same bits: `LANES` sums of every sixteenth product, in order, each rounded to single precision, then added up in pairs.

Measured on 2 cores of an AMD EPYC with AVX-512 and 1M x 512, 1 GB, whose copy took 49 ms, and looking for its greatest
number with both cores 23 ms: one query 25 ms, three 26, eight 46. FAISS's scan took 30 ms for one query and 63 for
three; torch, in chunks turned into float32 by two threads, 43 and 73; numpy the same way 870 and 930.
docs/decisions/details-of-the-exact-kernel.md has more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np

from store.arrays import Floats, Halves, Rows
from store.vectors.kernels import PIECE_BYTES, compiling, in_pieces

# Queries that share one pass over a row. The kernel always works on so many at once, so that a query's cosines are the
# same to the bit whatever is asked beside it; a query alone takes about a fifth longer for that.
GROUP: Final = 4
# Sums that a product is added to, in turn: the width of the widest registers.
LANES: Final = 16
# Multiplications that numpy does in the time that the compiler takes.
WORTH_COMPILING: Final = 25_000_000
_NUMPY_ROWS: Final = 512  # at a time: they stay in the processor's cache

_Kernel = Callable[..., None]
_done_by_numpy, _counting = [0], threading.Lock()


def cosines(matrix: Halves, rows: Rows, queries: Floats) -> Floats:
    """Dot products of some rows with each query, summed up in single precision.

    Reading the wanted rows one by one is worth it at nearly every share: of 1M x 512, 1 % took 1.1 ms, 10 % 4.6,
    50 % 17, 75 % 23, and all 25. At 90 % it took between as long as all and 14 % longer, too little for another way.

    Args:
        matrix: float16 (n, dim), contiguous, finite.
        rows: row numbers int64 (w,), each of 0 to n - 1, in any order; not checked.
        queries: float32 (m, dim).

    Returns:
        float32 (m, w). For unit vectors within 2e-6 of the exact value. The same bits for the same row and query,
        whatever other rows and queries are asked for, however many threads there are, and on every machine.
    """
    count, dim = len(queries), matrix.shape[1]
    out = np.empty((count, len(rows)), np.float32)
    if not out.size:
        return out
    rows = np.ascontiguousarray(rows, np.int64)
    if not _is_worth_compiling(out.size * dim):
        _by_numpy(matrix, rows, queries, out)
        return out
    padded = np.zeros((-(-count // GROUP) * GROUP, dim), np.float32)
    padded[:count] = queries
    kernel = prepare()
    addresses = [array.ctypes.data for array in (matrix, rows, padded, out)]
    in_pieces(
        lambda first, last: kernel(*addresses, count, len(rows), dim, first, last), len(rows), PIECE_BYTES // (2 * dim)
    )
    return out


def prepare() -> _Kernel:
    """The kernel, compiled now if it was not yet."""
    with compiling:
        return _compiled()


@cache
def _compiled() -> _Kernel:
    from store.vectors import exact_kernel  # only large libraries need it

    _done_by_numpy[0] = WORTH_COMPILING  # nothing is saved by going on with numpy
    return exact_kernel.compiled(GROUP, LANES, converting=exact_kernel.converts())


def _is_worth_compiling(work: int) -> bool:
    """Whether numpy would have taken longer by now than the compiler: for all it did so far, and for this."""
    with _counting:
        if _done_by_numpy[0] + work > WORTH_COMPILING:
            return True
        _done_by_numpy[0] += work
        return False


def _by_numpy(matrix: Halves, rows: Rows, queries: Floats, out: Floats) -> None:
    """Do what the kernel does, without a compiler: `cosines` into `out`, float32 (m, w)."""
    dim = matrix.shape[1]
    whole = dim // LANES * LANES
    for start in range(0, len(rows), _NUMPY_ROWS):
        numbers = np.ascontiguousarray(matrix[rows[start : start + _NUMPY_ROWS]].T, np.float32)
        products = np.empty_like(numbers)
        for query, found in zip(queries, out, strict=True):
            np.multiply(numbers, query[:, None], out=products)
            sums = np.zeros((LANES, numbers.shape[1]), np.float32)
            for at in range(0, whole, LANES):
                sums += products[at : at + LANES]
            while len(sums) > 1:
                sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
            for at in range(whole, dim):
                sums += products[at]
            found[start : start + _NUMPY_ROWS] = sums[0]
