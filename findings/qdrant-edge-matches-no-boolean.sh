#!/usr/bin/env bash
# qdrant-edge-py: a condition on true or false matches no point.
#
# Expected: as in qdrant-client, MatchValue(True) keeps the points whose payload has true; the types of MatchValue say so.
# Seen with qdrant-edge-py 0.9.0: True and False both match nothing, with an index and without, and no error is raised.
# Texts such as "yes" match.
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
points = [Point(id=i, vector={"v": [1.0, 0.0]}, payload={"flag": i == 1, "text": "yes" if i == 1 else "no"}) for i in (1, 2)]
shard.update(UpdateOperation.upsert_points(points))
print("stored:", [record.payload for record in shard.retrieve([1, 2], True, False)])


def count(key, value):
    return shard.count(CountRequest(exact=True, filter=Filter(must=[FieldCondition(key, match=MatchValue(value))])))


def seen():
    return [count("flag", True), count("flag", False), count("text", "yes")]


plain = seen()
shard.update(UpdateOperation.create_field_index("flag", PayloadSchemaType.Bool))
print("true, false, 'yes':", plain, "with an index:", seen())
raise SystemExit(plain != [0, 0, 1] or seen() != [0, 0, 1])
PYTHON
