"""Doubt about what is gone: it may lie on a drive that is not mounted.

A prune forgets files that are gone from folders that are there. It forgets nothing below a folder that held pictures
and is gone or empty as a whole, nor below one that lay on another drive and does not now. It says so, and how to say
that this is meant. A folder of which any file was found elsewhere was renamed: there is no doubt of it. A copy of a
file, which has another inode, tells nothing: the drive of the file may have been unplugged since.

Nor does it forget anything of a root, or of a drive in it, of which more than a third is gone, whatever else is there.
What is there with another ending does not count: it was converted.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from indexer.identity import Identity, from_json, is_large, share_in_words
from indexer.places import device_of, names_in
from indexer.root_scan import RootScan
from sightline.humanize import count
from sightline.images.formats import EXTENSIONS
from store.addresses import is_address
from store.errors import SightlineError
from store.paths import as_json, display, to_bytes, to_path
from store.tables.catalog import Catalog

# What systems leave in folders, and what keeps them in archives: a folder with nothing else is empty.
_LITTER: Final = frozenset((b".ds_store", b"thumbs.db", b"desktop.ini", b".directory", b".localized", b".gitkeep"))
_SHOWN: Final = 5

GONE, EMPTY, AWAY = "it is gone", "it is empty", "it lay on another drive, which is not there"
OTHER = "another drive lies there than before"


class DoubtError(SightlineError):
    """Photos were not forgotten: a folder is gone, empty or on another drive, or a third of a root."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A folder of which photos are missing and were not forgotten: how many, and why not."""

    folder: Path
    photos: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**as_json(to_bytes(self.folder)), "photos": self.photos, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Held:
    """How many photos a scan found known, before any was settled or forgotten.

    Those that were missing are among them.

    Attributes:
        photos: below the folder that was walked.
        drives: below each drive in it, by path.
        identity: of the root.
    """

    photos: int
    drives: Mapping[bytes, int]
    identity: Identity


def held(catalog: Catalog, scan: RootScan, *, counts: bool = True) -> Held:
    """Count what a scan may find gone; call it before moves are settled, as that forgets the old places.

    `counts`: else nothing is counted, which takes 0.1 seconds for a million photos.
    """
    known = scan.target.known
    if not counts:
        return Held(0, {}, from_json(known.identity if known else None))
    drives = [drive for drive in (known.drives if known else ()) if drive.startswith(scan.target.prefix)]
    return Held(
        catalog.count_known(scan.root_id, scan.last_photo_id, scan.target.prefix),
        {drive: catalog.count_known(scan.root_id, scan.last_photo_id, drive + b"/") for drive in drives},
        from_json(known.identity if known else None),
    )


@dataclass(slots=True)
class Prune:
    """Which photos a prune forgets, and which it doubts.

    Attributes:
        emptied: whether it is meant that folders are gone or empty: they are not doubted.
        yes: whether it is meant that more than a third of a root is gone.
        photo_ids: of the photos to forget.
        doubts: by folder.
    """

    emptied: bool = False
    yes: bool = False
    photo_ids: list[int] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    _says_yes: bool = False  # some doubts are about shares
    _says_emptied: bool = False  # some are about folders

    def take(
        self, catalog: Catalog, scan: RootScan, missing: Sequence[tuple[int, bytes]], before: Held,
        renamed: Collection[bytes] = (),
    ) -> None:  # fmt: skip
        """Add the photos of a scan.

        Args:
            catalog: of the library.
            scan: a walk that came to its end.
            missing: id and path of each photo that is really gone.
            before: what was known when the scan began.
            renamed: paths under the root whose very files were found elsewhere.
        """
        if not missing:
            return
        root = to_bytes(scan.target.root)
        folder_of, reasons = self._doubted_folders(scan, missing, before, renamed)
        shares = {} if self.yes else self._doubted_shares(catalog, scan, missing, before, folder_of)
        doubted: dict[tuple[bytes, str], int] = {}
        for photo_id, path in missing:
            folder = folder_of.get(photo_id)
            share = next((unit for unit in shares if path.startswith(unit)), None)
            if folder is not None and self.emptied:
                self.photo_ids.append(photo_id)
            elif share is not None:
                doubted[share, shares[share]] = doubted.get((share, shares[share]), 0) + 1
                self._says_yes = True
                self._says_emptied |= folder is not None
            elif folder is not None:
                doubted[folder, reasons[folder]] = doubted.get((folder, reasons[folder]), 0) + 1
                self._says_emptied = True
            else:
                self.photo_ids.append(photo_id)
        self.doubts += [
            Doubt(to_path(root, folder.rstrip(b"/")), photos, reason) for (folder, reason), photos in doubted.items()
        ]

    def _doubted_folders(
        self, scan: RootScan, missing: Sequence[tuple[int, bytes]], before: Held, renamed: Collection[bytes]
    ) -> tuple[dict[int, bytes], dict[bytes, str]]:
        """The doubted folder of each photo in one, by the photo's id; and why each is doubted."""
        trusted = {folder for path in renamed for folder in _folders(path)}
        root = to_bytes(scan.target.root)
        # Those that a walk of a part did not come by are not known to be away.
        away = {drive: AWAY for drive in before.drives if drive not in scan.drives}
        for drive, device in before.identity.drives.items():
            if drive in scan.drives and device_of(to_path(root, drive)) != device:
                away[drive] = OTHER
        reasons: dict[bytes, str] = {}
        folder_of: dict[int, bytes] = {}
        for photo_id, path in missing:
            for folder in _folders(path):
                if folder not in reasons:
                    trusts = folder in trusted
                    reasons[folder] = away.get(folder) or ("" if trusts else _doubt(scan.target.root, folder))
                if reasons[folder]:
                    folder_of[photo_id] = folder
                    break
        return folder_of, reasons

    def _doubted_shares(
        self, catalog: Catalog, scan: RootScan, missing: Sequence[tuple[int, bytes]], before: Held,
        folder_of: Mapping[int, bytes],
    ) -> dict[bytes, str]:  # fmt: skip
        """Why so much is doubted to be gone: of all that was walked, or of drives in it."""
        # What is said to be gone as a whole is believed; the rest is measured without it.
        believed = folder_of.keys() if self.emptied else set[int]()
        lost = catalog.lost_photos([photo_id for photo_id, _ in missing if photo_id not in believed])
        other = replaced(scan.target.root, [path for photo_id, path in missing if photo_id in lost])
        paths = [(path, lost[photo_id]) for photo_id, path in missing if photo_id in lost and path not in other]
        units = {scan.target.prefix: before.photos}
        units |= {drive + b"/": photos for drive, photos in before.drives.items() if drive in scan.drives}
        shares: dict[bytes, str] = {}
        for unit, photos in units.items():
            gone = sum(path.startswith(unit) for path, _ in paths)
            of = photos - sum(path.startswith(unit) for photo_id, path in missing if photo_id in believed)
            if is_large(gone, of):
                shares[unit] = share_in_words(gone, of)
        for since, photos in before.identity.losses.items():
            gone = sum(since == when for _, when in paths)
            if is_large(gone, photos):
                shares.setdefault(scan.target.prefix, share_in_words(gone, photos))
        return shares

    def refusal(self) -> DoubtError | None:
        """Make the error that says what was not forgotten; None where there is no doubt."""
        if not self.doubts:
            return None
        photos = sum(doubt.photos for doubt in self.doubts)
        named = "; ".join(
            f"{display(to_bytes(doubt.folder))} ({count(doubt.photos, 'photo')}: {doubt.reason})"
            for doubt in self.doubts[:_SHOWN]
        )
        more = f"; and {len(self.doubts) - _SHOWN} more" if len(self.doubts) > _SHOWN else ""
        ways = " If so many are meant to be gone, say --yes." if self._says_yes else ""
        if self._says_emptied:
            ways += " If the folders are meant to be gone, say --prune-emptied in place of --prune."
        return DoubtError(
            f"{count(photos, 'photo')} that {'is' if photos == 1 else 'are'} missing "
            f"{'was' if photos == 1 else 'were'} not forgotten, because a drive may not be mounted, or be another: "
            f"{named}{more}. Connect the right one and run again.{ways}"
        )


def replaced(root: Path, paths: Collection[bytes]) -> set[bytes]:
    """Paths below a root beside which a picture has their name and another ending: converted."""
    there: set[bytes] = set()
    for folder in {path.rpartition(b"/")[0] for path in paths}:
        with suppress(OSError):
            for name in names_in(root, folder):
                stem, ending = os.path.splitext(name)  # noqa: PTH122 - bytes
                if os.fsdecode(ending).lower() in EXTENSIONS:
                    there.add(folder + b"/" + stem if folder else stem)
    return {path for path in paths if os.path.splitext(path)[0] in there}  # noqa: PTH122 - bytes


def _folders(path: bytes) -> Iterator[bytes]:
    """The folders that a path lies in, below the root, the outermost first."""
    at = path.find(b"/")
    while at >= 0:
        yield path[:at]
        at = path.find(b"/", at + 1)


def _doubt(root: Path, path: bytes) -> str:
    """Why a folder below a root is doubted; empty where it holds any file."""
    if is_address(root):
        return _doubt_at(root, path)
    folder = to_path(to_bytes(root), path)
    try:
        os.lstat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    except OSError:
        return AWAY
    for _, _, names in os.walk(os.fsencode(folder), followlinks=folder.is_symlink()):
        if any(name.lower() not in _LITTER for name in names):
            return ""
    return EMPTY


def _doubt_at(root: Path, path: bytes) -> str:
    """Why a folder at an address is doubted: a store without folders has none that is empty."""
    try:
        return "" if names_in(root, path) else EMPTY
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    except OSError:
        return AWAY
