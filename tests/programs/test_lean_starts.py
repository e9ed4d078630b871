"""Every command starts with what it needs: what is dear to import, and not needed, is not imported."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from support import ROOT

# Of the first word of a module's name, or the whole of it.
MODELS = {"torch", "torchvision", "transformers", "timm", "open_clip", "huggingface_hub"}
NUMBERS = {"numba", "llvmlite", "scipy", "sklearn", "umap", "pandas", "faiss"}
TABLES = {"sqlalchemy.orm", "sqlalchemy.ext.asyncio"}
SERVERS = {"streamlit", "starlette", "fastapi", "uvicorn", "pydantic", "prometheus_client"}
OTHERS = {"PIL.Image", "rich", "filelock", "tzfpy", "watchfiles"}
NEVER = MODELS | NUMBERS | TABLES | SERVERS
STARTED = NEVER | {"lark", "sqlalchemy", "asyncio", "numpy", "PIL", "rich", "filelock", "email", "unittest"}

COMMANDS = {
    "known words": ("search_ui", ["query", "boat"], NEVER | OTHERS | {"lark", "openvino"}),
    "known words, joined": ("sightline_cli", ["query", "boat"], NEVER | OTHERS | {"lark", "openvino"}),
    "known words as JSON": ("search_ui", ["query", "--json", "boat"], NEVER | OTHERS | {"lark", "openvino"}),
    "facts": ("search_ui", ["query", "date:2000.."], NEVER | OTHERS | {"openvino"}),
    "facts, joined": ("sightline_cli", ["query", "date:2000.."], NEVER | OTHERS | {"openvino"}),
    "explain": ("search_ui", ["query", "--explain", "date:2000.. boat"], NEVER | OTHERS | {"sqlalchemy", "numpy"}),
    "tags": ("search_ui", ["tags"], NEVER | OTHERS | {"lark", "openvino"}),
    "concepts": ("search_ui", ["concepts"], NEVER | OTHERS | {"lark", "openvino"}),
    "status": ("indexer", ["status"], NEVER | OTHERS | {"lark", "openvino"}),
    "status, joined": ("sightline_cli", ["status"], NEVER | OTHERS | {"lark", "openvino"}),
    "spaces": ("indexer", ["spaces"], NEVER | OTHERS | {"lark", "openvino"}),
    "help": ("search_ui", ["--help"], STARTED),
    "help of the indexer": ("indexer", ["--help"], STARTED),
    "help, joined": ("sightline_cli", ["--help"], STARTED),
    "version": ("sightline_cli", ["--version"], STARTED - {"email"}),
    "completion": ("sightline_cli", ["completion", "bash"], STARTED),
}


@pytest.fixture(scope="module")
def library(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the demo model in which a word was asked for before."""
    path = tmp_path_factory.mktemp("lean") / "library"
    shutil.copytree(drawn / "library", path)
    _imported("search_ui", ["query", "boat"], path)
    return path


def _imported(module: str, arguments: list[str], library: Path) -> set[str]:
    """What a command imports in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", module, *arguments],
        cwd=ROOT, text=True, capture_output=True, check=False,
        env={**os.environ, "SIGHTLINE_LIBRARY": str(library), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    return set(re.findall(r"^import time: .*\| +(\S+)$", done.stderr, re.M))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_imports_nothing_dear_that_it_does_not_need(name: str, library: Path) -> None:
    module, arguments, forbidden = COMMANDS[name]
    imported = _imported(module, arguments, library)
    assert "click" in imported
    assert forbidden & imported == set()


def test_a_run_without_news_imports_nothing_dear_that_it_does_not_need(drawn: Path, library: Path) -> None:
    imported = _imported("indexer", [str(drawn / "photos")], library)
    assert (NEVER | {"lark", "tzfpy"}) & imported == set()


def test_a_run_with_one_new_picture_imports_nothing_dear_that_it_does_not_need(library: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="compiled towers need OpenVINO")
    folder = tmp_path / "photos"
    folder.mkdir()
    for colour in ("red", "blue"):  # the first makes the compiled towers of the model, if nothing did before
        Image.new("RGB", (320, 240), colour).save(folder / f"{colour}.jpg")
        imported = _imported("indexer", [str(folder)], library)
    assert "openvino" in imported
    assert (NEVER | {"rich", "lark", "tzfpy"}) & imported == set()
