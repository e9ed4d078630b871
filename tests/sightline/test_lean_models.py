"""A model's files are found and told apart without the libraries that load it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import models
import pytest
from hub_cache import COMMITS, add_snapshot
from text_towers import hf_text

from sightline.models.presets import DEMO

DEAR = ("torch", "torchvision", "timm", "open_clip", "transformers", "huggingface_hub", "tokenizers", "sqlalchemy")
RESOLVING = f"""
import json, sys
from sightline.models.resolve import resolve
found = [resolve(space, offline=True).fingerprint for space in sys.argv[1:]]
print(json.dumps([found, [name for name in {DEAR!r} if name in sys.modules]]))
"""


def resolved(*spaces: str, **environment: str) -> tuple[list[str], list[str]]:
    """The fingerprints of spaces as a process of its own finds them, and what it imported of what is dear."""
    done = subprocess.run(
        [sys.executable, "-c", RESOLVING, *spaces],
        env=os.environ | environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    fingerprints, imported = json.loads(done.stdout)
    return fingerprints, imported


def test_a_model_is_found_without_the_libraries_that_load_it(tmp_path: Path) -> None:
    folder = tmp_path / "text"
    text = hf_text(folder, "xlm-roberta")
    add_snapshot(tmp_path / "home" / "hub", "someone/joint", COMMITS[0], folder)
    pictures = models.picture_only(tmp_path / "pictures")
    fingerprints, imported = resolved(DEMO, text, "hf-hub:someone/joint", pictures, HF_HOME=str(tmp_path / "home"))
    assert imported == []
    assert fingerprints[1] == fingerprints[2]


def test_what_timm_alone_knows_of_a_model_is_asked_once(tmp_path: Path) -> None:
    """How large the pictures are that a network reads, where a configuration asks for others."""
    space = models.picture_only(tmp_path / "pictures")
    file = tmp_path / "pictures" / "config.json"
    told = json.loads(file.read_text())
    told["model_args"] = {**told.get("model_args", {}), "img_size": 64}
    told["pretrained_cfg"] = {**told.get("pretrained_cfg", {}), "fixed_input_size": False}
    file.write_text(json.dumps(told))
    first, imported = resolved(space, SIGHTLINE_CACHE=str(tmp_path / "cache"))
    assert "timm" in imported
    assert resolved(space, SIGHTLINE_CACHE=str(tmp_path / "cache")) == (first, [])
    for file in (tmp_path / "cache").glob("timm*"):
        file.write_bytes(b"damaged")
    assert resolved(space, SIGHTLINE_CACHE=str(tmp_path / "cache"))[0] == first


@pytest.mark.parametrize(
    "environment",
    [
        {"HF_HOME": "{here}/home"},
        {"HF_HOME": "$BASE/home"},
        {"XDG_CACHE_HOME": "{here}/xdg"},
        {"HUGGINGFACE_HUB_CACHE": "{here}/old", "HF_HOME": "{here}/home"},
        {"HF_HUB_CACHE": "~/new", "HUGGINGFACE_HUB_CACHE": "{here}/old"},
        {},
    ],
)
def test_the_hubs_cache_is_where_its_library_has_it(tmp_path: Path, environment: dict[str, str]) -> None:
    names = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME")
    plain = {name: value for name, value in os.environ.items() if name not in names}
    told = {name: value.format(here=tmp_path) for name, value in environment.items()}
    place = "import sys\nfrom huggingface_hub.constants import HF_HUB_CACHE\nprint(HF_HUB_CACHE)"
    surroundings = plain | {"HOME": str(tmp_path / "own"), "BASE": str(tmp_path)} | told
    asked = subprocess.run(
        [sys.executable, "-c", place], env=surroundings, capture_output=True, text=True, check=True, timeout=60
    )
    models.clip_like(tmp_path / "made")
    snapshot = add_snapshot(Path(asked.stdout.strip()), "someone/model", COMMITS[0], tmp_path / "made")
    code = "from sightline.models.hub import *\nprint(*snapshots(parse('someone/model')))\nprint(sys.modules.keys())"
    found = subprocess.run(
        [sys.executable, "-c", code], env=surroundings, capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
    assert found[0] == str(snapshot)
    assert "'huggingface_hub'" not in found[1]
