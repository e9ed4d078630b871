"""The subjects of a query as unit vectors: words and pictures through the model, pictures of the library from it."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sightline.models.loaded import Encoders
from sightline.models.presets import templates_of
from sightline.query.types import MAX_PICTURE_BYTES, SLOT, TEMPLATE_OFF, Like, Picture, QueryError, Subject, Words
from sightline.ranking import null_queries, text_vector_cache
from sightline.ranking.text_vector_cache import Remembered
from store.arrays import Floats
from store.errors import SpaceError
from store.library import Library
from store.tables.catalog import SpaceState

# 512 texts of 1,152 numbers are 2.4 MB.
MAX_CACHED: Final = 512
# Longer texts are captions already; a template around them says nothing more.
MAX_TEMPLATE_WORDS: Final = 2


@dataclass(frozen=True, slots=True)
class Aim:
    """A subject in a space: a unit vector float32 (dim,), and the content id where it is a picture of the library."""

    vector: Floats
    content_id: int | None = None


class Terms:
    """Turns the subjects of queries to one library into vectors. Safe for use from several threads."""

    def __init__(self, library: Library, encoders: Encoders) -> None:
        self._library = library
        self._encoders = encoders
        self._lock = threading.Lock()
        self._cached: OrderedDict[tuple[str, str | bytes], Floats] = OrderedDict()
        self._encoding = threading.Lock()  # its own: who looks up a text must not wait for a model to load
        self._nulls: dict[str, Floats] = {}
        self._texts = Remembered(library.path / "vectors", readonly=library.readonly)

    def needs_model(
        self, subject: Subject, space: SpaceState, pictures: Mapping[str, bytes], template: str | None = None
    ) -> bool:
        """Whether the subject's vector has to be made by the space's model: nothing and nobody knows it yet."""
        match subject:
            case Words(text):
                if not space.has_text:
                    return False  # no model can help
                return self._remembered(_texts(text, space, template), space) is None or not self._knows_nulls(space)
            case Picture(name):
                data = pictures.get(name)
                return data is not None and self._known(hashlib.sha256(data).digest(), space) is None
            case Like():
                return False

    def aim(
        self, subject: Subject, space: SpaceState, pictures: Mapping[str, bytes], template: str | None = None
    ) -> Aim:
        """The vector of one subject.

        Args:
            subject: what to look for.
            space: whose vector is wanted.
            pictures: files by the names that `picture:` terms use.
            template: of the query.

        Raises:
            QueryError: a picture is not there, too large, or can't be read.
            SpaceError: the space knows no words, the text is too long for it, or its model can't be loaded.
        """
        match subject:
            case Words(text):
                return Aim(self._words(text, space, template))
            case Picture(name):
                return self._picture(name, space, pictures)
            case Like(content_id):
                return Aim(self._stored(content_id, space), content_id)

    def nulls(self, space: SpaceState) -> Floats:
        """Vectors of the null queries, float32 (n, dim): from memory, from the library's folder, or from the model.

        Raises:
            SpaceError: the model can't be loaded.
        """
        with self._encoding:
            if space.key not in self._nulls:
                path = null_queries.path_of(self._library.path / "vectors", space.key)
                vectors = text_vector_cache.read(path, (len(null_queries.TEXTS), space.dim))
                if vectors is None:
                    vectors = null_queries.encode(self._encoders.get(space))
                    if not self._library.readonly:
                        text_vector_cache.keep(path, vectors)
                self._nulls[space.key] = vectors
            return self._nulls[space.key]

    def _words(self, text: str, space: SpaceState, template: str | None) -> Floats:
        if not space.has_text:
            raise SpaceError(
                f"The library was indexed with {space.name!r}, which knows pictures but no words. Search with a "
                "picture, or index again with a space that reads words: python -m indexer FOLDER --space fast"
            )
        texts = _texts(text, space, template)
        found = self._remembered(texts, space)
        if found is None:
            mean = self._encoders.get(space).encode_texts(texts).mean(axis=0)
            key = (space.key, "\n".join(texts))
            found = self._keep(key, np.asarray(mean / np.linalg.norm(mean), np.float32))
            self._texts.keep(*key, found)
        return found

    def _remembered(self, texts: Sequence[str], space: SpaceState) -> Floats | None:
        key = (space.key, "\n".join(texts))
        found = self._look(key)
        if found is None:
            found = self._texts.get(*key, space.dim)
            if found is not None:
                self._keep(key, found)
        return found

    def _knows_nulls(self, space: SpaceState) -> bool:
        return space.key in self._nulls or null_queries.path_of(self._library.path / "vectors", space.key).is_file()

    def _picture(self, name: str, space: SpaceState, pictures: Mapping[str, bytes]) -> Aim:
        data = pictures.get(name)
        if data is None:
            raise QueryError(f"The picture {name!r} is not here any more: show it again, or take picture:{name} out.")
        if len(data) > MAX_PICTURE_BYTES:
            raise QueryError(
                f"The picture has {len(data) / 1e6:.1f} MB; the limit is {MAX_PICTURE_BYTES / 1e6:.0f} MB. "
                "Save it smaller."
            )
        digest = hashlib.sha256(data).digest()
        known = self._known(digest, space)
        if known is not None:
            return Aim(self._stored(known, space), known)
        found = self._look((space.key, digest))
        return Aim(found if found is not None else self._keep((space.key, digest), self._encoded(data, space)))

    def _encoded(self, data: bytes, space: SpaceState) -> Floats:
        from sightline.images.decode import DecodeError, decode

        encoder = self._encoders.get(space)
        try:
            decoded = decode(io.BytesIO(data), need=encoder.preprocess.need, thumbnail=False)
        except DecodeError as error:
            raise QueryError(f"The picture can't be read: {error.reason}.") from error
        pixels = encoder.preprocess.apply(decoded.pixels, decoded.original)
        vector: Floats = encoder.encode_images(pixels[None])[0]
        if not np.isfinite(vector).all():
            raise QueryError(f"The model of space {space.name!r} makes nothing of this picture.")
        return vector

    def _known(self, content_hash: bytes, space: SpaceState) -> int | None:
        """The content id of a picture whose very bytes are in the library, with a vector."""
        found = self._library.catalog.content_by_hash(content_hash, space.id)
        return found[0] if found is not None and found[1] else None

    def _stored(self, content_id: int, space: SpaceState) -> Floats:
        try:
            vectors: Floats = self._library.vectors.get(space.id).vectors_of(np.asarray([content_id], np.int64))
            return np.asarray(vectors[0])
        except KeyError:
            raise QueryError(f"There is no picture {content_id} in this library's space {space.name!r}.") from None

    def _look(self, key: tuple[str, str | bytes]) -> Floats | None:
        with self._lock:
            if key in self._cached:
                self._cached.move_to_end(key)
            return self._cached.get(key)

    def _keep(self, key: tuple[str, str | bytes], vector: Floats) -> Floats:
        with self._lock:
            self._cached[key] = vector
            while len(self._cached) > MAX_CACHED:
                self._cached.popitem(last=False)
        return vector


def _texts(text: str, space: SpaceState, template: str | None) -> tuple[str, ...]:
    return prompts(text, template, templates_of(space.model))


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
