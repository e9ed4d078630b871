#!/usr/bin/env bash
# watchfiles: three changes that it does not report, each without a word.
#
# Expected: a change of a file is reported, or an error says that it could not be; the next change is reported again.
# Seen with watchfiles 1.3.0 on Linux: after one file whose name is no UTF-8, every later call raises the error of that
# file, and no other change is reported, until a new watcher is made. What overflows the system's queue is lost: inotify
# says so, and watchfiles does not hand it on. A watch in a folder whose drive was unmounted, or that was deleted, ends
# without a report of that. So indexer/watch_folder.py takes a report only for the word that something changed, and
# makes the watcher anew.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'watchfiles==1.3.0'
"$work/env/bin/python" - "$work" <<'PYTHON'
import os
import subprocess
import sys
import time
from pathlib import Path

import watchfiles
from watchfiles._rust_notify import RustNotify

work = Path(sys.argv[1])


def reported(watcher: RustNotify) -> object:
    try:
        return watcher.watch(500, 100, 1500, None)
    except Exception as error:
        return error


print("watchfiles", watchfiles.VERSION)
print("expected: after an error about one file, the next change is reported")
photos = work / "photos"
photos.mkdir()
watcher = RustNotify([str(photos)], False, False, 300, True, False)
Path(os.fsdecode(os.fsencode(photos) + b"/\xff.jpg")).touch()
first = reported(watcher)
(photos / "later.jpg").touch()
later = [reported(watcher) for _ in range(3)]
watcher.close()
print(f"seen:     {first!r}, and for later.jpg three times {later[-1]!r}")
stuck = all(isinstance(each, RuntimeError) for each in later)

print("expected: what overflows the queue of inotify is told somehow")
for name in ("many", "one"):
    (work / name).mkdir()
watcher = RustNotify([str(work / "many"), str(work / "one")], False, False, 300, False, False)
queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
script = f"""
import os, signal, time
os.kill({os.getpid()}, signal.SIGSTOP)
time.sleep(0.2)
for number in range({queue} + 1000):
    open("{work}/many/%d" % number, "w").close()
open("{work}/one/last.jpg", "w").close()
os.kill({os.getpid()}, signal.SIGCONT)
"""
child = subprocess.Popen([sys.executable, "-c", script])
child.wait()
time.sleep(1)
paths = set()
while isinstance(found := reported(watcher), set):
    paths |= {path for _, path in found}
watcher.close()
lost = bool(paths) and not any(path.endswith("last.jpg") for path in paths)
print(f"seen:     {len(paths):,} of {queue + 1001:,} files, last.jpg among them: {not lost}; then {found!r}")
raise SystemExit(not (stuck and lost))
PYTHON
