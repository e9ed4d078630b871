#!/usr/bin/env bash
# qdrant-edge-py: a load that is refused because the shard is open breaks the flush of who has it open.
#
# Expected: the second load fails, as it does ("failed to open WAL ... WouldBlock"), and the first goes on.
# Seen with qdrant-edge-py 0.9.0: where points were deleted since the last flush, the first one's flush fails from then on
# ("Tracker journal ... is shorter than expected"). Loading the shard again, from its log, helps; so does a lock of one's
# own, so that nobody tries.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'qdrant-edge-py==0.9.0'
"$work/env/bin/python" - "$work" <<'PYTHON'
import sys
from importlib.metadata import version

from qdrant_edge import *

print("qdrant-edge-py", version("qdrant-edge-py"))


def payload(i):
    return {"photos": [{"folder": f"/{i % 5}/", "name": f"name {i}"}, {"folder": "/x/", "name": "other"}] if i % 2 else []}


def seen(folder, is_loaded_again):
    shard = EdgeShard.create(folder, EdgeConfig(vectors={"v": EdgeVectorParams(size=2, distance=Distance.Dot)}))
    points = [Point(id=i, vector={"v": [1.0, 0.0]}, payload=payload(i)) for i in range(1, 2001)]
    shard.update(UpdateOperation.upsert_points(points))
    for key in ("photos[].folder", "photos[].name"):
        shard.update(UpdateOperation.create_field_index(key, KeywordIndexParams()))
    shard.update(UpdateOperation.delete_points([5, 6]))
    if is_loaded_again:
        try:
            EdgeShard.load(folder)
        except Exception as error:
            print("second load:", error)
    try:
        shard.flush()
        return "flushed"
    except Exception as error:
        print("flush:", error)
        return "shorter than expected" if "shorter than expected" in str(error) else str(error)


alone, beside = seen(f"{sys.argv[1]}/alone", False), seen(f"{sys.argv[1]}/beside", True)
print("alone:", alone, "| after a refused load:", beside)
raise SystemExit((alone, beside) != ("flushed", "shorter than expected"))
PYTHON
