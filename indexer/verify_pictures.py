"""Thumbnails, looks, previews, maps and remembered texts: checked, and made again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from indexer.finding import MENDABLE, Finding
from indexer.missing_looks import mend_looks
from store.images.disk_usage import entries
from store.library import Library
from store.tables import checks, looks
from store.tables.looks import SIDE, Look

_THREADS: Final = 4
_BATCH: Final = 1_024
# Looks of one picture, by its thumbnail and by the pixels that this was made of, differ by 0.4 levels of 256 on
# average, and in 4 bits at most; those of two photographs by 40 and in 30.
_MOST_LEVELS: Final = 8
_MOST_BITS: Final = 16


def check_thumbnails(library: Library, *, repair: bool) -> Finding:
    """Compare every thumbnail with its checksum, or with the look of its picture where it has none."""
    hashes = library.catalog.hashes()
    there, wrong, unchecked = _look_at_thumbnails(library, hashes)
    missing = len(hashes) - there
    text = f"{there - len(wrong)} there"
    if missing:
        text += f", {missing} to be made when they are shown"
    if unchecked and not repair:
        text += f"; {len(unchecked)} are of an older version, which kept no checksums"
    if repair:
        for content_hash in unchecked:
            if (found := library.thumbnails.look_at(content_hash)) is not None:
                library.thumbnails.write(content_hash, found[1])
    if not wrong:
        return Finding("ok", "thumbnails", text)
    text += f"; {len(wrong)} damaged or of another picture"
    if not repair:
        return Finding("wrong", "thumbnails", f"{text}. {MENDABLE}")
    from sightline.media.derived import thumbnail

    made = 0
    for content_hash in wrong:
        library.thumbnails.remove(content_hash)
        made += thumbnail(library, content_hash) is not None
    did = f"{made} of them made again"
    if made < len(wrong):
        did += f", {len(wrong) - made} removed, to be made when their photos can be read"
    return Finding("repaired", "thumbnails", f"{text}; {did}")


def _look_at_thumbnails(library: Library, hashes: Sequence[bytes]) -> tuple[int, list[bytes], list[bytes]]:
    """How many there are, and the hashes of those that are wrong, and of good ones without a checksum."""
    there, wrong, unchecked = 0, [], []
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1), thread_name_prefix="verify") as pool:
        for start in range(0, len(hashes), _BATCH):
            part = hashes[start : start + _BATCH]
            found = pool.map(lambda content_hash: _state(library, content_hash), part)
            for content_hash, state in zip(part, found, strict=True):
                there += state is not None
                if state == "wrong":
                    wrong.append(content_hash)
                elif state == "unchecked":
                    unchecked.append(content_hash)
    for start in range(0, len(unchecked), _BATCH):
        part = unchecked[start : start + _BATCH]
        wrong += _of_other_pictures(library, part)
    others = set(wrong)
    return there, wrong, [each for each in unchecked if each not in others]


def _state(library: Library, content_hash: bytes) -> str | None:
    found = library.thumbnails.look_at(content_hash)
    return None if found is None else found[0]


def _of_other_pictures(library: Library, hashes: Sequence[bytes]) -> list[bytes]:
    """Those of the contents, by hash, whose thumbnail can't be decoded, or does not look like the picture."""
    from sightline.images.look import look_of_thumbnail

    contents = [library.catalog.content_by_hash(content_hash) or (0, frozenset()) for content_hash in hashes]
    known = looks.read_looks(library.catalog.engine, np.array([content[0] for content in contents], np.int64))
    others = []
    for at, content_hash in enumerate(hashes):
        file = library.thumbnails.look_at(content_hash)
        own = None if file is None else look_of_thumbnail(file[1])
        if own is None or (known.held[at] and not _alike(own, Look(int(known.hashes[at]), known.grey[at].tobytes()))):
            others.append(content_hash)
    return others


def _alike(one: Look, other: Look) -> bool:
    """Whether two looks are of one picture."""
    grey = [np.frombuffer(look.grey, np.uint8).astype(np.int16) for look in (one, other)]
    levels = float(np.abs(grey[0] - grey[1]).mean())
    return levels <= _MOST_LEVELS and (one.hash ^ other.hash).bit_count() <= _MOST_BITS


def check_looks(library: Library, *, repair: bool) -> Finding:
    """Compare every look with its checksum, or with the thumbnail of its picture where it has none."""
    from sightline.images.look import look_of_thumbnail

    engine, found = library.catalog.engine, checks.check_looks(library.catalog.engine)
    wrong, right = list(found.wrong), []
    for id_, content_hash, look in found.unchecked:
        data = library.thumbnails.read(content_hash)
        own = None if data is None else look_of_thumbnail(data)
        if own is not None and len(look.grey) == SIDE * SIDE and not _alike(own, look):
            wrong.append(id_)
        else:
            right.append((id_, content_hash, look))
    mended = 0
    if repair:
        checks.keep_looks(engine, right)
        if wrong:
            checks.drop_looks(engine, wrong)
        mended = mend_looks(library)
    pictures, there = looks.counts(engine)
    text = f"{there} there" + (f", {mended} of them made again" if mended else "")
    if missing := pictures - there:
        due = looks.count_due(engine)
        text += f", {missing} missing" + ("; the next run makes them from thumbnails" if due else "")
    if wrong and not repair:
        return Finding("wrong", "looks", f"{text}; {len(wrong)} are not what was written. {MENDABLE}")
    return Finding("repaired" if mended or wrong else "ok", "looks", text)


def check_previews(library: Library, *, repair: bool) -> Finding:
    """Compare every preview with its checksum. Any may be missing: it is made when it is asked for."""
    wrong: list[Path] = []
    unchecked: list[Path] = []
    for entry in entries(library.previews.folder):
        path = Path(entry.path)
        content_hash = _hash_of(path)
        state = "wrong" if content_hash is None else library.previews.look_at(content_hash)
        if state in ("wrong", "unchecked"):
            (wrong if state == "wrong" else unchecked).append(path)
    if repair:
        for path in wrong + unchecked:
            path.unlink(missing_ok=True)
        checks.all_pictures_checked(library.catalog.engine)
    megabytes = library.disk_use()["previews"] / 1e6
    text = f"{megabytes:,.1f} MB of at most {library.previews.limit_bytes / 1e6:,.0f}"
    return _caches(wrong, "previews", text, repair=repair)


def _hash_of(path: Path) -> bytes | None:
    """The hash that a preview's name is made of; None where it is no name of ours."""
    try:
        content_hash = bytes.fromhex(path.stem)
    except ValueError:
        return None
    return content_hash if len(content_hash) == 32 and path.suffix == ".jpg" else None


def check_small_caches(library: Library, *, repair: bool) -> Finding:
    """Compare maps and remembered texts with their checksums."""
    from sightline.maps import files
    from sightline.ranking.text_vector_cache import damaged_files

    wrong = damaged_files(library.path / "vectors")
    for space in library.catalog.spaces():
        path = files.path_of(library.path, space.id)
        if path.exists() and files.load(path, space.key) is None:
            wrong.append(path)
    if repair:
        for path in wrong:
            path.unlink(missing_ok=True)
    return _caches(wrong, "maps and remembered texts", "as they were written", repair=repair)


def _caches(wrong: Sequence[Path], part: str, text: str, *, repair: bool) -> Finding:
    if not wrong:
        return Finding("ok", part, text)
    text = f"{text}; {len(wrong)} damaged"
    if repair:
        return Finding("repaired", part, f"{text}, removed, to be made when they are asked for")
    return Finding("wrong", part, f"{text}. {MENDABLE}")
