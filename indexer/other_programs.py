"""Bins, and folders that other programs keep for themselves: no pictures of the user's.

Only names that no person gives a folder. `Cache`, `Trash`, `Backup` or `thumbnails` may be anybody's, and are walked.
"""

from __future__ import annotations

import re
from typing import Final

# Bins of systems and NAS, copies that are kept for going back, thumbnails; lower case.
_NAMES: Final = frozenset(
    name.encode()
    for name in (
        # Windows, Linux (also .Trash-1000, below), macOS, Samba
        "$recycle.bin", "system volume information", "lost+found", ".trash", ".trashes", ".globaltrash",
        "network trash folder", ".temporaryitems", ".documentrevisions-v100", ".recycle", ".spotlight-v100",
        ".fseventsd", ".appledouble", "__macosx",
        # Synology, QNAP, NetApp, ZFS
        "#recycle", "#snapshot", "@eadir", "@recycle", "@recently-snapshot", ".@__thumb", ".@__qini", ".@upload_cache",
        ".snapshot", ".snapshots", ".zfs",
        # thumbnails of desktops and Android
        ".thumbnails", ".sh_thumbnails",
        # Picasa, digiKam, Shotwell, Nextcloud, Dropbox, Syncthing, Google Drive
        ".picasaoriginals", ".dtrash", ".shotwell", "files_trashbin", "files_versions", ".dropbox.cache", ".stversions",
        ".tmp.drivedownload", ".tmp.driveupload",
    )
)  # fmt: skip
# The bins of old Windows: by their own case only, as the words may be anybody's.
_EXACT: Final = frozenset((b"RECYCLER", b"RECYCLED"))
# Bins by user (.Trash-1000); previews of Lightroom; mipmaps of darktable.
_SHAPE: Final = re.compile(rb"\.trash-.*|.*\.lrdata|mipmaps-[0-9a-f]{40}\.d", re.DOTALL)
# By the folders around them: caches of Capture One, Nextcloud, freedesktop and Android's apps, what Resilio Sync keeps
# of deleted files, and what old iPhoto made, whose library is a folder without an ending.
_PLACE: Final = re.compile(
    rb"(?:^|/)(?:captureone/cache|[^/]+\.cocatalog/cache|appdata_[0-9a-z]+/preview|\.cache/(?:thumbnails|shotwell|"
    rb"darktable|digikam|gthumb|geeqie)|android/data/[^/]+/cache|"
    rb"\.sync/archive|iphoto library/(?:data|data\.noindex|thumbnails|previews))\Z",
    re.DOTALL,
)
# Libraries of Apple's Photos, iPhoto and Aperture. Apple says of the first that pictures lie in `originals` (`Masters`
# in older ones); iPhoto's `Modified` has what the user edited. All else is made from these.
_PACKAGE: Final = re.compile(rb".*\.(?:photoslibrary|photolibrary|migratedphotolibrary|aplibrary)", re.DOTALL)
_IN_PACKAGE: Final = frozenset((b"originals", b"masters", b"modified"))
# A picture in the bin of Android 11 and later: .trashed-1700000000-IMG_1.jpg, where IMG_1.jpg lay.
_TRASHED: Final = re.compile(rb"\.trashed-\d+-.*", re.DOTALL)


def is_other_programs_folder(around: bytes, name: bytes) -> bool:
    """Whether the folder `name` is a bin or a cache; `around` is the whole path of what it lies in."""
    lower = name.lower()
    if lower in _NAMES or name in _EXACT or _SHAPE.fullmatch(lower):
        return True
    parent = around.rpartition(b"/")[2].lower()
    if _PACKAGE.fullmatch(parent):
        return lower not in _IN_PACKAGE
    return _PLACE.search(around.lower() + b"/" + lower) is not None


def is_in_a_bin(name: bytes) -> bool:
    """Whether a file is in a bin by its own name."""
    return _TRASHED.fullmatch(name.lower()) is not None
