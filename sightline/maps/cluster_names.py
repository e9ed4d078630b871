"""Clusters of the map and their names: the word that tells a cluster's pictures best from the others.

Positions are clustered, not vectors: a name is drawn where its pictures lie, so they must lie together. k-means is used
and not HDBSCAN, which leaves many pictures in no cluster, and finds anything from two to two hundred clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.labels import TEMPLATES, class_vectors
from sightline.maps.layout import VectorsOf
from sightline.models.loaded import Encoders
from sightline.models.presets import preset_of, templates_of
from store.arrays import Bytes, Floats, Ids
from store.errors import SpaceError
from store.library import Library
from store.tables.catalog import SpaceState
from store.tables.filters import Folder

MAX_CLUSTERS: Final = 24
"""As many names fit on a map without hiding it."""
_SAMPLE: Final = 4_096
_FIT: Final = 20_000
# In standard deviations. Below this a word tells a cluster from the rest hardly better than any other word.
_MIN_CONTRAST: Final = 0.5
_MIN_FOLDER_SHARE: Final = 0.4  # of a cluster's pictures that lie in the folder it is named after
_FOLDERS: Final = 60
_TAGS: Final = 60
_VOCABULARY: Final = Path(__file__).with_name("vocabulary.txt")


def clusters(places: Floats) -> Bytes:
    """Cluster positions by k-means, the largest cluster first: uint8 (n,), numbers without gaps.

    There are sqrt(n / 2) clusters, the rule of thumb of K. Mardia, J. Kent and J. Bibby, Multivariate Analysis, 1979,
    page 365, and at most `MAX_CLUSTERS`. The centres are fitted to an even sample of the positions.
    """
    if not len(places):
        return np.empty(0, np.uint8)
    from sklearn.cluster import KMeans  # takes a second, which the first page need not wait for

    count = int(np.clip(round((len(places) / 2) ** 0.5), 1, min(MAX_CLUSTERS, len(np.unique(places, axis=0)))))
    means = KMeans(count, n_init=3, random_state=0).fit(places[:: max(1, len(places) // _FIT)])
    found = means.predict(places)
    sizes = np.bincount(found, minlength=count)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    return np.asarray(rank[found], np.uint8)


def words(library: Library, space: SpaceState) -> list[str]:
    """List the words that may name a cluster: the model's own, or everyday words and the tags most used."""
    preset = preset_of(space.model) or preset_of(space.name)
    if preset is not None and preset.names:
        return list(preset.names)
    lines = _VOCABULARY.read_text(encoding="utf-8").splitlines()
    everyday = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    tags = sorted(library.marks.tags(), key=lambda tag: -tag[1])[:_TAGS]
    known = {word.casefold() for word in everyday}
    # A tag with spaces or digits, as in "2019-backup", is no word.
    return everyday + [name for name, _ in tags if name.casefold() not in known and name.isalpha()]


def contrasts(of_words: Floats, means: Floats, sample: Floats) -> NDArray[np.float64]:
    """Score how much better words fit a cluster's pictures than the library's: float64 (clusters, words).

    The score is (w·m_g - w·m) / s_w, where w is the word's vector, m_g and m are the mean vectors of the cluster and of
    the library, and s_w is the standard deviation of w·v over the pictures v. The dot product with a mean is the mean
    cosine, so no picture is scored. It does for cosines what the class-based TF-IDF of M. Grootendorst, "BERTopic",
    arXiv:2203.05794, section 3.3, does for counts: a word that fits everywhere names nothing. The division keeps a word
    that fits everything loosely from winning over one that fits a few pictures exactly.

    Args:
        of_words: float32 (words, dim).
        means: float32 (clusters, dim).
        sample: float32 (n, dim), vectors of pictures of the library.
    """
    overall = sample.mean(axis=0)
    spread = (sample @ of_words.T).std(axis=0)
    return np.asarray((means - overall) @ of_words.T / np.maximum(spread, 1e-6), np.float64)


def assign_names(names: Sequence[str], scores: NDArray[np.float64], min_score: float) -> tuple[str, ...]:
    """Assign a name to each cluster, each once, with the highest sum of scores; empty below `min_score`."""
    from scipy.optimize import linear_sum_assignment

    labels = [""] * len(scores)
    for group, name in zip(*linear_sum_assignment(scores, maximize=True), strict=True):
        if scores[group, name] >= min_score:
            labels[group] = names[name]
    return tuple(labels)


def name_clusters(
    library: Library, encoders: Encoders, space: SpaceState, ids: Ids, groups: Bytes, vectors_of: VectorsOf
) -> tuple[str, ...]:
    """Name clusters by words or, where the model reads none, by folders; empty where no name fits.

    Args:
        library: gives tags and folders.
        encoders: gives the model.
        space: whose vectors are used.
        ids: content ids int64 (n,).
        groups: uint8 (n,), see `clusters`.
        vectors_of: see `VectorsOf`.
    """
    if not len(ids):
        return ()
    count = int(groups.max()) + 1
    try:
        encoder = encoders.get(space) if space.has_text else None
    except SpaceError:  # the model can't be loaded: use folders
        encoder = None
    if encoder is None:
        return folder_names(library, ids, groups)
    known = words(library, space)
    # The words have their articles.
    prompts = [prompt.replace("a {}", "{}") for prompt in templates_of(space.model, space.name) or TEMPLATES]
    preset = preset_of(space.model) or preset_of(space.name)
    if preset is not None and preset.names:
        prompts = ["{}"]
    vectors = class_vectors(encoder, known, prompts)
    means = np.stack([vectors_of(_even_sample(ids[groups == group])).mean(axis=0) for group in range(count)])
    short = [word.removeprefix("a ").removeprefix("an ").removeprefix("the ") for word in known]
    return assign_names(short, contrasts(vectors, means, vectors_of(_even_sample(ids))), _MIN_CONTRAST)


def _even_sample(ids: Ids) -> Ids:
    return ids[:: max(1, len(ids) // _SAMPLE)]


def folder_names(library: Library, ids: Ids, groups: Bytes) -> tuple[str, ...]:
    """Name clusters by folders that hold much of the cluster, and less of the rest."""
    count = int(groups.max()) + 1
    folders = [name for name, _ in library.catalog.facets(limit=_FOLDERS)["folders"] if name.replace("/", " ").strip()]
    sizes = np.bincount(groups, minlength=count)
    held = np.stack(
        [
            np.bincount(groups[np.isin(ids, library.catalog.matching([Folder((name,))]))], minlength=count)
            for name in folders
        ]
        or [np.zeros(count, np.int64)],
        axis=1,
    )
    shares = held / sizes[:, None]
    more = shares - held.sum(axis=0) / len(ids)
    # A folder that holds everything distinguishes nothing.
    scores = np.where((shares >= _MIN_FOLDER_SHARE) & (more > 0), more, -1.0)
    return assign_names([name.rsplit("/", 1)[-1] for name in folders], scores, 0.0)
