"""Query terms as unit vectors: of words and pictures given by the model, of others by the library."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sightline.lru import Lru
from sightline.models.loaded import Encoders
from sightline.models.presets import templates_of
from sightline.query.types import (
    MAX_PICTURE_BYTES,
    SLOT,
    TEMPLATE_OFF,
    Like,
    Picture,
    PictureError,
    Query,
    QueryError,
    Taught,
    Words,
)
from sightline.ranking.probes import Learnt, Probes
from sightline.ranking.text_vector_cache import TextVectorCache
from store.arrays import Floats
from store.errors import SpaceError
from store.library import Library
from store.tables.catalog import SpaceState
from store.tables.looks import Look

# 512 texts of 1,152 numbers are 2.4 MB.
MAX_CACHED: Final = 512
# Longer texts are captions already; a template around them says nothing more.
MAX_TEMPLATE_WORDS: Final = 2


@dataclass(frozen=True, slots=True)
class TermVector:
    """A term in a space.

    Attributes:
        vector: a unit vector float32 (dim,).
        content_id: of the picture of the library that it is; None where it is none.
        look: of a picture that is not in the library.
        learnt: of a concept, what was learnt of it: the vector is the direction of its probe.
    """

    vector: Floats
    content_id: int | None = None
    look: Look | None = None
    learnt: Learnt | None = None


class TermEncoder:
    """Turns the terms of queries to one library into vectors. Safe for use from several threads."""

    def __init__(self, library: Library, encoders: Encoders, probes: Probes) -> None:
        self._library = library
        self._encoders = encoders
        self._probes = probes
        self._cache: Lru[tuple[str, str], Floats] = Lru(MAX_CACHED)
        self._pictures: Lru[tuple[str, bytes], TermVector] = Lru(MAX_CACHED)
        self._texts = TextVectorCache(library.path / "vectors", readonly=library.readonly)

    def needs_model(self, query: Query, space: SpaceState, pictures: Mapping[str, bytes]) -> bool:
        """Whether the space's model has to encode any term: its vector is neither cached nor in the library."""
        for term in query.terms:
            match term.subject:
                case Words(text) if space.has_text:  # without, no model can help
                    if self._cached_text(_prompts(text, space, query), space) is None:
                        return True
                case Picture(name) if name in pictures:
                    if self._content_id(hashlib.sha256(pictures[name]).digest(), space) is None:
                        return True
        return False

    def encode(self, query: Query, space: SpaceState, pictures: Mapping[str, bytes]) -> list[TermVector]:
        """The vectors of a query's terms, in their order.

        Args:
            query: the query.
            space: whose vectors are wanted.
            pictures: files by the names that `picture:` terms use.

        Raises:
            QueryError: a picture is not there, too large, or can't be read; or a concept is not known or not learnt.
            SpaceError: the space knows no words, a text is too long for it, or its model can't be loaded.
        """
        vectors = []
        for term in query.terms:
            match term.subject:
                case Words(text):
                    vectors.append(TermVector(self._text(_prompts(text, space, query), space)))
                case Picture(name):
                    vectors.append(self._picture(name, space, pictures))
                case Like(content_id):
                    vectors.append(TermVector(self._stored(content_id, space), content_id))
                case Taught(name):
                    learnt = self._probes.get(name, space)
                    vectors.append(TermVector(learnt.probe.direction, learnt=learnt))
        return vectors

    def _text(self, prompts: Sequence[str], space: SpaceState) -> Floats:
        if not space.has_text:
            raise SpaceError(
                f"The library was indexed with {space.name!r}, which knows pictures but no words. Search with a "
                "picture, or index again with a model that reads words: python -m indexer FOLDER --space fast"
            )
        vector = self._cached_text(prompts, space)
        if vector is None:
            mean = self._encoders.get(space).encode_texts(prompts).mean(axis=0)
            vector = np.asarray(mean / np.linalg.norm(mean), np.float32)
            key = (space.key, "\n".join(prompts))
            self._cache.put(key, vector)
            self._texts.put(*key, vector)
        return vector

    def _cached_text(self, prompts: Sequence[str], space: SpaceState) -> Floats | None:
        key = (space.key, "\n".join(prompts))
        vector = self._cache.get(key)
        if vector is None:
            vector = self._texts.get(*key, space.dim)
            if vector is not None:
                self._cache.put(key, vector)
        return vector

    def _picture(self, name: str, space: SpaceState, pictures: Mapping[str, bytes]) -> TermVector:
        data = pictures.get(name)
        if data is None:
            raise QueryError(f"The picture {name!r} is not here any more: show it again, or take picture:{name} out.")
        if len(data) > MAX_PICTURE_BYTES:
            raise QueryError(
                f"The picture has {len(data) / 1e6:.1f} MB; the limit is {MAX_PICTURE_BYTES / 1e6:.0f} MB. "
                "Save it smaller."
            )
        digest = hashlib.sha256(data).digest()
        content_id = self._content_id(digest, space)
        if content_id is not None:
            return TermVector(self._stored(content_id, space), content_id)
        return self._pictures.get_or_make((space.key, digest), lambda: self._encoded(name, data, space))

    def _encoded(self, name: str, data: bytes, space: SpaceState) -> TermVector:
        from sightline.images.errors import DecodeError
        from sightline.images.look import look_of
        from sightline.images.pools import WAIT_SECONDS, pool

        encoder = self._encoders.get(space)
        try:
            with pool("uploads").reader(WAIT_SECONDS) as reader:
                reader.give(data)
                decoded = reader.decode(need=encoder.preprocess.need, thumbnail=False)
                pixels = encoder.preprocess.apply(decoded.pixels, decoded.original)
                look = look_of(decoded.pixels)
        except DecodeError as error:
            raise PictureError(name, error.reason) from error
        vector: Floats = encoder.encode_images(pixels[None])[0]
        if not np.isfinite(vector).all():
            raise QueryError(f"The model {space.name!r} makes nothing of this picture.")
        return TermVector(vector, look=look)

    def _content_id(self, content_hash: bytes, space: SpaceState) -> int | None:
        """The content id of a picture whose very bytes are in the library, with a vector."""
        found = self._library.catalog.content_by_hash(content_hash, [space.id])
        return found[0] if found is not None and found[1] else None

    def _stored(self, content_id: int, space: SpaceState) -> Floats:
        try:
            vectors: Floats = self._library.vectors.get(space.id).vectors_of(np.asarray([content_id], np.int64))
            if not vectors.any():  # see `Catalog.vectors_after`
                raise QueryError(
                    f"What the model {space.name!r} made of the picture {content_id} is damaged. Mend it: "
                    "python -m indexer verify --repair"
                )
            return np.asarray(vectors[0])
        except KeyError:
            if self._library.catalog.hash_of(content_id) is not None:
                raise QueryError(
                    f"The model {space.name!r} has not seen the picture {content_id} yet. Index its folder again, "
                    "without --space."
                ) from None
            raise QueryError(
                f"There is no picture {content_id} that the model {space.name!r} has seen in this library."
            ) from None


def _prompts(text: str, space: SpaceState, query: Query) -> tuple[str, ...]:
    return prompts(text, query.template, templates_of(space.model, space.name))


def prompts(text: str, template: str | None, usual: Sequence[str]) -> tuple[str, ...]:
    """The texts whose vectors are averaged for a term.

    With a template of the query, the text in that; else the text itself and, where it is short, the text in each prompt
    that the space is used to. A caption, not a word, is what the models were trained on: A. Radford et al., "Learning
    Transferable Visual Models From Natural Language Supervision", ICML 2021, section 3.1.4. Those prompts are English;
    texts in other scripts go without.
    """
    if template is not None:
        return (text,) if template == TEMPLATE_OFF else (template.replace(SLOT, text),)
    short = len(text.split()) <= MAX_TEMPLATE_WORDS and text.isascii()
    return (text, *(prompt.replace(SLOT, text) for prompt in usual)) if short else (text,)
