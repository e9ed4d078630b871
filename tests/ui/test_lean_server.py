"""The server of the page imports what a search needs, and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

# What a model is made with, what a map or the JSON interface needs, what Streamlit imports when it is given a table.
DEAR = (
    "torch", "torchvision", "transformers", "timm", "open_clip", "huggingface_hub", "numba", "llvmlite", "scipy",
    "sklearn", "umap", "faiss", "pandas", "pyarrow", "altair", "pydeck", "fastapi", "pydantic",
)  # fmt: skip
SEARCHING = f"""
import json, sys
import search_ui.server.serve  # what the server begins with
from pages import APP, asked, sections
from streamlit.testing.v1 import AppTest
app = asked(AppTest.from_file(APP, default_timeout=120), sys.argv[1])
print(json.dumps([sections(app), [name for name in {DEAR!r} if name in sys.modules]]))
"""


def test_words_are_answered_without_the_libraries_that_made_the_model(drawn: Path) -> None:
    pytest.importorskip("openvino", reason="without it a model is loaded by torch")
    paths = [str(ROOT), str(ROOT / "tests" / "helpers"), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", SEARCHING, "two red boats"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "SIGHTLINE_LIBRARY": str(drawn / "library"),
             "HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown, imported = json.loads(done.stdout.splitlines()[-1])
    assert any(names for _, names in shown)
    assert imported == []
