#!/usr/bin/env bash
# FAISS: read_index(path, IO_FLAG_MMAP) reads a flat index whole; only IO_FLAG_MMAP_IFC maps it.
#
# Expected: IO_FLAG_MMAP maps the vectors, so that opening a file of 100 MB takes no memory.
# Seen with faiss-cpu 1.15.1 on Linux x86-64: IO_FLAG_MMAP takes the size of the file in private memory,
# IO_FLAG_MMAP_IFC less than 5 MB. A mapped index can only be read: adding to it ends the process.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check faiss-cpu==1.15.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import faiss
import numpy as np

index = faiss.IndexFlatIP(512)
index.add(np.random.default_rng(0).normal(size=(50_000, 512)).astype(np.float32))
faiss.write_index(index, "flat.faiss")
size = index.ntotal * 512 * 4
del index


def private_bytes() -> int:
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


grown = {}
for flag in ("IO_FLAG_MMAP", "IO_FLAG_MMAP_IFC"):
    before = private_bytes()
    index = faiss.read_index("flat.faiss", getattr(faiss, flag))
    grown[flag] = private_bytes() - before
    del index
print(f"faiss {faiss.__version__}: a file of {size / 1e6:.0f} MB")
for flag, grew in grown.items():
    print(f"{flag}: {grew / 1e6:.1f} MB of private memory")
assert grown["IO_FLAG_MMAP"] > 0.9 * size, "IO_FLAG_MMAP maps flat indexes now"
assert grown["IO_FLAG_MMAP_IFC"] < 5e6, "IO_FLAG_MMAP_IFC reads the file now"
PYTHON
