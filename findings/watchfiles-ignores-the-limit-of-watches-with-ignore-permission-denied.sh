#!/usr/bin/env bash
# watchfiles: ignore_permission_denied=True also ignores that the system watches no more folders.
#
# Expected: of folders that may not be read nothing is reported; where the limit of inotify is reached, an error says so.
# Seen with watchfiles 1.3.0 on Linux: no error; the folders above the limit are not watched. With
# ignore_permission_denied=False it is an OSError without an errno. So indexer/watch_folder.py leaves unreadable folders
# out by itself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'watchfiles==1.3.0'
# A user namespace has a limit of its own.
unshare --user --map-root-user sh -c 'echo 10 > /proc/sys/user/max_inotify_watches; exec "$@"' - \
  "$work/env/bin/python" - "$work" <<'PYTHON'
import sys
from pathlib import Path

import watchfiles
from watchfiles._rust_notify import RustNotify

photos = Path(sys.argv[1]) / "photos"
for number in range(20):
    (photos / f"{number:02}").mkdir(parents=True)


def made(ignore_permission_denied: bool) -> object:
    try:
        watcher = RustNotify([str(photos)], False, False, 300, True, ignore_permission_denied)
    except OSError as error:
        return error
    for number in range(20):
        (photos / f"{number:02}" / f"{ignore_permission_denied}.jpg").touch()
    found = watcher.watch(500, 100, 1500, None)
    watcher.close()
    return f"{len(found)} of 20 changes reported"


print("watchfiles", watchfiles.VERSION)
print("expected: an error where 21 folders are to be watched and 10 may be")
strict, lenient = made(False), made(True)
print(f"seen:     ignore_permission_denied=False: {strict!r}")
print(f"          ignore_permission_denied=True:  {lenient!r}")
raise SystemExit(not (isinstance(strict, OSError) and isinstance(lenient, str)))
PYTHON
