"""Cosines of half-precision rows to a few queries: exact, in one pass over memory, on all cores.

Compiled when first needed (0.5 s with numba's import), into memory only: a cache on disk would have to find a folder
that it may write.

Measured on 2 cores of an AMD EPYC with AVX-512 and 1M x 512, 1 GB, whose copy took 49 ms, and looking for its greatest
number with both cores 23 ms: one query 25 ms, three 26, eight 46. FAISS's scan took 30 ms for one query and 63 for
three; torch, in chunks turned into float32 by two threads, 43 and 73; numpy the same way 870 and 930.
docs/benchmarks.md has more.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

THREADS: Final = os.cpu_count() or 1
# The smallest piece that is handed to a thread. 10,000 x 512 took 0.50 ms so, 0.58 in pieces of 0.25 MB, 0.59 of 8 MB.
PIECE_BYTES: Final = 2 << 20
# Queries that share one pass over a row. The kernel always works on so many at once, so that a query's cosines are the
# same to the bit whatever is asked beside it; a query alone takes about a fifth longer for that.
GROUP: Final = 4
# Rows ahead to call for. Wanted rows lie apart, and a processor guesses only at what comes next in a line: with 10 %
# of 1M x 512 wanted, none ahead took 13.0 ms, 1: 7.1, 2: 5.5, 4: 4.6, 8: 4.9.
AHEAD: Final = 4
LINE: Final = 64  # bytes of a cache line

# Fewer rows than this are summed up by numpy, 1.5 microseconds each.
FEW: Final = 8_192
_KNUTH: Final = np.uint64(2_654_435_761)  # D. E. Knuth, "The Art of Computer Programming", volume 3, section 6.4

# A table from id to row is kept while it has at most so many entries a row: 64 bytes beside a vector's 1,000 or more.
TABLE_SHARE: Final = 8

_Kernel = Callable[..., None]
_Made = TypeVar("_Made")
compiling = threading.Lock()  # numba compiles one at a time


class RowNumbers:
    """Which row holds which content; of one state of an index.

    Of 1M rows, finding 100,000 ids in the table takes 0.1 ms; by bisection of sorted ids 3.5 ms.

    Attributes:
        ids: content ids by row, int64 (n,), not to be written to.
    """

    def __init__(self, ids: NDArray[np.int64]) -> None:
        """`ids`: content ids by row, int64 (n,), none twice."""
        self.ids = ids
        self.ids.setflags(write=False)

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row numbers int64 (n,) of content ids, -1 for one that has none."""
        if not len(self.ids):
            return np.full(len(ids), -1, np.int64)
        if self._table is not None:
            return self._table.take(ids + 1, mode="clip")
        ordered, order = self._sorted
        places = np.minimum(np.searchsorted(ordered, ids), len(ordered) - 1)
        return np.where(ordered[places] == ids, order[places], -1)

    # Made when first asked for: with 10M rows they take longer than all else that opening an index does.
    @cached_property
    def _table(self) -> NDArray[np.int64] | None:
        """Rows by id + 1, -1 for none; both ends hold -1. None where ids lie too far apart."""
        size = int(self.ids.max(initial=-1)) + 1
        if int(self.ids.min(initial=0)) < 0 or size > TABLE_SHARE * len(self.ids):
            return None
        table = np.full(size + 2, -1, np.int64)
        table[self.ids + 1] = np.arange(len(self.ids))
        return table

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The ids in their order, and the row of each."""
        order = np.argsort(self.ids, kind="stable")
        return self.ids[order], order


def cosines(matrix: NDArray[np.float16], rows: NDArray[np.int64], queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dot products of some rows with each query, summed up in single precision.

    Reading the wanted rows one by one is worth it at nearly every share: of 1M x 512, 1 % took 1.1 ms, 10 % 4.6,
    50 % 17, 75 % 23, and all 25. At 90 % it took between as long as all and 14 % longer, too little for another way.

    Args:
        matrix: (n, dim), contiguous, finite.
        rows: row numbers (w,), each of 0 to n - 1, in any order. Not checked.
        queries: (m, dim).

    Returns:
        (m, w). For unit vectors within 2e-6 of the exact value. The same bits for the same row and query on one
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


def in_pieces(work: Callable[[int, int], _Made], count: int, least: int) -> list[_Made]:
    """What `work(first, last)` gives for pieces of 0 to `count`, none below `least`, in their order; on all cores.

    `work` should let go of Python's lock.
    """
    # Four pieces a thread: one that something else slows down is made up for by the others.
    piece = max(-(-count // (4 * THREADS)), least, 1)
    starts = range(0, count, piece)
    if len(starts) <= 1 or THREADS == 1:
        return [work(0, count)] if count else []
    return list(_pool().map(lambda start: work(start, min(start + piece, count)), starts))


def best(ids: NDArray[np.int64], scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Places of the `count` highest scores (n,), best first, equal scores by id."""
    if count <= 0:
        return np.empty(0, np.int64)
    if count < len(scores):
        # Everything from the last place up, ties at the edge included: what the edge leaves out, the ids decide.
        edge = np.partition(scores, len(scores) - count)[len(scores) - count]
        places = np.flatnonzero(scores >= edge)
    else:
        places = np.arange(len(scores))
    return np.asarray(places[np.lexsort((ids[places], -scores[places]))][:count], np.int64)


def prepare() -> _Kernel:
    """The kernel, compiled now if it was not yet: call ahead of the first search, so that it need not wait."""
    with compiling:
        return _compiled()


def checks(matrix: NDArray[np.float16], rows: NDArray[np.int64] | None = None) -> NDArray[np.uint32]:
    """A checksum of each row, or of some, uint32 (w,): any one changed number changes it.

    The row's 16-bit words, each times an odd number of its own, summed up modulo 2^32: as fast as reading them.

    Args:
        matrix: (n, dim), contiguous.
        rows: row numbers (w,). Not checked.
    """
    rows = np.arange(len(matrix)) if rows is None else np.ascontiguousarray(rows, np.int64)
    bits, made, each = matrix.view(np.uint16), np.empty(len(rows), np.uint32), weights(matrix.shape[1])
    if len(rows) < FEW:
        # Not worth a compiler.
        for start in range(0, len(rows), 1_024):
            part = bits[rows[start : start + 1_024]]
            made[start : start + 1_024] = (part * each).sum(axis=1, dtype=np.uint32)
        return made
    with compiling:
        kernel = _compiled_checks()
    in_pieces(
        lambda first, last: kernel(bits, rows, each, made, first, last), len(rows), PIECE_BYTES // matrix.strides[0]
    )
    return made


def weights(count: int) -> NDArray[np.uint32]:
    """What each of so many words counts in a checksum, uint32 (count,)."""
    return (np.arange(1, count + 1, dtype=np.uint64) * _KNUTH % 2**32 | 1).astype(np.uint32)


@cache
def _compiled_checks() -> _Kernel:
    from numba import njit, types

    def check(matrix, rows, weights, out, first, last) -> None:  # type: ignore[no-untyped-def]  # pragma: no cover
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
    kernel: _Kernel = njit([signature], nogil=True)(check)
    return kernel


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="scoring")


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


def prefetching() -> Any:
    """A function of numba's that asks for the cache line at an address; LLVM's `llvm.prefetch`, read, keep, data."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def prefetch(context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer, number, name = ir.IntType(8).as_pointer(), ir.IntType(32), "llvm.prefetch.p0"
            kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
            function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
            builder.call(function, [builder.inttoptr(arguments[0], pointer), number(0), number(3), number(1)])
            return context.get_dummy_value()

        return types.void(types.intp), generate

    return prefetch
