"""Texts, and pictures that are not in the library, to vectors of a model."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import PIL.Image

from sightline.query.types import MAX_PICTURE_BYTES, QueryError
from store.arrays import Floats

if TYPE_CHECKING:  # importing the encoder imports torch, which takes seconds
    from sightline.models.interface import JointEncoder

T = TypeVar("T")

ImageSource = str | os.PathLike[str] | bytes | PIL.Image.Image
"""A picture: the path of its file, the bytes of its file, or a picture of Pillow."""

_BATCH: Final = 32  # pictures or texts that go through a model at once
# Modes that a PNG holds as they are.
_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


def file_bytes(image: ImageSource) -> bytes:
    """A picture as the bytes of a file; a picture of Pillow, taken as it is in memory, as those of a PNG.

    Raises:
        QueryError: the file can't be read, or is larger than `MAX_PICTURE_BYTES`.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, PIL.Image.Image):
        buffer = io.BytesIO()
        (image if image.mode in _PNG_MODES else image.convert("RGB")).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()
    try:
        with Path(image).expanduser().open("rb") as file:
            data = file.read(MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise QueryError(f"The picture {image} can't be read: {error.strerror or error}.") from error
    if len(data) > MAX_PICTURE_BYTES:
        raise QueryError(f"The picture {image} is larger than {MAX_PICTURE_BYTES / 1e6:.0f} MB. Save it smaller.")
    return data


def encode_texts(encoder: JointEncoder, texts: Iterable[str]) -> Floats:
    """Vectors of texts: float32 (n, dim), unit rows.

    Raises:
        SpaceError: see `JointEncoder.encode_texts`.
    """
    parts = [encoder.encode_texts(batch) for batch in _batches(texts)]
    return np.concatenate(parts) if parts else np.empty((0, encoder.dim), np.float32)


def encode_images(encoder: JointEncoder, images: Iterable[ImageSource]) -> Floats:
    """Vectors of pictures: float32 (n, dim), unit rows.

    Raises:
        QueryError: a picture can't be read; the message names it, by its path or its place.
    """
    from sightline.images.errors import DecodeError
    from sightline.images.pools import pool

    parts: list[Floats] = []
    done = 0
    for batch in _batches(images):
        prepared = []
        for image in batch:
            done += 1
            try:
                with pool("photos").reader() as reader:
                    reader.give(file_bytes(image))
                    decoded = reader.decode(need=encoder.preprocess.need, thumbnail=False)
                    prepared.append(encoder.preprocess.apply(decoded.pixels, decoded.original))
            except DecodeError as error:
                name = f"The picture {image}" if isinstance(image, str | os.PathLike) else f"Picture number {done}"
                raise QueryError(f"{name} can't be read: {error.reason}.") from error
        parts.append(encoder.encode_images(np.stack(prepared)))
    return np.concatenate(parts) if parts else np.empty((0, encoder.dim), np.float32)


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, _BATCH)):
        yield batch
