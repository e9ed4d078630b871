"""Vectors as a CLIP makes them, queries of both kinds, and the right answers; for scale.py.

Pictures' vectors are unit(sqrt(1/2) m + sqrt(1/2) c): `m` is the mean direction all share (random pictures of CLIP
ViT-B/32 have cosines of about 0.5: the cone), `c` is what one shows, a unit vector of three parts by energy:

- 0.35 its cluster's centre, one of 400, whose sizes fall as 1/rank: a library has many pictures of few things;
- 0.50 its place in the cluster, in 96 directions that all share, with variances that fall as 1/sqrt(j): 64 directions
  by participation ratio, within the 50 to 100 that are measured on such embeddings;
- 0.15 noise in all directions, which no code can compress.

Picture-like queries are more pictures of the same kind. Text-like ones lie elsewhere (the modality gap: Liang et al.,
"Mind the Gap", NeurIPS 2022, measured 0.82 between the means of CLIP's pictures and texts): unit(sqrt(1/2) t +
sqrt(1/2) d), with a mean `t` whose cosine to `m` is 0.33, which makes that distance 0.82, and a unit `d` that is 0.3 of
the `c` of a picture, and for the rest random: half of its energy in the 96 directions, half in all. A text then has a
cosine of about 0.32 to its picture and 0.17 to others, and few of its neighbours are neighbours of each other: that is
what graphs and clusters, built from pictures, lose.

Each chunk has its own seed, so a smaller set is the beginning of a larger one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from store.arrays import Floats, Ids

CHUNK: Final = 50_000
CLUSTERS, INTRINSIC = 400, 96
CLUSTER_SHARE, PLACE_SHARE, NOISE_SHARE = 0.35, 0.50, 0.15
MEANS_COSINE, MATCH = 0.33, 0.3
SHARES: Final = (0.0005, 0.005, 0.05, 0.2, 0.5)
TOP: Final = 10
# What is added after the build, to time adding: more pictures, with ids after the others.
EXTRA: Final = 1000
KINDS: Final = ("text", "picture")


def _unit(rows: Floats) -> Floats:
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows


class World:
    """The directions that all vectors of a width share; the same for the same seed."""

    def __init__(self, dim: int, seed: int = 0) -> None:
        pick = np.random.default_rng([seed, dim])
        self.dim, self.seed = dim, seed
        inner = min(INTRINSIC, dim // 2)
        basis = np.linalg.qr(pick.standard_normal((dim, inner + 2)))[0].T.astype(np.float32)
        self.mean, other, self.basis = basis[0], basis[1], basis[2:]
        self.text_mean = np.float32(MEANS_COSINE) * self.mean + np.float32((1 - MEANS_COSINE**2) ** 0.5) * other
        self.scales = np.arange(1, inner + 1, dtype=np.float32) ** -0.25
        self.scales /= np.linalg.norm(self.scales)
        self.centres = _unit((pick.standard_normal((CLUSTERS, inner)).astype(np.float32) * self.scales) @ self.basis)
        sizes = 1 / np.arange(1, CLUSTERS + 1)
        self.sizes = sizes / sizes.sum()

    def shown(self, count: int, pick: np.random.Generator) -> Floats:
        """What pictures show: unit rows float32 (count, dim), the mean not in them."""
        place = pick.standard_normal((count, len(self.basis)), dtype=np.float32) * self.scales
        rows = np.float32(PLACE_SHARE**0.5) * (place @ self.basis)
        rows += np.float32(CLUSTER_SHARE**0.5) * self.centres[pick.choice(CLUSTERS, count, p=self.sizes)]
        rows += np.float32((NOISE_SHARE / self.dim) ** 0.5) * pick.standard_normal((count, self.dim), dtype=np.float32)
        return _unit(rows)

    def pictures(self, count: int, *key: int) -> Floats:
        """Unit rows float32 (count, dim) of pictures; others for another key."""
        rows = self.shown(count, np.random.default_rng([self.seed, 1, *key]))
        return _unit(rows + self.mean)

    def texts(self, count: int) -> Floats:
        """Unit rows float32 (count, dim) of texts, each about a picture that is in no set."""
        pick = np.random.default_rng([self.seed, 2])
        about = self.shown(count, pick)
        rest = (pick.standard_normal((count, len(self.basis)), dtype=np.float32) * self.scales) @ self.basis
        rest += pick.standard_normal((count, self.dim), dtype=np.float32) / np.float32(self.dim**0.5)
        rows = np.float32(MATCH) * about + np.float32((1 - MATCH**2) ** 0.5) * _unit(rest)
        return _unit(_unit(rows) + self.text_mean)


@dataclass(frozen=True)
class Data:
    """A made set in a folder: vectors.f16, and what is asked of them in questions.npz."""

    folder: Path

    @cached_property
    def facts(self) -> dict[str, int]:
        """count, dim."""
        return dict(json.loads((self.folder / "data.json").read_text()))

    @property
    def vectors(self) -> NDArray[np.float16]:
        """The set, float16 (count, dim), mapped; row i has the id i + 1."""
        shape = (self.facts["count"], self.facts["dim"])
        return np.memmap(self.folder / "vectors.f16", np.float16, "r", shape=shape)

    def chunks(self) -> Iterator[tuple[int, NDArray[np.float16]]]:
        """The set as (first row, float16 rows), read a chunk at a time: nothing of it stays in memory."""
        count, dim = self.facts["count"], self.facts["dim"]
        with (self.folder / "vectors.f16").open("rb") as file:
            for start in range(0, count, CHUNK):
                size = min(CHUNK, count - start)
                yield start, np.frombuffer(file.read(size * dim * 2), np.float16).reshape(size, dim)

    @cached_property
    def questions(self) -> dict[str, NDArray]:  # type: ignore[type-arg]
        """Queries by kind, float32 (q, dim); ids `KIND-truth` (q, TOP), `kept-SHARE`, `truth-SHARE`; `extra`."""
        with np.load(self.folder / "questions.npz") as file:
            return dict(file)


def make(
    folder: Path, count: int, dim: int, queries: int, seed: int = 0, shares: Sequence[float] = SHARES
) -> Data:  # fmt: skip
    """Write a set of `count` vectors and its questions to `folder`, unless it is there already."""
    data, facts = Data(folder), {"count": count, "dim": dim, "queries": queries, "seed": seed}
    if tuple(shares) != SHARES:
        facts["shares"] = round(sum(share * 10_000 for share in shares))
    if (folder / "data.json").exists() and data.facts == facts:
        return data
    folder.mkdir(parents=True, exist_ok=True)
    world = World(dim, seed)
    asked = {"text": world.texts(queries), "picture": world.pictures(queries, 1 << 40)}
    kept = {share: _kept(count, share, seed) for share in shares}
    best = {kind: _Best(queries) for kind in KINDS}
    filtered = {share: _Best(queries) for share in shares}
    with (folder / "vectors.f16").open("wb") as file:
        for start in range(0, count, CHUNK):
            rows = world.pictures(min(CHUNK, count - start), start).astype(np.float16)
            file.write(rows.tobytes())
            exact = rows.astype(np.float32)
            for kind in KINDS:
                scores = asked[kind] @ exact.T
                best[kind].add(np.arange(start + 1, start + len(rows) + 1), scores)
                if kind == "text":
                    for share in shares:
                        inside = kept[share][(kept[share] > start) & (kept[share] <= start + len(rows))]
                        filtered[share].add(inside, scores[:, inside - start - 1])
    arrays: dict[str, Any] = {
        "extra": world.pictures(EXTRA, 1 << 41).astype(np.float16),
        **asked,
        **{f"{kind}-truth": best[kind].ids for kind in KINDS},
        **{f"kept-{share}": kept[share] for share in shares},
        **{f"truth-{share}": filtered[share].ids for share in shares},
    }
    np.savez(folder / "questions.npz", **arrays)
    (folder / "data.json").write_text(json.dumps(facts))
    return data


def _kept(count: int, share: float, seed: int) -> Ids:
    pick = np.random.default_rng([seed, 3, round(share * 10_000)])
    return np.sort(pick.choice(count, max(TOP, round(share * count)), replace=False)).astype(np.int64) + 1


class _Best:
    """The ids with the highest scores of each query, over chunks."""

    def __init__(self, queries: int) -> None:
        self.ids = np.zeros((queries, TOP), np.int64)
        self._scores = np.full((queries, TOP), -np.inf, np.float32)

    def add(self, ids: Ids, scores: Floats) -> None:
        # Few of a later chunk's scores are above the last of the best so far: only those are sorted.
        for query, own in enumerate(scores):
            places = np.flatnonzero(own > self._scores[query, -1])
            if len(places) > TOP:
                places = places[np.argpartition(-own[places], TOP - 1)[:TOP]]
            every = np.concatenate([self._scores[query], own[places]])
            numbers = np.concatenate([self.ids[query], ids[places]])
            order = np.argsort(-every, kind="stable")[:TOP]
            self._scores[query], self.ids[query] = every[order], numbers[order]


def recall(found: list[Ids], truth: Ids) -> float:
    """The share of the right ids that were found, over all queries."""
    hits = sum(len(np.intersect1d(own[:TOP], right)) for own, right in zip(found, truth, strict=True))
    return hits / truth.size


def free_memory() -> int:
    """Bytes that programs can still have, by Linux's own estimate; elsewhere all that is built in."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
