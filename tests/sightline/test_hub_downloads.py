"""What is downloaded from the hub: once, the commit that is meant, with all that a text tower needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import models
import pytest
from hub_cache import COMMITS
from hub_server import serving
from text_towers import hf_text

A, B, C = COMMITS[:3]
NAME = "someone/small"
pytestmark = pytest.mark.slow


def run(code: str, cache: Path, hub: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own: huggingface_hub reads its settings once, when it is imported."""
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment |= {"HF_HOME": str(cache), "HF_ENDPOINT": hub, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)


def resolved(spec: str, cache: Path, hub: str) -> str:
    code = f"from sightline.models.resolve import resolve; print(resolve({spec!r}).weights)"
    done = run(code, cache, hub)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def index(folder: Path, library: Path, space: str | None, cache: Path, hub: str) -> int:
    """How many pictures a run encodes."""
    arguments = [str(folder), "--library", str(library), "--json", *(["--space", space] if space else [])]
    done = run(f"from indexer.commands import run; run({arguments!r})", cache, hub)
    assert done.stdout, done.stderr
    return int(json.loads(done.stdout.splitlines()[-1])["encoded"])


def test_a_model_is_downloaded_once_at_the_commit_asked_for(tmp_path: Path) -> None:
    models.clip_like(tmp_path / "a")
    models.clip_like(tmp_path / "b", seed=1)
    with serving({NAME: {A: tmp_path / "a", B: tmp_path / "b"}}) as (hub, asked):
        assert resolved(f"hf-hub:{NAME}@{A}", tmp_path / "cache", hub) == f"{NAME}@{A}"
        asked.clear()
        assert resolved(f"hf-hub:{NAME}@{A}", tmp_path / "cache", hub) == f"{NAME}@{A}"
        assert not asked
        said = resolved(f"hf-hub:{NAME}@{C}", tmp_path / "cache", hub)
        assert f"{NAME} has no revision '{C}' on the hub" in said


def test_a_commit_that_is_gone_from_the_cache_is_downloaded_again_and_not_the_main_branch(
    photos: Path, tmp_path: Path
) -> None:
    models.clip_like(tmp_path / "a")
    models.clip_like(tmp_path / "b", seed=1)
    published = {NAME: {A: tmp_path / "a"}}
    library, cache = tmp_path / "library", tmp_path / "cache"
    with serving(published) as (hub, _):
        assert index(photos, library, f"hf-hub:{NAME}", cache, hub) == 24
        published[NAME][B] = tmp_path / "b"
        shutil.rmtree(cache)
        assert index(photos, library, None, cache, hub) == 0
        shutil.rmtree(cache)
        assert index(photos, library, f"hf-hub:{NAME}", cache, hub) == 0
        snapshots = list((cache / "hub").glob("models--*/snapshots/*"))
        assert [folder.name for folder in snapshots] == [A]


def test_what_a_text_tower_needs_comes_with_the_model(tmp_path: Path) -> None:
    hf_text(tmp_path / "joint", "xlm-roberta", tower="someone/tower", tokenizer="someone/tower")
    (tmp_path / "tower").mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "joint" / name).rename(tmp_path / "tower" / name)
    (tmp_path / "tower" / "model.safetensors").write_bytes(b"gigabytes that nobody needs")
    (tmp_path / "tower" / "pytorch_model.bin").write_bytes(b"and a pickle")
    with serving({NAME: {A: tmp_path / "joint"}, "someone/tower": {B: tmp_path / "tower"}}) as (hub, asked):
        for spec in (f"hf-hub:{NAME}", f"local-dir:{tmp_path / 'joint'}"):
            cache = tmp_path / "cache" / spec[:5]
            found = resolved(spec, cache, hub)
            assert found == f"{NAME}@{A}" or found.startswith("sha256:")
            asked.clear()
            code = (
                "from sightline.models import load\n"
                f"print(load({spec!r}, precision='fp32').encode_texts(['two red boats']).shape)"
            )
            assert run(code, cache, hub).stdout.strip() == "(1, 24)"
            assert not asked
            brought = {file.name for file in (cache / "hub").glob("models--someone--tower/snapshots/*/*")}
            assert brought == {"config.json", "tokenizer.json", "tokenizer_config.json"}


def test_a_repository_of_pickles_says_why_it_is_of_no_use(tmp_path: Path) -> None:
    models.clip_like(tmp_path / "a")
    (tmp_path / "a" / "open_clip_model.safetensors").rename(tmp_path / "a" / "open_clip_pytorch_model.bin")
    with serving({NAME: {A: tmp_path / "a"}}) as (hub, asked):
        said = resolved(f"hf-hub:{NAME}", tmp_path / "cache", hub)
        assert "as a pickle only (open_clip_pytorch_model.bin), which can run programs" in said
        assert "--space local-dir:FOLDER" in said
        assert not any(path.endswith(".bin") for path in asked)
        assert "the hub has no repository no/such, or a private one" in resolved("hf-hub:no/such", tmp_path, hub)


def test_a_hub_that_can_not_be_reached_is_one_sentence(photos: Path, tmp_path: Path) -> None:
    arguments = [str(photos), "--library", str(tmp_path / "library"), "--space", f"hf-hub:{NAME}"]
    code = f"""
from huggingface_hub.utils import _http
_http.time.sleep = lambda seconds: None
from indexer.commands import run
raise SystemExit(run({arguments!r}))
"""
    done = run(code, tmp_path / "cache", "http://127.0.0.1:9")
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert "the hub can't be reached" in said
    assert said.startswith(f"Error: The model 'hf-hub:{NAME}' can't be loaded")
