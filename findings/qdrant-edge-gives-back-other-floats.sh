#!/usr/bin/env bash
# qdrant-edge-py: a real number of a payload comes back with another last digit, and a range of it alone finds nothing.
#
# Expected: double precision in, the same double precision out: 13.399655555555555 stays what it is.
# Seen with qdrant-edge-py 0.9.0: it comes back as 13.399655555555556, as one number in ten does, and a range from it to it
# matches no point. Comparing with a tolerance helps, and limits that are a little wider.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'qdrant-edge-py==0.9.0'
"$work/env/bin/python" - "$work/shard" <<'PYTHON'
import json
import sys
from importlib.metadata import version

from qdrant_edge import *

print("qdrant-edge-py", version("qdrant-edge-py"))
shard = EdgeShard.create(sys.argv[1], EdgeConfig(vectors={"v": EdgeVectorParams(size=2, distance=Distance.Dot)}))
number = 13.399655555555555
shard.update(UpdateOperation.upsert_points([Point(id=1, vector={"v": [1.0, 0.0]}, payload={"x": number})]))
seen = shard.retrieve([1], True, False)[0].payload["x"]
only = Filter(must=[FieldCondition("x", range=RangeFloat(gte=number, lte=number))])
found = shard.count(CountRequest(exact=True, filter=only))
print("stored:", number, "as JSON and back:", json.loads(json.dumps(number)), "seen:", seen, "found by a range of it:", found)
raise SystemExit((seen, found) != (13.399655555555556, 0))
PYTHON
