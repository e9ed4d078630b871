"""Whether two pictures are versions of one: vectors or hashes propose a pair, pixels confirm it.

A version is a picture saved anew, made smaller, brighter or grey, cut a little, framed, turned by a degree, or marked
in a corner. The looks of a pair are laid over each other, and compared where both show something:

- One is moved, scaled and sheared over the other until they fit (B. Lucas and T. Kanade, "An iterative image
  registration technique with an application to stereo vision", IJCAI 1981), with a gain and an offset for brightness,
  and less weight on what does not fit (an iteratively reweighted fit). First at half the size, from three scales.
- What is left is compared in 4 x 4 blocks, each without its mean and slope: a sky, or the light and dark of a page,
  says nothing. The *agreement* of a pair is the mean correlation of the best three quarters of the blocks that have
  detail, so that a mark in a corner does not count.

docs/decisions/versions-by-pixels.md says what was measured, on which pictures.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.images.look import SIDE
from store.arrays import CodeWords, Doubles, Floats

VERSION: Final = 0.965
"""The agreement from which two pictures are versions of one."""
NEAR_HASH: Final = 16
"""So many bits of two hashes may differ that their pictures are looked at. Of pairs of different photographs 4 in
10,000 are as near; of versions cut by a tenth, or in a frame of a thirtieth of the width, 93 in 100 are."""
FAR_HASH: Final = 20
"""With more bits that differ two pictures are no versions, however near their vectors are."""

Greys = NDArray[np.uint8]
"""Grey pictures as `sightline.images.look` makes them, uint8 (n, SIDE, SIDE)."""

_EDGE: Final = 4  # px at each side that a frame may take
_PLAIN: Final = 4.0  # levels that a plain edge may differ by
_FREQUENCIES: Final = 8  # of the hash, across and down
_SMALLEST: Final = 1e-6  # as in `sightline.images.look`: rounding must not decide the bits of flat pictures
_CHUNK: Final = 64  # pairs that are compared at a time: the processor's cache holds what they need
_HALF: Final = SIDE // 2
_BLOCKS: Final = 4  # across and down
_BLOCK: Final = SIDE // _BLOCKS
_DETAIL: Final = 1.5  # levels of deviation from which a block has detail; JPEG and rounding make less than 0.5
_FEWEST: Final = 6  # blocks with detail that it takes to tell
_SHARE: Final = 0.75  # of the blocks that have detail; the others may show a mark
_LEAST_BLOCK: Final = 0.85  # the least correlation of a block among those
_MARKED: Final = 2  # blocks that a mark in a corner takes: so many may differ altogether
# The least correlation of all other blocks, where pictures lie over each other as they are, by half a pixel at most.
# Slides of a talk, or windows of a program, lie so, and other words are below it. The edge of a frame may be as well.
_LEAST_OTHER: Final = 0.9
_STILL: Final = 0.03
_LEAST_COVER: Final = 0.4  # share of the one picture that the other has to show as well
_LEAST_FIT: Final = 0.8  # correlation at half the size below which pictures don't fit
_GOOD_FIT: Final = 0.985  # from which no other scale is tried
_ONE_WAY: Final = 0.01  # of structure in one direction to that across it, below which all edges are parallel
_SAME: Final = 1.5  # levels that pictures without detail may differ by
_RING: Final = 1.5  # px at the edge that are not compared: interpolation, and frames, blur into them
# A scale beyond these, or a turn or shear of more than 3.4 degrees, makes another picture of it.
_SCALES: Final = (0.7, 1.4)
_TURN, _SHIFT = 0.06, 0.3
_STEP: Final = 0.12  # the greatest change of a parameter in an iteration
_STARTS: Final = (1.0, 0.91, 1.1)
_COARSE, _FINE = 5, 3  # iterations


def agreement(first: Greys, second: Greys) -> Floats:
    """How well pairs of pictures agree once they lie over each other, -1 to 1, float32 (n,); symmetric.

    From `VERSION` on they are versions. NaN where nearly nothing is to be seen in them, and that is the same: whatever
    proposed the pair has to decide alone.
    """
    found = np.empty(len(first), np.float32)
    for start in range(0, len(first), _CHUNK):
        rows = slice(start, start + _CHUNK)
        found[rows] = _agreement(*_ordered(first[rows], second[rows]))
    return found


def hash_distance(first: CodeWords, second: CodeWords) -> NDArray[np.uint8]:
    """How many bits of hashes differ, uint8, broadcast."""
    return np.asarray(np.bitwise_count(first ^ second), np.uint8)


def inner_hashes(grey: Greys) -> CodeWords:
    """The hashes of pictures without the plain edges that they have, as of a frame or bars, uint64 (n,).

    They are made as those of `sightline.images.look`. Of a picture without plain edges it is the same.
    """
    levels = grey.astype(np.float32)
    sides = [_plain(levels[:, :_EDGE]), _plain(levels[:, ::-1][:, :_EDGE])]
    turned = levels.transpose(0, 2, 1)
    sides += [_plain(turned[:, :_EDGE]), _plain(turned[:, ::-1][:, :_EDGE])]
    waves = _inner_waves()
    down, across = waves[sides[0], sides[1]], waves[sides[2], sides[3]]
    coefficients = (down @ levels.astype(np.float64) @ across.transpose(0, 2, 1)).reshape(len(grey), -1)[:, 1:]
    coefficients = np.rint(coefficients / _SMALLEST)
    bits = coefficients > np.median(coefficients, axis=1, keepdims=True)
    packed = np.packbits(np.pad(bits, ((0, 0), (0, 1))), axis=1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u8").astype(np.uint64)[:, 0]


def _plain(rows: Floats) -> NDArray[np.intp]:
    """How many rows at the edge are plain, of pictures (n, _EDGE, SIDE)."""
    plain = np.abs(rows - rows[:, :1].mean(axis=2, keepdims=True)).max(axis=2) <= _PLAIN
    return np.asarray(np.logical_and.accumulate(plain, axis=1).sum(axis=1), np.intp)


@lru_cache(maxsize=1)
def _inner_waves() -> Doubles:
    """The lowest frequencies of the DCT-II of a line of SIDE pixels without some at both ends.

    By how many are left out at the start and at the end, (_EDGE + 1, _EDGE + 1, _FREQUENCIES, SIDE).
    """
    made = np.zeros((_EDGE + 1, _EDGE + 1, _FREQUENCIES, SIDE))
    for start in range(_EDGE + 1):
        for end in range(_EDGE + 1):
            count = SIDE - start - end
            # A wave at the middle of each pixel that is left, as if these were stretched over the whole line.
            at = np.outer(np.arange(_FREQUENCIES), np.arange(count) + 0.5)
            made[start, end, :, start : SIDE - end] = np.cos(np.pi / count * at) * (SIDE / count)
    return made


def _ordered(first: Greys, second: Greys) -> tuple[Floats, Floats]:
    """Pairs as floats, in an order that only their pixels decide."""
    swap = [one.tobytes() > other.tobytes() for one, other in zip(first, second, strict=True)]
    turned = np.array(swap, np.bool_)[:, None, None]
    return np.where(turned, second, first).astype(np.float32), np.where(turned, first, second).astype(np.float32)


def _agreement(first: Floats, second: Floats) -> Floats:
    kernel = _blur(SIDE)
    one, other = (np.asarray(kernel @ each @ kernel.T, np.float32) for each in (first, second))
    still = _unmoved(len(one))
    found = _compared(one, other, still)
    rest = np.flatnonzero(~(found >= VERSION))
    moves, fits = _fitted(one[rest], other[rest])
    rest, moves = rest[fits], moves[fits]
    if len(rest):
        for _ in range(_FINE):
            moves = _improved(one[rest], other[rest], moves, _RING)
        found[rest] = np.fmax(found[rest], _compared(one[rest], other[rest], moves))
    alike = np.abs(one - other - (one - other).mean(axis=(1, 2), keepdims=True)).max(axis=(1, 2)) <= _SAME
    return np.where(np.isnan(found) & ~alike, np.float32(-1), found)


def _fitted(one: Floats, other: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The moves that lay the second of each pair over the first, at half the size, and whether they fit."""
    small = [
        _blur(_HALF) @ each.reshape(-1, _HALF, 2, _HALF, 2).mean(axis=(2, 4)) @ _blur(_HALF).T for each in (one, other)
    ]
    best, fit = _unmoved(len(one)), np.full(len(one), -1, np.float32)
    for scale in _STARTS:
        rows = np.flatnonzero(fit < _GOOD_FIT)
        if not len(rows):
            break
        mine, theirs, moves = small[0][rows], small[1][rows], _unmoved(len(rows), scale)
        for _ in range(_COARSE):
            moves = _improved(mine, theirs, moves, 1.0)
        moved, weights = _moved(theirs, moves, 1.0)[:2]
        reached = _correlation(mine.reshape(len(rows), _HALF * _HALF), moved, weights)
        reached[weights.mean(axis=1) < _LEAST_COVER] = -1
        better = reached > fit[rows]
        best[rows[better]], fit[rows[better]] = moves[better], reached[better]
    return best, fit >= _LEAST_FIT


def _unmoved(count: int, scale: float = 1.0) -> Floats:
    """Moves that only scale: (a, b, c, d, e, f) takes (x, y) to (ax + by + c, dx + ey + f)."""
    return np.tile(np.array([scale, 0, 0, 0, scale, 0], np.float32), (count, 1))


def _moved(pictures: Floats, moves: Floats, ring: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Pictures moved, by bilinear interpolation.

    Returns:
        Levels, weights (0 at the edge of either frame and outside, else 1), slopes to the right and down: (n, px).
    """
    count, side = pictures.shape[:2]
    x, y = _grid(side)
    u = moves[:, 0:1] * x + moves[:, 1:2] * y + moves[:, 2:3]
    v = moves[:, 3:4] * x + moves[:, 4:5] * y + moves[:, 5:6]
    end = np.float32(1 - 2 * ring / side)
    inside = (np.abs(u) < end) & (np.abs(v) < end) & ((np.abs(x) < end) & (np.abs(y) < end))
    u, v = ((np.clip((each + 1) * (side / 2) - 0.5, 0, side - 1.001)).astype(np.float32) for each in (u, v))
    column, row = u.astype(np.int32), v.astype(np.int32)
    u, v = u - column, v - row
    corner = row * side + column + (np.arange(count, dtype=np.int32) * (side * side))[:, None]
    flat = pictures.reshape(-1)
    a, b, c, d = flat[corner], flat[corner + 1], flat[corner + side], flat[corner + side + 1]
    across, below = b - a, d - c
    top = a + across * u
    down = c + below * u - top
    half = np.float32(side / 2)
    return top + down * v, inside.astype(np.float32), (across + (below - across) * v) * half, down * half


def _improved(one: Floats, other: Floats, moves: Floats, ring: float) -> Floats:
    """Moves after a step of Gauss and Newton that brings the second pictures nearer to the first."""
    count, side = one.shape[:2]
    x, y = _grid(side)
    moved, weights, right, down = _moved(other, moves, ring)
    mine = one.reshape(count, side * side)
    left, _ = _residuals(mine, moved, weights)
    spread = 1.2 * _mean(np.abs(left), weights) + 1
    weights = weights / (1 + np.square(left / (2 * spread)))
    left, gain = _residuals(mine, moved, weights)
    right, down = right * gain, down * gain
    slopes = np.stack([right * x, right * y, right, down * x, down * y, down], axis=1)
    weighted = slopes * weights[:, None]
    normal = weighted @ slopes.transpose(0, 2, 1)
    diagonal = np.arange(6)
    normal[:, diagonal, diagonal] = normal[:, diagonal, diagonal] * 1.02 + side * side * 0.05
    step = np.linalg.solve(normal, weighted @ left[:, :, None])[:, :, 0]
    moves = moves + np.clip(step, -_STEP, _STEP).astype(np.float32)
    moves[:, [0, 4]] = np.clip(moves[:, [0, 4]], *_SCALES)
    moves[:, [1, 3]] = np.clip(moves[:, [1, 3]], -_TURN, _TURN)
    moves[:, [2, 5]] = np.clip(moves[:, [2, 5]], -_SHIFT, _SHIFT)
    return moves


def _residuals(mine: Floats, moved: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """What differs once gain and offset are fitted (n, px), and the gain (n, 1)."""
    mine, moved = mine - _mean(mine, weights), moved - _mean(moved, weights)
    gain = (weights * mine * moved).sum(axis=1, keepdims=True)
    gain = np.clip(gain / ((weights * moved * moved).sum(axis=1, keepdims=True) + 1e-3), 0.3, 3)
    return mine - gain * moved, gain


def _mean(values: Floats, weights: Floats) -> Floats:
    total: Floats = (values * weights).sum(axis=1, keepdims=True)
    return np.asarray(total / (weights.sum(axis=1, keepdims=True) + np.float32(1e-6)), np.float32)


def _correlation(mine: Floats, moved: Floats, weights: Floats) -> Floats:
    mine, moved = (mine - _mean(mine, weights)) * weights, (moved - _mean(moved, weights)) * weights
    found: Floats = (mine * moved).sum(axis=1) / np.sqrt(
        np.square(mine).sum(axis=1) * np.square(moved).sum(axis=1) + 1e-3
    )
    return found


def _compared(one: Floats, other: Floats, moves: Floats) -> Floats:
    """The agreement of pictures with others, moved; NaN where too little detail is there to tell."""
    moved, weights, right, down = _moved(other, moves, _RING)
    mine = one.reshape(len(one), SIDE * SIDE)
    masks = _in_blocks(weights)
    gain = _residuals(mine, moved, weights)[1]
    details = [_without_slopes(_in_blocks(each), masks) for each in (mine, moved * gain)]
    size = masks.sum(axis=2) + np.float32(1e-6)
    energies = [np.square(each).sum(axis=2) / size for each in details]
    correlations = (details[0] * details[1]).sum(axis=2) / size / np.sqrt(energies[0] * energies[1] + 1e-3)

    telling = (np.maximum(*energies) > _DETAIL * _DETAIL) & (size > 0.3 * _BLOCK * _BLOCK)
    count = telling.sum(axis=1)
    kept = np.maximum(1, np.ceil(count * _SHARE)).astype(np.int64)
    ordered = -np.sort(np.where(telling, -correlations, 2), axis=1)
    is_kept = np.arange(_BLOCKS * _BLOCKS) < kept[:, None]
    found = np.where(is_kept, ordered, 0).sum(axis=1) / kept
    worst = ordered[np.arange(len(kept)), kept - 1]
    third = ordered[np.arange(len(kept)), np.maximum(count - _MARKED, 1) - 1]
    differs = (third < _LEAST_OTHER) & (np.abs(moves - _unmoved(1)).max(axis=1) < _STILL)
    found[(worst < _LEAST_BLOCK) | differs | (weights.mean(axis=1) < _LEAST_COVER)] = -1
    found[(count < _FEWEST) | _one_way(right, down, weights)] = np.nan
    return np.asarray(found, np.float32)


def _one_way(right: Floats, down: Floats, weights: Floats) -> NDArray[np.bool_]:
    """Whether all edges run in one direction, as of horizons: any two of those can be made to fit."""
    across, along, both = (
        (weights * each).sum(axis=1).astype(np.float64) for each in (right * right, down * down, right * down)
    )
    trace = across + along
    spread = np.sqrt(np.maximum(np.square(across - along) + 4 * np.square(both), 0))
    return np.asarray(trace - spread < _ONE_WAY * (trace + spread), np.bool_)


def _in_blocks(values: Floats) -> Floats:
    """Pixels by blocks, (n, blocks, px of a block)."""
    blocks = values.reshape(-1, _BLOCKS, _BLOCK, _BLOCKS, _BLOCK).transpose(0, 1, 3, 2, 4)
    return blocks.reshape(len(values), _BLOCKS * _BLOCKS, _BLOCK * _BLOCK)


def _without_slopes(values: Floats, masks: Floats) -> Floats:
    """Blocks without their means and slopes, 0 outside of the masks."""
    x, y = _grid(_BLOCK)
    values = values * masks
    for _ in range(2):  # once would do where the masks are whole
        for base in (np.ones_like(x), x, y):
            share = (values * base).sum(axis=2, keepdims=True) / (
                (masks * base * base).sum(axis=2, keepdims=True) + 1e-6
            )
            values = (values - np.asarray(share, np.float32) * base) * masks
    return values


@lru_cache(maxsize=8)
def _grid(side: int) -> tuple[Floats, Floats]:
    """The centres of pixels of a square from -1 to 1, x and y: (px,)."""
    centres = ((np.arange(side) + 0.5) / side * 2 - 1).astype(np.float32)
    y, x = np.meshgrid(centres, centres, indexing="ij")
    return x.ravel(), y.ravel()


@lru_cache(maxsize=8)
def _blur(side: int) -> Floats:
    """The matrix that blurs a line of pixels by a Gaussian of 0.8 px."""
    apart = np.arange(side)[:, None] - np.arange(side)
    weights = np.exp(-np.square(apart) / (2 * 0.8**2))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
