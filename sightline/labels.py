"""Zero-shot labels: which of a few given words suits each picture best, and with what probability.

A label is put into templates ("a photo of a {}"), the unit vectors of its texts are averaged, and the mean is brought
back to unit length (Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021,
section 3.1.4). Cosines become logits by the model's own scale and bias, and logits become probabilities in the way
the model was trained: by a softmax over the labels (CLIP), or by a sigmoid for each label alone (SigLIP).

A picture is none of these where its cosine to the best label lies below that label's own threshold, which is calibrated
against the library as that of a search is (`ranking.calibration.label_threshold`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sightline.models.loaded import Encoders
from sightline.models.presets import templates_of
from sightline.query.types import QueryError
from sightline.ranking.calibration import Calibration
from sightline.ranking.null_queries import NullQueries
from store.arrays import Floats, Ids
from store.errors import SpaceError
from store.library import Library
from store.tables.catalog import PhotoRow, SpaceState
from store.tables.filters import Filter
from store.time_limit import checked

if TYPE_CHECKING:  # importing the encoder imports torch, which takes seconds: not before labels and templates are right
    from sightline.models.interface import Head, JointEncoder

TEMPLATES: Final = ("a photo of a {}",)
NONE_OF_THESE: Final = "none of these"
MAX_LABELS: Final = 1_000
MAX_TEMPLATES: Final = 100

_SLOT: Final = "{}"
# Texts at once: a batch of a large model's text tower then stays below 0.3 GB.
_TEXTS: Final = 128
# Logits at once, 32 MB in float64, and pictures at once, whose rows of facts take about 1 kB each.
_LOGITS: Final = 4_000_000
_PICTURES: Final = 16_384


@dataclass(frozen=True, slots=True)
class Guess:
    """A label and its probability, 0 to 1. `label` is None for "none of these"."""

    label: str | None
    probability: float


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture and the labels that suit it best, most probable first, at least one."""

    photo: PhotoRow
    guesses: tuple[Guess, ...]

    @property
    def best(self) -> Guess:
        """The most probable."""
        return self.guesses[0]


def split_labels(text: str) -> list[str]:
    """The labels in a text, which commas separate.

    Raises:
        QueryError: see `checked_labels`.
    """
    return checked_labels(text.split(","))


def checked_labels(labels: Sequence[str]) -> list[str]:
    """Labels with the white space around them, and doubled within, removed; empty ones are left out.

    Raises:
        QueryError: there are none, more than `MAX_LABELS`, two are the same but for upper and lower case, or one has
            a lone surrogate in it.
    """
    made = [label for label in (" ".join(given.split()) for given in labels) if label]
    if not made:
        raise QueryError('There are no labels: give at least one, as in "cat,dog,car".')
    if len(made) > MAX_LABELS:
        raise QueryError(f"There are {len(made):,} labels; the limit is {MAX_LABELS:,}. Give fewer.")
    _check_characters("label", made)
    seen: dict[str, int] = {}
    for label in made:
        seen[label.casefold()] = seen.get(label.casefold(), 0) + 1
    doubled = [(label, times) for label, times in seen.items() if times > 1]
    if doubled:
        label, times = doubled[0]
        others = len(doubled) - 1
        more = f", and {others} other{'s' if others > 1 else ''} more than once" if others else ""
        raise QueryError(f"The label {label!r} comes {times} times{more}. Give each label once.")
    return made


def checked_templates(templates: Sequence[str]) -> list[str]:
    """Templates, each with a place for the label.

    Raises:
        QueryError: there are none, more than `MAX_TEMPLATES`, or one has no `{}` or a lone surrogate in it.
    """
    if not 1 <= len(templates) <= MAX_TEMPLATES:
        raise QueryError(f"There are {len(templates)} templates; 1 to {MAX_TEMPLATES} can be averaged.")
    _check_characters("template", templates)
    for template in templates:
        if _SLOT not in template:
            raise QueryError(f"The template {template!r} has no {{}} where the label goes, as in {TEMPLATES[0]!r}.")
    return list(templates)


def _check_characters(what: str, texts: Sequence[str]) -> None:
    for text in texts:
        if any(unicodedata.category(char) == "Cs" for char in text):
            raise QueryError(f"The {what} {text!r} has half a character in it, which no model reads. Take it out.")


def label(
    library: Library,
    encoders: Encoders,
    space: SpaceState,
    labels: Sequence[str],
    *,
    templates: Sequence[str] | None = None,
    filters: Sequence[Filter] = (),
    none: bool = True,
    top: int = 1,
) -> Iterator[Labelled]:
    """Label every picture of a library that passes the filters, in the order of content ids.

    What is wrong with the request is raised by this call, before the first picture is asked for.

    Args:
        library: where the pictures are.
        encoders: gives the model.
        space: whose vectors are used.
        labels: see `checked_labels`.
        templates: see `checked_templates`; None for those that suit the space, or `TEMPLATES`.
        filters: which pictures; all of them where there are none.
        none: whether a picture may be none of these; see `probabilities`.
        top: how many labels to give for each picture, where there are so many.

    Raises:
        QueryError: labels, templates or `top` make no sense.
        SpaceError: the space knows no words, its model can't be loaded, or a text is too long for it.
    """
    labels = checked_labels(labels)
    templates = checked_templates(
        templates_of(space.model, space.name) or TEMPLATES if templates is None else templates
    )
    if none and NONE_OF_THESE in (name.casefold() for name in labels):
        raise QueryError(f"{NONE_OF_THESE!r} is given where no label suits. Leave it out, or say --no-none.")
    if top < 1:
        raise QueryError(f"{top} labels a picture were asked for; the least is 1.")
    if not space.has_text:
        raise SpaceError(
            f"The model {space.name!r} knows pictures but no words, so it can't label. Choose another with --space, or "
            "index with one that reads words: python -m indexer FOLDER --space fast"
        )
    encoder = encoders.get(space)
    assert encoder.head is not None, "a model that reads words has a head"
    vectors = class_vectors(encoder, labels, templates)
    thresholds = _thresholds(library, encoders, space, vectors) if none else None
    return _labelled(library, space, vectors, thresholds, labels, encoder.head, filters, top=top)


def _thresholds(library: Library, encoders: Encoders, space: SpaceState, vectors: Floats) -> Floats:
    """The cosine from which a picture may be called by each label, float32 (labels,)."""
    calibration = Calibration.of(library.vectors.get(space.id), library.catalog.absent_contents())
    return calibration.label_thresholds(vectors, calibration.text_nulls(NullQueries(library, encoders).vectors(space)))


def class_vectors(encoder: JointEncoder, labels: Sequence[str], templates: Sequence[str]) -> Floats:
    """One unit vector for each label, the mean over the templates: float32 (labels, dim).

    Raises:
        SpaceError: see `JointEncoder.encode_texts`.
    """
    # Not str.format, to which other braces would mean something.
    texts = [template.replace(_SLOT, label) for label in labels for template in templates]
    parts = [
        encoder.encode_texts(texts[start : start + _TEXTS]) for start in checked(range(0, len(texts), _TEXTS), every=1)
    ]
    means = np.concatenate(parts).reshape(len(labels), len(templates), -1).mean(axis=1)
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


def probabilities(cosines: Floats, head: Head, thresholds: Floats | None = None) -> Floats:
    """Probabilities of labels: cosines (labels, n) of labels and n pictures to probabilities, float32.

    Without a bias (CLIP), over all texts t: p_t = exp(scale * c_t) / sum_u exp(scale * c_u). With a bias (SigLIP),
    each by itself: p_t = 1 / (1 + exp(-(scale * c_t + bias))). See `Head` for the sources.

    Args:
        cosines: (labels, n).
        head: of the model.
        thresholds: the cosine from which a picture may be called by each label, (labels,). With them a last row is
            added, for none of these: as of a label whose cosine is the threshold of the best one. It wins where the
            best lies below its threshold.

    Returns:
        (labels, n), or (labels + 1, n) with thresholds.
    """
    if thresholds is not None:
        cosines = np.concatenate([cosines, thresholds[cosines.argmax(axis=0)][None]])
    logits = head.scale * cosines.astype(np.float64)
    if head.bias is None:
        made = np.exp(logits - logits.max(axis=0))
        return np.asarray(made / made.sum(axis=0), np.float32)
    # tanh does not overflow where exp would.
    return np.asarray(0.5 * (1 + np.tanh((logits + head.bias) / 2)), np.float32)


def _labelled(
    library: Library,
    space: SpaceState,
    vectors: Floats,
    thresholds: Floats | None,
    labels: Sequence[str],
    head: Head,
    filters: Sequence[Filter],
    *,
    top: int,
) -> Iterator[Labelled]:
    names = list(labels) if thresholds is None else [*labels, None]
    engine = library.vectors.get(space.id)
    wanted = library.catalog.matching(filters)
    step = min(_PICTURES, _LOGITS // len(vectors))
    for start in checked(range(0, len(wanted), step), every=1):
        ids, cosines = engine.scores(vectors, only=wanted[start : start + step])
        found = probabilities(cosines, head, thresholds)
        order = _top_k(found, top)
        photos = library.catalog.photos(ids.tolist(), filters)
        for column in np.argsort(ids).tolist():
            photo = photos.get(int(ids[column]))
            if photo is not None:  # it went missing since the filters were asked
                rows = order[:, column].tolist()
                yield Labelled(photo, tuple(Guess(names[row], float(found[row, column])) for row in rows))


def _top_k(scores: Floats, top: int) -> Ids:
    """Rows of the `top` highest scores of each column, best first, equal ones in row order: (top, n)."""
    if top == 1:
        return np.asarray(scores.argmax(axis=0)[None], np.int64)
    return np.asarray(np.argsort(-scores, axis=0, kind="stable")[:top], np.int64)
