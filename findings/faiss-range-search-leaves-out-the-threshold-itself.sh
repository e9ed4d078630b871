#!/usr/bin/env bash
# FAISS: range_search leaves out what lies exactly on the threshold, for inner products and for distances.
#
# Expected: range_search(query, t) gives everything with a score of at least t (or a distance of at most t).
# Seen with faiss-cpu 1.15.1: strictly better than t only. A threshold that was taken from a search's own last
# score does not bring that hit back; ask for the next smaller number (numpy.nextafter).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check faiss-cpu==1.15.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import faiss
import numpy as np

rows = np.eye(8, dtype=np.float32)[[0, 0, 1, 2]] * np.array([[4], [2], [1], [1]], np.float32)
query = np.eye(8, dtype=np.float32)[:1]
for kind, index, further in (
    ("inner product", faiss.IndexFlatIP(8), -np.inf),
    ("squared L2", faiss.IndexFlatL2(8), np.inf),
):
    index.add(rows)
    scores, _ = index.search(query, 2)
    edge = scores[0, 1]
    on_it = int(index.range_search(query, float(edge))[0][1])
    beyond = int(index.range_search(query, float(np.nextafter(edge, np.float32(further))))[0][1])
    print(f"faiss {faiss.__version__}, {kind}: best {scores[0]}, range_search at {edge:g}: {on_it}, just beyond: {beyond}")
    assert on_it < 2 <= beyond, "range_search includes the threshold now"
PYTHON
