"""Threads, compilation and prefetching for the compiled kernels."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final, TypeVar

THREADS: Final = os.cpu_count() or 1
# The smallest piece that is handed to a thread. 10,000 x 512 took 0.50 ms so, 0.58 in pieces of 0.25 MB, 0.59 of 8 MB.
PIECE_BYTES: Final = 2 << 20
# Rows ahead to call for. Wanted rows lie apart, and a processor guesses only at what comes next in a line: with 10 %
# of 1M x 512 wanted, none ahead took 13.0 ms, 1: 7.1, 2: 5.5, 4: 4.6, 8: 4.9.
AHEAD: Final = 4
LINE: Final = 64  # bytes of a cache line

_Made = TypeVar("_Made")

compiling = threading.Lock()  # numba compiles one at a time


def in_pieces(work: Callable[[int, int], _Made], count: int, least: int) -> list[_Made]:
    """Results of `work(first, last)` for pieces of 0 to `count`, in their order; on all cores.

    `least` is the size of the smallest piece. `work` should release the GIL.
    """
    # Four pieces a thread: one that something else slows down is made up for by the others.
    piece = max(-(-count // (4 * THREADS)), least, 1)
    starts = range(0, count, piece)
    if len(starts) <= 1 or THREADS == 1:
        return [work(0, count)] if count else []
    return list(_pool().map(lambda start: work(start, min(start + piece, count)), starts))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="scoring")


def prefetching() -> Any:
    """A numba function that asks for the cache line at an address: `llvm.prefetch`, read, keep, data."""
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
