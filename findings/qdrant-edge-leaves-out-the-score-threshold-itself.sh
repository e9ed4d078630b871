#!/usr/bin/env bash
# qdrant-edge-py: a score threshold leaves out the points that have exactly that score.
#
# Expected: "minimum score threshold": what scores as much is kept.
# Seen with qdrant-edge-py 0.9.0: with the tenth best score as the threshold nine points come back. A threshold a little
# below helps.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'qdrant-edge-py==0.9.0'
"$work/env/bin/python" - "$work/shard" <<'PYTHON'
import sys
from importlib.metadata import version

from qdrant_edge import *

print("qdrant-edge-py", version("qdrant-edge-py"))
shard = EdgeShard.create(sys.argv[1], EdgeConfig(vectors={"v": EdgeVectorParams(size=2, distance=Distance.Dot)}))
# Scores that float32 has exactly: 1/32, 2/32 ... 32/32.
shard.update(UpdateOperation.upsert_points([Point(id=i, vector={"v": [i / 32, 0.0]}) for i in range(1, 33)]))


def found(threshold):
    request = QueryRequest(
        limit=32, query=Query.Nearest([1.0, 0.0], using="v"), params=SearchParams(exact=True), score_threshold=threshold
    )
    return [point.score for point in shard.query(request)]


scores = found(None)
print("tenth best:", scores[9], "kept at that threshold:", len(found(scores[9])), "a little below:", len(found(scores[9] - 1e-6)))
raise SystemExit((scores[9], len(found(scores[9])), len(found(scores[9] - 1e-6))) != (23 / 32, 9, 10))
PYTHON
