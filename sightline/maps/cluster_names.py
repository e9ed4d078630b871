"""Groups of the map, and what each is called: the word that says most what its pictures have and the others do not.

Groups are made of places, not of vectors: a name is written where its pictures lie, so they must lie together. k-means
and not HDBSCAN, which leaves a good part of a library in no group at all, and finds two or two hundred.
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

MOST: Final = 24
"""Groups at most: as many names fit on a map without hiding it."""
_SAMPLE: Final = 4_096
_FIT: Final = 20_000
# Below this, in standard deviations, a word tells a group hardly better from the rest than any other word does.
_LEAST: Final = 0.5
_LEAST_SHARE: Final = 0.4  # of a group's pictures, in the folder that it is called after
_FOLDERS: Final = 60
_TAGS: Final = 60
_VOCABULARY: Final = Path(__file__).with_name("vocabulary.txt")


def clusters(places: Floats) -> Bytes:
    """The group of each place, the largest first: uint8 (n,), numbers without gaps.

    As many groups as sqrt(n / 2), the rule of thumb of K. Mardia, J. Kent and J. Bibby, Multivariate Analysis, 1979,
    page 365; `MOST` at most. Of many places an even sample decides where the groups are.
    """
    if not len(places):
        return np.empty(0, np.uint8)
    from sklearn.cluster import KMeans  # takes a second, which the first page need not wait for

    count = int(np.clip(round((len(places) / 2) ** 0.5), 1, min(MOST, len(np.unique(places, axis=0)))))
    means = KMeans(count, n_init=3, random_state=0).fit(places[:: max(1, len(places) // _FIT)])
    found = means.predict(places)
    sizes = np.bincount(found, minlength=count)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    return np.asarray(rank[found], np.uint8)


def words(library: Library, space: SpaceState) -> list[str]:
    """Words that a group may be called by: its model's own, or everyday ones and the tags most used."""
    preset = preset_of(space.model)
    if preset is not None and preset.names:
        return list(preset.names)
    lines = _VOCABULARY.read_text(encoding="utf-8").splitlines()
    everyday = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    tags = sorted(library.marks.tags(), key=lambda tag: -tag[1])[:_TAGS]
    known = {word.casefold() for word in everyday}
    # A tag of half a sentence, or "2019-backup", is a private sign and no word.
    return everyday + [name for name, _ in tags if name.casefold() not in known and name.isalpha()]


def contrasts(of_words: Floats, means: Floats, sample: Floats) -> NDArray[np.float64]:
    """How much more a word suits the pictures of a group than those of the library: float64 (groups, words).

    (w·m_g - w·m) / s_w, where w is the word's vector, m_g and m are the mean vectors of the group and of the library,
    and s_w is the standard deviation of w·v over the pictures v. The dot product with a mean is the mean cosine, so no
    picture is scored. It is to cosines what the class-based TF-IDF of M. Grootendorst, "BERTopic", arXiv:2203.05794,
    section 3.3, is to counts: what is said everywhere names nothing. In units of its own spread a word that fits
    everything loosely does not win over one that fits a few exactly.

    Args:
        of_words: float32 (words, dim).
        means: float32 (groups, dim).
        sample: float32 (n, dim), vectors of pictures of the library.
    """
    overall = sample.mean(axis=0)
    spread = (sample @ of_words.T).std(axis=0)
    return np.asarray((means - overall) @ of_words.T / np.maximum(spread, 1e-6), np.float64)


def chosen(names: Sequence[str], scores: NDArray[np.float64], least: float) -> tuple[str, ...]:
    """A name for each group, no two the same, so that the sum of the scores is the highest; empty below `least`."""
    from scipy.optimize import linear_sum_assignment

    labels = [""] * len(scores)
    for group, name in zip(*linear_sum_assignment(scores, maximize=True), strict=True):
        if scores[group, name] >= least:
            labels[group] = names[name]
    return tuple(labels)


def named(
    library: Library, encoders: Encoders, space: SpaceState, ids: Ids, groups: Bytes, vectors_of: VectorsOf
) -> tuple[str, ...]:
    """What each group is called, by the words of a space or, where it knows none, by folders; empty for nothing.

    Args:
        library: for its tags and folders.
        encoders: gives the model.
        space: whose vectors the pictures have.
        ids: content ids int64 (n,).
        groups: uint8 (n,), see `clusters`.
        vectors_of: see `VectorsOf`.
    """
    if not len(ids):
        return ()
    count = int(groups.max()) + 1
    try:
        encoder = encoders.get(space) if space.has_text else None
    except SpaceError:  # the model is not here, or another than it was: folders have names too
        encoder = None
    if encoder is None:
        return by_folder(library, ids, groups)
    known = words(library, space)
    # The words have their articles.
    prompts = [prompt.replace("a {}", "{}") for prompt in templates_of(space.model) or TEMPLATES]
    preset = preset_of(space.model)
    if preset is not None and preset.names:
        prompts = ["{}"]
    vectors = class_vectors(encoder, known, prompts)
    means = np.stack([vectors_of(_even(ids[groups == group])).mean(axis=0) for group in range(count)])
    short = [word.removeprefix("a ").removeprefix("an ").removeprefix("the ") for word in known]
    return chosen(short, contrasts(vectors, means, vectors_of(_even(ids))), _LEAST)


def _even(ids: Ids) -> Ids:
    return ids[:: max(1, len(ids) // _SAMPLE)]


def by_folder(library: Library, ids: Ids, groups: Bytes) -> tuple[str, ...]:
    """What each group is called by folders: one that holds much of it, and less of the rest."""
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
    # A folder that holds everything tells nothing apart.
    scores = np.where((shares >= _LEAST_SHARE) & (more > 0), more, -1.0)
    return chosen([name.rsplit("/", 1)[-1] for name in folders], scores, 0.0)
