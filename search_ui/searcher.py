"""A query to hits: encode its terms, search, combine. The page, the command line and tests all use this."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search_ui.encoders import Encoders
from search_ui.query import Query, QueryError
from store.catalog import PhotoRow, SpaceState
from store.errors import SpaceError
from store.library import Library
from store.search import nearest, with_photos
from store.vectors import Floats, Ids


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a query as a unit vector (dim,). `content_id` where it is a picture of the library itself."""

    name: str
    vector: Floats
    content_id: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A picture that was found.

    `score` orders the hits: the cosine where the query had one term, else the mean of the standardised ones.
    `parts` holds the cosine to each term, by its name: `text`, `picture`, `like`.
    """

    score: float
    parts: Mapping[str, float]
    photo: PhotoRow


@dataclass(frozen=True, slots=True)
class Result:
    """Hits, best first, of `total` pictures that could have been one, and how long it took."""

    hits: Sequence[Found]
    space: str
    seconds: float
    total: int


class Searcher:
    """Searches one library in its default space, as it is at each search. Safe for use from several threads."""

    def __init__(self, library: Library, encoders: Encoders) -> None:
        self.library = library
        self.encoders = encoders

    def space(self) -> SpaceState:
        """The space that a search uses now.

        Raises:
            QueryError: nothing was indexed yet.
        """
        space = self.library.catalog.default_space()
        if space is None:
            raise QueryError("The library holds no pictures yet. Index a folder first: python -m indexer ./photos")
        return space

    def needs_model(self, query: Query) -> bool:
        """Whether this query has to wait for a model that is not loaded yet."""
        space = self.space()
        known = query.image is None or self._known(query.image, space) is not None
        return not self.encoders.ready(space) and not (known and not query.text)

    def search(self, query: Query) -> Result:
        """The pictures that suit the query best; equal scores by content id, so that a search can be repeated.

        Raises:
            QueryError: nothing was indexed yet, the picture asked for is not there or can't be read.
            SpaceError: the space knows no words, or its model can't be loaded.
        """
        space = self.space()
        if query.text and not space.has_text:
            raise SpaceError(
                f"The library was indexed with {space.name!r}, which knows pictures but no words. Search with a "
                "picture, or index again with a space that reads words: python -m indexer FOLDER --space fast"
            )
        if self.needs_model(query):
            self.encoders.get(space)  # before the clock starts: a search is not slow because it was the first
        started = time.perf_counter()
        terms = self._terms(query, space)
        hits = self._one(space, terms[0], query.k) if len(terms) == 1 else self._several(space, terms, query.k)
        total = self.library.catalog.counts(space.id).pictures
        return Result(hits, space.name, time.perf_counter() - started, total)

    def recent(self, k: int) -> list[PhotoRow]:
        """The pictures indexed last, newest first."""
        space = self.space()
        # Rows of the index lie in the order they were committed.
        ids = self.library.vectors.get(space.id).ids[::-1]
        ids = ids[~np.isin(ids, self.library.catalog.absent_contents())][:k]
        photos = self.library.catalog.photos(ids.tolist())
        return [photos[id_] for id_ in ids.tolist() if id_ in photos]

    # -- terms --------------------------------------------------------------------------------------------------

    def _terms(self, query: Query, space: SpaceState) -> list[Term]:
        terms = []
        if query.text:
            terms.append(Term("text", self.encoders.get(space).encode_texts([query.text])[0]))
        if query.image is not None:
            terms.append(self._picture(query.image, space))
        if query.like is not None:
            terms.append(Term("like", self._stored(query.like, space), query.like))
        return terms

    def _picture(self, image: bytes, space: SpaceState) -> Term:
        known = self._known(image, space)
        if known is not None:
            return Term("picture", self._stored(known, space), known)
        from indexer.decode import DecodeError, decode

        encoder = self.encoders.get(space)
        try:
            decoded = decode(io.BytesIO(image), need=encoder.preprocess.need, thumbnail=False)
        except DecodeError as error:
            raise QueryError(f"The picture can't be read: {error.reason}.") from error
        vector = encoder.encode_images(encoder.preprocess.apply(decoded.pixels)[None])[0]
        if not np.isfinite(vector).all():
            raise QueryError(f"The model of space {space.name!r} makes nothing of this picture.")
        return Term("picture", vector)

    def _known(self, image: bytes, space: SpaceState) -> int | None:
        """The content id of a picture whose very bytes are in the library, with a vector."""
        found = self.library.catalog.content_by_hash(hashlib.sha256(image).digest(), space.id)
        return found[0] if found is not None and found[1] else None

    def _stored(self, content_id: int, space: SpaceState) -> Floats:
        try:
            vectors: Floats = self.library.vectors.get(space.id).vectors_of(np.asarray([content_id], np.int64))
            return np.asarray(vectors[0])
        except KeyError:
            raise QueryError(f"There is no picture {content_id} in this library's space {space.name!r}.") from None

    # -- scores -------------------------------------------------------------------------------------------------

    def _one(self, space: SpaceState, term: Term, k: int) -> list[Found]:
        hits = nearest(self.library, space.id, term.vector, k)
        own = term.content_id
        if own is not None:
            # A picture is most like itself, with a cosine of 1. Half-precision vectors are of length 1 to within
            # 0.0005 only, which could put a near-duplicate before it.
            itself = with_photos(self.library, np.asarray([own], np.int64), np.ones(1, np.float32))
            hits = [*itself, *(hit for hit in hits if hit.photo.content_id != own)][:k]
        return [Found(hit.score, {term.name: hit.score}, hit.photo) for hit in hits]

    def _several(self, space: SpaceState, terms: Sequence[Term], k: int) -> list[Found]:
        ids, cosines = self.library.vectors.get(space.id).scores(np.stack([term.vector for term in terms]))
        present = ~np.isin(ids, self.library.catalog.absent_contents())
        ids, cosines = ids[present], cosines[:, present]
        if not len(ids):
            return []
        fused = fuse(cosines)
        rows = best(ids, fused, k)
        parts = {
            int(ids[row]): {term.name: float(np.clip(cosines[i, row], -1, 1)) for i, term in enumerate(terms)}
            for row in rows
        }
        scores = {int(ids[row]): float(fused[row]) for row in rows}
        found = with_photos(self.library, ids[rows], np.zeros(len(rows), np.float32))
        return [Found(scores[hit.photo.content_id], parts[hit.photo.content_id], hit.photo) for hit in found]


def fuse(cosines: Floats) -> Floats:
    """Scores of several terms (m, n) to one score a picture (n,): the mean over terms of z = (s - mean(s)) / std(s).

    Mean and standard deviation are those of a term over all n pictures: z says by how many deviations a picture suits
    the term better than the library at large. Cosines as they are can't be averaged: between a text and a picture
    they lie around 0.1 to 0.3, between two pictures around 0.4 to 0.9, and spread more, so their mean would obey the
    picture alone. Adding the terms' vectors has the same fault, and adds up to a point where no pictures are. A term
    to which all pictures are the same (std 0) says nothing and counts 0.

    This is the zero-mean, unit-variance normalisation (ZMUV) of M. Montague and J. A. Aslam, "Relevance score
    normalization for metasearch", CIKM 2001.
    """
    wide = cosines.astype(np.float64)
    centred = wide - wide.mean(axis=1, keepdims=True)
    deviation = wide.std(axis=1, keepdims=True)
    z = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 1e-9)
    return np.asarray(z.mean(axis=0), np.float32)


def best(ids: Ids, scores: Floats, k: int) -> Ids:
    """Rows of the k highest scores, best first, equal scores by id."""
    if k < len(scores):
        # Everything from the k-th score up, ties at the edge included: what the edge leaves out, the ids decide.
        edge = np.partition(scores, len(scores) - k)[len(scores) - k]
        rows = np.flatnonzero(scores >= edge)
    else:
        rows = np.arange(len(scores))
    return np.asarray(rows[np.lexsort((ids[rows], -scores[rows]))][:k], np.int64)
