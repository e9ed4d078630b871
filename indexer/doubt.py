"""Doubt about folders inside roots: what is gone as a whole may be a drive that is not mounted.

A prune forgets files that are gone from folders that are there. It forgets nothing below a folder that held pictures
and is gone or empty as a whole, nor below one that lay on another drive and does not now. It says so, and how to say
that this is meant. A folder of which any file was found elsewhere was renamed: there is no doubt of it. A copy of a
file, which has another inode, tells nothing: the drive of the file may have been unplugged since.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from indexer.root_scan import RootScan
from sightline.humanize import count
from store.errors import SightlineError
from store.paths import as_json, display, to_bytes, to_path

# What systems leave in folders, and what keeps them in archives: a folder with nothing else is empty.
_LITTER: Final = frozenset((b".ds_store", b"thumbs.db", b"desktop.ini", b".directory", b".localized", b".gitkeep"))
_SHOWN: Final = 5

GONE, EMPTY, AWAY = "it is gone", "it is empty", "it lay on another drive, which is not there"


class DoubtError(SightlineError):
    """Photos were not forgotten, because a whole folder is gone, empty or on another drive than before."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A folder of which photos are missing and were not forgotten: how many, and why not."""

    folder: Path
    photos: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**as_json(to_bytes(self.folder)), "photos": self.photos, "reason": self.reason}


@dataclass(slots=True)
class Prune:
    """Which photos a prune forgets, and which it doubts.

    Attributes:
        emptied: whether it is meant that folders are gone or empty: nothing is doubted.
        photo_ids: of the photos to forget.
        doubts: by folder.
    """

    emptied: bool = False
    photo_ids: list[int] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)

    def take(self, scan: RootScan, missing: Sequence[tuple[int, bytes]], renamed: Collection[bytes] = ()) -> None:
        """Add the photos of a scan.

        Args:
            scan: a walk that came to its end.
            missing: id and path of each photo that is really gone.
            renamed: paths under the root whose very files were found elsewhere.
        """
        if self.emptied:
            self.photo_ids.extend(photo_id for photo_id, _ in missing)
            return
        trusted = {folder for path in renamed for folder in _folders(path)}
        # Those that a walk of a part did not come by are not known to be away.
        away = {
            drive
            for drive in (scan.target.known.drives if scan.target.known else ())
            if drive not in scan.drives and drive.startswith(scan.target.prefix)
        }
        reasons: dict[bytes, str] = {}
        doubted: dict[bytes, int] = {}
        for photo_id, path in missing:
            for folder in _folders(path):
                if folder in away:
                    reason = AWAY
                elif folder in trusted:
                    reason = ""
                else:
                    if folder not in reasons:
                        reasons[folder] = _doubt(to_path(to_bytes(scan.target.root), folder))
                    reason = reasons[folder]
                if reason:
                    reasons[folder] = reason
                    doubted[folder] = doubted.get(folder, 0) + 1
                    break
            else:
                self.photo_ids.append(photo_id)
        root = to_bytes(scan.target.root)
        self.doubts += [Doubt(to_path(root, folder), photos, reasons[folder]) for folder, photos in doubted.items()]

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
        return DoubtError(
            f"{count(photos, 'photo')} that {'is' if photos == 1 else 'are'} missing "
            f"{'was' if photos == 1 else 'were'} not forgotten, because a drive may not be mounted: {named}{more}. "
            "Connect it and run again. If the folders are meant to be gone, say --prune-emptied in place of --prune."
        )


def _folders(path: bytes) -> Iterator[bytes]:
    """The folders that a path lies in, below the root, the outermost first."""
    at = path.find(b"/")
    while at >= 0:
        yield path[:at]
        at = path.find(b"/", at + 1)


def _doubt(folder: Path) -> str:
    """Why a folder is doubted; empty where it holds any file."""
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
