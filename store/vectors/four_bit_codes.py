"""Four bits a dimension: which of the rows that one-bit codes find are worth reading whole.

A row in half precision takes four times as much, and rows lie apart on the disk: where they do not all fit into memory,
those that are read decide how long a search takes. Four bits leave a hundredth of them for the ten nearest, and some
thousands for a page (docs/decisions/four-bit-codes.md).

A row is rotated and centred as for its code of one bit, and each dimension rounded to one of 16 levels between plus and
minus `REACH` deviations; one factor a row makes the estimate of its own length right, as in RaBitQ (see
`store.vectors.one_bit_codes`). FAISS has such codes too (RaBitQ with `nb_bits=4`): their estimates are off by 0.0037
where these are by 0.0034, and it takes three times as long to make them.

Codes are made when an index is saved, and lie in a file that is mapped: rows that are in memory alone need none. Each
has a checksum of its own, like the rows: opening reads none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from store.arrays import Bytes, Floats, Halves, Mask, Rows
from store.vectors import checksums, kernels
from store.vectors.one_bit_codes import BLOCK, WORD, Quantizer

_Kernel = Callable[..., None]

LEVELS: Final = 16
MIDDLE: Final = np.float32((LEVELS - 1) / 2)
# Of 16 levels these put the estimate nearest: off by 0.0033, with 2.3 or 3.1 deviations by 0.0035 and more.
REACH: Final = 2.7
_FACTOR, _CHECK = slice(-8, -4), slice(-4, None)  # of the bytes of a code
# As in `exact`: sums may be reordered, once and for all when a kernel is compiled.
_SUMS: Final[dict[str, Any]] = {"fastmath": {"reassoc", "contract", "nsz"}, "nogil": True}
_PIECE_ROWS: Final = 2_048  # rows that a thread looks at before it takes the next


def width(dim: int) -> int:
    """Bytes of the code of a row of `dim` numbers."""
    return -(-dim // WORD) * WORD // 2 + 8


def encode(quantizer: Quantizer, rows: Halves) -> Bytes:
    """Codes uint8 (n, width) of rows (n, dim).

    Two levels a byte, the second half's above the first's; then a factor, and a checksum.
    """
    codes = np.zeros((len(rows), width(quantizer.dim)), np.uint8)
    with kernels.compiling:
        kernel = _compiled_encoding()
    for start in range(0, len(rows), BLOCK):
        residual = quantizer.rotate(rows[start : start + BLOCK]) - quantizer.centroid
        part = codes[start : start + BLOCK]
        kernels.in_pieces(partial(kernel, residual, part, part[:, _FACTOR].view(np.float32)), len(part), _PIECE_ROWS)
        part[:, _CHECK] = _checksums(part)[:, None].view(np.uint8)
    return codes


class FourBitCodes:
    """The finer codes of the first rows of an engine, in a file that is mapped."""

    def __init__(self, quantizer: Quantizer, codes: Bytes) -> None:
        """`codes`: uint8 (n, width)."""
        self._quantizer = quantizer
        self._codes = codes
        self._verified = np.zeros(len(codes), np.bool_)

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def codes(self) -> Bytes:
        """Its codes, uint8 (n, width)."""
        return self._codes

    def verified(self, rows: Rows) -> Mask:
        """Which of the rows' codes are what was written, (n,); each of those is looked at once."""
        new = rows[~self._verified[rows]]
        if len(new):
            stored = self._codes.view(np.uint32)[new, -1]
            # The sum was taken while there was nothing in its own place, which is two words of 16 bits.
            low, high = checksums.weights(self._codes.shape[1] // 2)[-2:]
            right = stored + low * (stored & 0xFFFF) + high * (stored >> 16)
            self._verified[new] = _checksums(self._codes, new) == right
        return self._verified[rows]

    def estimates(self, query: Floats, rows: Rows) -> Floats:
        """Estimated cosines float32 (n,) of rows to a query (dim,)."""
        rotated = self._quantizer.rotate(query[None])[0]
        base = np.float32(rotated @ self._quantizer.centroid)
        shift = MIDDLE * rotated.sum()
        found, rows, kernel = np.empty(len(rows), np.float32), np.ascontiguousarray(rows, np.int64), prepare()
        factors = self._codes[:, _FACTOR].view(np.float32)
        kernels.in_pieces(
            lambda first, last: kernel(self._codes, factors, rows, rotated, shift, base, found, first, last),
            len(rows), _PIECE_ROWS,
        )  # fmt: skip
        return found


def _checksums(codes: Bytes, rows: Rows | None = None) -> NDArray[np.uint32]:
    return checksums.of_rows(codes.view(np.float16), rows)


def prepare() -> _Kernel:
    """The kernel that reads codes, compiled now if it was not yet."""
    with kernels.compiling:
        return _compiled_estimating()


@cache
def _compiled_encoding() -> _Kernel:
    from numba import njit, types

    def encode_rows(  # type: ignore[no-untyped-def]  # pragma: no cover - it runs as machine code
        residual, codes, factors, first, last
    ) -> None:
        half = residual.shape[1] // 2
        least, middle, most = np.float32(0), np.float32(LEVELS / 2), np.float32(LEVELS - 1)
        for row in range(first, last):
            square = np.float32(0)
            for i in range(2 * half):
                square += residual[row, i] * residual[row, i]
            spread = np.sqrt(square / np.float32(2 * half))
            rate = np.float32(LEVELS / 2 / REACH) / max(spread, np.float32(1e-12))
            along = np.float32(0)
            for i in range(half):
                low = min(max(np.floor(residual[row, i] * rate) + middle, least), most)
                high = min(max(np.floor(residual[row, i + half] * rate) + middle, least), most)
                codes[row, i] = np.uint8(np.int32(low) | np.int32(high) << np.int32(4))
                along += (low - MIDDLE) * residual[row, i] + (high - MIDDLE) * residual[row, i + half]
            # So that the estimate of a row along itself is its own length.
            factors[row, 0] = square / along if along > 0 else np.float32(0)

    single = types.float32
    signature = types.void(
        types.Array(single, 2, "C", readonly=True), types.Array(types.uint8, 2, "C"), types.Array(single, 2, "A"),
        types.int64, types.int64,
    )  # fmt: skip
    kernel: _Kernel = njit([signature], **_SUMS)(encode_rows)
    return kernel


@cache
def _compiled_estimating() -> _Kernel:
    from numba import njit, types

    prefetch = kernels.prefetching()

    def read(  # type: ignore[no-untyped-def]  # pragma: no cover - it runs as machine code
        codes, factors, rows, query, shift, base, out, first, last
    ) -> None:
        half, size, begin = query.shape[0] // 2, codes.shape[1], codes.ctypes.data
        for place in range(first, last):
            row = rows[place]
            if place + kernels.AHEAD < last:
                ahead = begin + rows[place + kernels.AHEAD] * size
                for byte in range(0, size, kernels.LINE):
                    prefetch(ahead + byte)
            total = np.float32(0)
            for i in range(half):
                both = np.int32(codes[row, i])
                # By way of signed numbers: numba makes 64 bits of a byte, and four times the time of that.
                low, high = np.float32(np.int32(both & np.int32(15))), np.float32(np.int32(both >> np.int32(4)))
                total += low * query[i] + high * query[i + half]
            out[place] = factors[row, 0] * (total - shift) + base

    def array(kind: Any, dimensions: int, layout: Any = "C", *, readonly: bool = True) -> Any:
        return types.Array(kind, dimensions, layout, readonly=readonly)

    single, whole = types.float32, types.int64
    signature = types.void(
        array(types.uint8, 2), array(single, 2, "A"), array(whole, 1), array(single, 1), single, single,
        array(single, 1, readonly=False), whole, whole,
    )  # fmt: skip
    kernel: _Kernel = njit([signature], **_SUMS)(read)
    return kernel
