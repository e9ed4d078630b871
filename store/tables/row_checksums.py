"""Checksums of rows that hold many bytes: CRC-32 of those, and of what they are of.

So not only a changed row is found, but also one that holds what belongs to another: rows that were swapped, or a
content whose hash was changed.
"""

from __future__ import annotations

import zlib


def of_vector(space_id: int, content_hash: bytes, vector: bytes) -> int:
    """The checksum of a vector, as it is stored, of a content in a space; takes a microsecond."""
    return zlib.crc32(vector, zlib.crc32(space_id.to_bytes(8, "little") + content_hash))


def of_look(content_hash: bytes, look_hash: int, grey: bytes) -> int:
    """The checksum of the look of a content, from its perceptual hash and its grey picture."""
    return zlib.crc32(grey, zlib.crc32(look_hash.to_bytes(8, "little", signed=True) + content_hash))


def of_tiles(space_id: int, content_hash: bytes, boxes: bytes, vectors: bytes) -> int:
    """The checksum of the tiles of a content in a space, from their boxes and vectors as they are stored."""
    return zlib.crc32(vectors, zlib.crc32(boxes, of_vector(space_id, content_hash, b"tiles")))
