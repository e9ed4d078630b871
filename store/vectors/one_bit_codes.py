"""One bit a dimension: which rows may be near a query, from a sixteenth of the bytes.

The codes are those of FAISS's `RaBitQuantizer`: the signs of a row, turned and centred, and two factors that make an
unbiased estimate of its cosine from them. J. Gao and C. Long, "RaBitQ: Quantizing High-Dimensional Vectors with a
Theoretical Error Bound for Approximate Nearest Neighbor Search", SIGMOD 2024. FAISS makes them; a kernel of our own
reads them, since FAISS's scan works on one core, gives a fixed number of best rows, and knows no filter:
docs/benchmarks.md.

Rows are turned first, by one random rotation for all, because signs say most where no dimension stands out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from store.arrays import Floats, Ids
from store.vectors.growable_array import Growing
from store.vectors.kernels import compiling, in_pieces

Words = NDArray[np.uint64]
_Kernel = Callable[..., int]

WORD: Final = 64  # bits; a code's length is a multiple of it
PLANES: Final = 4  # bits of a query's number. With 8 the estimate is 2 % nearer, and takes half as long again.
BLOCK: Final = 16_384  # rows encoded at a time
PIECE_ROWS: Final = 16_384  # rows that a thread looks at before it takes the next


class Coder:
    """Turns rows of one space into codes, and queries into what codes are compared with.

    Attributes:
        words: 64-bit words of a code, its two factors included.
        centre: mean of the turned rows, float32 (padded dim,).
    """

    def __init__(self, dim: int, centre: Floats | None = None, *, sample: Floats | None = None) -> None:
        """`centre` as it was before, or `sample`, rows float32 (n, dim) to take the mean of."""
        self.dim = dim
        self.padded = -(-dim // WORD) * WORD
        self.words = self.padded // WORD + 1
        self._turn = _rotation(self.padded)
        if centre is None:
            centre = self.turned(sample).mean(axis=0) if sample is not None and len(sample) else None
        self.centre: Floats = np.zeros(self.padded, np.float32) if centre is None else centre

    def turned(self, rows: NDArray[np.floating[Any]]) -> Floats:
        """Rows (n, dim) rotated, float32 (n, padded dim)."""
        return np.asarray(rows.astype(np.float32) @ self._turn[: self.dim], np.float32)

    @cached_property
    def _faiss(self) -> Any:
        import faiss  # when it is first needed: importing it takes longer than all else that `status` does

        index = faiss.IndexRaBitQ(self.padded, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(self.centre, index.center)
        index.is_trained = True
        return index

    def encode(self, rows: NDArray[np.float16]) -> Words:
        """Codes uint64 (n, words) of rows (n, dim): the signs, then the two factors as float32."""
        made = np.empty((len(rows), self.words), np.uint64)
        for start in range(0, len(rows), BLOCK):
            part = rows[start : start + BLOCK]
            made[start : start + BLOCK] = self._faiss.sa_encode(self.turned(part)).view(np.uint64)
        return made

    def aim(self, query: Floats) -> Aim:
        """What the codes are compared with, of a query (dim,)."""
        turned = self.turned(query[None])[0]
        off = turned - self.centre
        # Whole numbers of four bits in two's complement: each bit a plane, the highest one counted below zero.
        step = max(float(np.abs(off).max()) / (2 ** (PLANES - 1) - 0.5), 1e-12)
        whole = np.clip(np.rint(off / step), -(2 ** (PLANES - 1)), 2 ** (PLANES - 1) - 1).astype(np.int8)
        bits = (whole.view(np.uint8)[None] >> np.arange(PLANES, dtype=np.uint8)[:, None]) & 1
        planes = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
        root = math.sqrt(self.padded)
        # FAISS: -1/2 (factor 0 + |q - c|^2 - |q|^2 - 2 factor 1 <q - c, signs> / sqrt(d)).
        base = 0.5 * (float(turned @ turned) - float(off @ off))
        return Aim(planes, 2 * step / root, -step * float(whole.sum()) / root, base)


@cache
def _rotation(dim: int) -> Floats:
    """A random rotation, float32 (dim, dim), always the same: codes on the disk were made with it."""
    random = np.random.default_rng(20_261_121).standard_normal((dim, dim))
    return np.asarray(np.linalg.qr(random)[0], np.float32)


@dataclass(frozen=True, slots=True)
class Aim:
    """A query as codes are compared with it: bit planes uint64 (4, words - 1), and what turns a count into a cosine."""

    planes: Words
    scale: float
    shift: float
    base: float


class Codes:
    """The codes of the first rows of an index."""

    def __init__(self, coder: Coder, codes: Words | None = None) -> None:
        self.coder = coder
        self._codes: Growing[np.uint64] = Growing((coder.words,), np.uint64, codes)

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def words(self) -> Words:
        """All of them, uint64 (n, words): a view, valid until more are added."""
        return self._codes.view

    def extend(self, codes: Words) -> None:
        """Append codes, uint64 (n, words)."""
        self._codes.extend(codes)

    def estimates(self, aim: Aim, rows: Ids) -> Floats:
        """Estimated cosines float32 (n,) of rows."""
        return _scan(self.words, aim, rows, -math.inf)[1]

    def above(self, aim: Aim, floor: float, rows: Ids | None = None) -> Ids:
        """Rows whose estimated cosine is `floor` or more, of `rows` or of all; in their order."""
        return _scan(self.words, aim, rows, floor)[0]


def _scan(codes: Words, aim: Aim, rows: Ids | None, floor: float) -> tuple[Ids, Floats]:
    """The rows, and the estimates of those, that reach a floor."""
    count = len(codes) if rows is None else len(rows)
    listed = np.empty(0, np.int64) if rows is None else np.ascontiguousarray(rows, np.int64)
    # Reserved, not filled: memory is taken where something is written.
    found, estimates, kernel = np.empty(count, np.int64), np.empty(count, np.float32), prepare()

    def scan(first: int, last: int) -> tuple[int, int]:
        many = kernel(
            codes, codes.view(np.float32), listed, rows is not None, aim.planes, np.float32(aim.scale),
            np.float32(aim.shift), np.float32(aim.base), np.float32(floor), found, estimates, first, last,
        )  # fmt: skip
        return first, first + int(many)

    parts = in_pieces(scan, count, PIECE_ROWS)
    if not parts:
        return found, estimates
    return (np.concatenate([found[first:end] for first, end in parts]),
            np.concatenate([estimates[first:end] for first, end in parts]))  # fmt: skip


def prepare() -> _Kernel:
    """The kernel, compiled now if it was not yet."""
    with compiling:
        return _compiled()


@cache
def _compiled() -> _Kernel:
    from numba import njit, types

    ones = _population_count()

    def scan(  # type: ignore[no-untyped-def]  # pragma: no cover - it runs as machine code
        codes, factors, rows, listed, planes, scale, shift, base, floor, found, estimates, first, last
    ) -> Any:
        words, end = codes.shape[1] - 1, factors.shape[1]
        kept = first
        for place in range(first, last):
            row = rows[place] if listed else place
            total = np.int64(0)
            for word in range(words):
                bits = codes[row, word]
                total += (
                    np.int64(ones(bits & planes[0, word]))
                    + 2 * np.int64(ones(bits & planes[1, word]))
                    + 4 * np.int64(ones(bits & planes[2, word]))
                    - 8 * np.int64(ones(bits & planes[3, word]))
                )
            estimate = (
                factors[row, end - 1] * (scale * np.float32(total) + shift)
                - np.float32(0.5) * factors[row, end - 2]
                + base
            )
            if estimate >= floor:
                found[kept] = row
                estimates[kept] = estimate
                kept += 1
        return kept - first

    def array(kind: Any, dimensions: int, *, readonly: bool = True) -> Any:
        return types.Array(kind, dimensions, "C", readonly=readonly)

    single, whole = types.float32, types.int64
    signature = types.int64(
        array(types.uint64, 2), array(single, 2), array(whole, 1), types.boolean, array(types.uint64, 2),
        single, single, single, single, array(whole, 1, readonly=False), array(single, 1, readonly=False), whole, whole,
    )  # fmt: skip
    kernel: _Kernel = njit([signature], nogil=True)(scan)
    return kernel


def _population_count() -> Any:
    """A function of numba's that counts the ones of a word; LLVM's `llvm.ctpop`, one instruction where there is one."""
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def ones(context: Any, word: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.ctpop(arguments[0])

        return types.uint64(types.uint64), generate

    return ones
