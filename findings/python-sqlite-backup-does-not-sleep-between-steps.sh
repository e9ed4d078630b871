#!/usr/bin/env bash
# Python's sqlite3: `sleep` of Connection.backup() is for a busy source alone.
#
# Expected: "sleep: the number of seconds to sleep between successive attempts to back up remaining pages", so that a
# backup in steps leaves the disk to others between them.
# Seen with Python 3.11.7 on Linux x86-64: 51 steps with sleep=0.1 take 2 ms. It sleeps only after a step that ended
# with SQLITE_BUSY or SQLITE_LOCKED. Sleeping in the function given as `progress` helps: it is called after each step.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 - <<'PYTHON'
import sqlite3
import sys
import time

source = sqlite3.connect("source.sqlite")
source.execute("CREATE TABLE data (value)")
source.executemany("INSERT INTO data VALUES (?)", [(b"x" * 3000,)] * 500)
source.commit()
steps = []
begun = time.perf_counter()
source.backup(sqlite3.connect("copy.sqlite"), pages=10, sleep=0.1, progress=lambda *state: steps.append(state))
took = time.perf_counter() - begun
print(f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}: {len(steps)} steps took {took:.3f} s")
assert len(steps) > 20
assert took < 0.1 * len(steps) / 2, "it sleeps between steps now"
PYTHON
