"""How good and how fast a space's search is, measured on its own vectors."""

from __future__ import annotations

import statistics
import time
from typing import Final

import numpy as np

from store.arrays import Floats
from store.vectors.local import LocalEngine
from store.vectors.top_k import nearest

QUERIES: Final = 16
TOP: Final = 10
# Of what makes pictures differ, the share that a text about one has in common with it: cosines of texts to pictures
# then spread over a library about as those of CLIP ViT-B/32 do, 0.03 to 0.05.
SHARED: Final = 0.55
GROWTH: Final = 1.25  # measured again when the space has grown so much


def text_like(pictures: Floats, number: int, seed: int = 0) -> Floats:
    """Queries that lie as far from the pictures as texts do, float32 (number, dim).

    In CLIP's spaces texts and pictures lie in two narrow cones, with about 0.8 between their centres (V. Liang et al.,
    "Mind the Gap", NeurIPS 2022), so an index that is measured with pictures does worse with texts. Here each query
    keeps a part of one picture's difference from the mean, the rest of that difference is noise in all directions, and
    the mean of all queries is moved by 0.8 at a right angle to the pictures' mean.

    Args:
        pictures: float32 (n, dim), unit rows, n > 0.
    """
    noise = np.random.default_rng(seed)
    mean = pictures.mean(axis=0)
    own = pictures[noise.choice(len(pictures), number, replace=number > len(pictures))] - mean
    other = noise.standard_normal(own.shape).astype(np.float32)
    other *= np.linalg.norm(own, axis=1, keepdims=True) / np.linalg.norm(other, axis=1, keepdims=True)
    aside = noise.standard_normal(len(mean)).astype(np.float32)
    aside -= mean * (aside @ mean) / max(float(mean @ mean), 1e-12)
    aside *= 0.8 / max(float(np.linalg.norm(aside)), 1e-12)
    made = mean + aside + SHARED * own + np.float32(np.sqrt(1 - SHARED**2)) * other
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def measure(engine: LocalEngine) -> None:
    """Put recall@10 for text-like queries, and milliseconds, of the engine's tier into `engine.measured`.

    And the milliseconds of scoring everything, where the tier does not do that. Nothing where the space is small; not
    measured again in the same tier until it has grown by a quarter.
    """
    is_exact = engine.tier == "exact"
    if is_exact and len(engine) < engine.policy.measured_rows:
        engine.measured = {}
        return
    known = engine.measured
    if is_exact == ("exact_milliseconds" not in known) and len(engine) < GROWTH * known.get("rows", 0):
        return
    queries = text_like(engine.sample(4_096)[1], QUERIES)
    nearest(engine, queries[0], TOP)  # compiles what is not compiled yet
    took, exact_took, found = [], [], 0
    for query in queries:
        begun = time.perf_counter()
        ids, _ = nearest(engine, query, TOP)
        took.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        all_ids, cosines = engine.scores(query[None])
        exact_took.append(time.perf_counter() - begun)
        edge = np.partition(cosines[0], len(all_ids) - TOP)[len(all_ids) - TOP]
        found += int(np.isin(ids, all_ids[cosines[0] >= edge]).sum())
    engine.measured = {
        "rows": len(engine),
        "recall": round(found / (QUERIES * TOP), 4),
        "milliseconds": round(1e3 * statistics.median(took), 2),
    }
    if not is_exact:
        engine.measured["exact_milliseconds"] = round(1e3 * statistics.median(exact_took), 2)
