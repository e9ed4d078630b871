"""Snapshots to files and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from store.arrays import Rows
from store.vectors.four_bit_codes import FourBitCodes
from store.vectors.four_bit_codes import encode as encode_four_bits
from store.vectors.index_files import FORMAT, IndexContents, IndexFiles, Kept, Manifest
from store.vectors.one_bit_codes import OneBitCodes, Quantizer
from store.vectors.row_store import CHUNK, MappedRows, RowStore
from store.vectors.snapshot import Snapshot

_NOTHING: Final = Kept(0, 0, 0)


@dataclass(frozen=True, slots=True)
class SpaceInfo:
    """What the manifest says of a space beside its rows; see `Manifest`."""

    key: str
    epoch: int
    last_id: int
    measured: Mapping[str, float]


def load(contents: IndexContents) -> Snapshot:
    """The snapshot that a space's files hold."""
    manifest = contents.manifest
    codes = fine = None
    if manifest.coded:
        quantizer = Quantizer(manifest.dim, np.asarray(manifest.centre, np.float32))
        codes, fine = OneBitCodes(quantizer, contents.codes), FourBitCodes(quantizer, contents.fine)
    tail = np.empty((0, manifest.dim), np.float16)
    rows = RowStore(MappedRows(contents.rows), tail, contents.entries)
    return Snapshot.of(rows, contents.deleted, codes, fine)


def save(
    snapshot: Snapshot, files: IndexFiles, space: SpaceInfo, saved: Manifest | None, *, max_deleted_share: float
) -> tuple[Manifest, Snapshot]:
    """Bring the files up to a snapshot.

    Returns their manifest, and the same rows as they lie in the files now. New rows are appended. All are written anew,
    without the deleted ones, where those are too many or where the files are not the ones that the snapshot was read
    from or saved to.

    Args:
        snapshot: the rows and codes.
        files: of its space.
        space: what to say of it.
        saved: the manifest of the files that its first rows lie in; None for none.
        max_deleted_share: of the rows; with more they are written anew.

    Raises:
        DamagedRowsError: a row to write is not what was written before.
        OSError: see `IndexFiles.write`.
    """
    rows, deleted = np.arange(len(snapshot.rows)), snapshot.lookup.deleted
    if saved is not None and saved == files.manifest() and len(deleted) <= max_deleted_share * len(rows):
        fine = 0 if snapshot.fine is None else len(snapshot.fine)
        kept, token = Kept(len(snapshot.rows.mapped.rows), saved.coded, fine), saved.token
    else:
        rows, deleted, kept, token = np.delete(rows, deleted), deleted[:0], _NOTHING, ""
    return _write(snapshot, files, space, rows, deleted, kept, token)


def _write(
    snapshot: Snapshot, files: IndexFiles, space: SpaceInfo, rows: Rows, deleted: Rows, kept: Kept, token: str
) -> tuple[Manifest, Snapshot]:
    """Write the rows, those that are kept left out, and what belongs to them."""
    stored, new = snapshot.rows, rows[kept.rows :]
    edge = len(stored.mapped.rows)
    stored.write_checksums(new[new >= edge])
    entries = stored.entries if token else stored.entries[rows]
    words, quantizer = np.empty((0, 1), np.uint64), None
    if snapshot.coded and snapshot.codes is not None:
        words = snapshot.codes.words if token else snapshot.codes.words[rows[rows < snapshot.coded]]
        quantizer = snapshot.codes.quantizer if len(words) else None
    manifest = Manifest(
        format=FORMAT, space=space.key, dim=stored.dim, epoch=space.epoch, last_id=space.last_id, token=token,
        rows=len(rows), dead=len(deleted), coded=len(words), fine=0 if quantizer is None else len(rows),
        centre=() if quantizer is None else tuple(quantizer.centroid.tolist()), measured=space.measured,
    )  # fmt: skip
    parts = (stored.take(new[start : start + CHUNK]) for start in range(0, len(new), CHUNK))
    starts = range(kept.fine, len(rows) if quantizer is not None else 0, CHUNK)
    fine = (encode_four_bits(quantizer, stored.take(rows[start : start + CHUNK])) for start in starts if quantizer)
    manifest = files.write(manifest, parts, entries, words, fine, deleted, kept=kept)
    verified = np.concatenate([stored.mapped.verified, np.ones(len(stored) - edge, np.bool_)])[rows]
    tail = np.empty((0, stored.dim), np.float16)
    mapped = RowStore(MappedRows(files.rows(manifest), verified), tail, entries)
    if quantizer is None:
        return manifest, Snapshot.of(mapped, deleted)
    codes, four_bits = OneBitCodes(quantizer, words), FourBitCodes(quantizer, files.fine(manifest))
    return manifest, Snapshot.of(mapped, deleted, codes, four_bits)
