"""Text towers and tokenizers of transformers: from the model's folder or the hub's cache, and from no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
from hub_cache import COMMITS, add_snapshot
from text_towers import KINDS, hf_text, write_tokenizer

from sightline.models.checks import check
from sightline.models.encoder import Encoder
from sightline.models.resolve import resolve
from store.errors import SpaceError

TEXTS = ["two red boats", "a cat on a hill"]
# Every way out of the process is refused, and said to have been tried.
REFUSING = """
import json, socket, sys
def refuse(*arguments, **options):
    print("reached for the network:", arguments[:1], file=sys.stderr)
    raise OSError("no network")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = socket.socket.connect_ex = refuse
from sightline.models.encoder import Encoder
from sightline.models.resolve import resolve
"""


def alone(code: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process that reaches for no network, though nobody said that it is offline."""
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment |= {"HF_HOME": str(cache), "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run(
        [sys.executable, "-c", REFUSING + code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert "reached for the network" not in done.stderr, done.stderr
    return done


def vectors(space: str) -> np.ndarray:
    return Encoder(resolve(space, offline=True), device="cpu", precision="fp32").encode_texts(TEXTS)


def libraries_own(folder: Path) -> np.ndarray:
    """The vectors of open_clip itself, from a configuration whose names it can follow."""
    import open_clip
    import torch

    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"] |= {"hf_model_name": str(folder), "hf_tokenizer_name": str(folder)}
    copy = folder.parent / f"{folder.name}, for open_clip"
    shutil.copytree(folder, copy)
    (copy / "open_clip_config.json").write_text(json.dumps(config))
    network: Any = open_clip.create_model(f"local-dir:{copy}", require_pretrained=True).eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{copy}")(TEXTS)
    with torch.inference_mode():
        found: np.ndarray = network.encode_text(tokens, normalize=True).numpy()
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_complete_folder_is_all_that_a_text_tower_needs(tmp_path: Path, kind: str) -> None:
    hf_text(tmp_path / "made", kind)
    expected = libraries_own(tmp_path / "made")
    moved = (tmp_path / "made").rename(tmp_path / "moved")
    assert (vectors(f"local-dir:{moved}") * expected).sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.slow
def test_no_network_is_reached_for(tmp_path: Path) -> None:
    spaces = [hf_text(tmp_path / kind, kind) for kind in KINDS]
    code = f"for space in {spaces!r}: print(Encoder(resolve(space)).encode_texts({TEXTS!r}).shape)"
    done = alone(code, tmp_path / "cache")
    assert done.stdout.splitlines() == ["(2, 24)"] * len(KINDS), done.stderr


@pytest.mark.slow
def test_a_text_tower_that_is_named_by_a_repository_comes_from_the_cache(tmp_path: Path) -> None:
    """As open_clip publishes them: the text tower's configuration and the tokenizer are another repository's."""
    folder = tmp_path / "made"
    hf_text(folder, "xlm-roberta", tower="xlm-roberta-base", tokenizer="xlm-roberta-base")
    whole = vectors(f"local-dir:{folder}")
    own = resolve(f"local-dir:{folder}").fingerprint
    lent = tmp_path / "lent"
    lent.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).rename(lent / name)
    add_snapshot(tmp_path / "cache" / "hub", "xlm-roberta-base", COMMITS[0], lent)
    add_snapshot(tmp_path / "cache" / "hub", "someone/joint", COMMITS[1], folder)
    for space in (f"local-dir:{folder}", "hf-hub:someone/joint"):
        code = (
            f"model = resolve({space!r})\n"
            f"print(json.dumps([model.fingerprint, Encoder(model, precision='fp32').encode_texts({TEXTS!r}).tolist()]))"
        )
        done = alone(code, tmp_path / "cache")
        told, found = json.loads(done.stdout or "[]")
        assert told == own, done.stderr
        assert np.allclose(found, whole, atol=1e-6)


def test_files_in_a_subfolder_are_found_and_paths_that_went_stale_do_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    hf_text(folder, "roberta")
    own, expected = resolve(f"local-dir:{folder}").fingerprint, vectors(f"local-dir:{folder}")
    config = folder / "open_clip_config.json"
    for name, place in (
        ("text", folder / "text"), ("/no/such/place", folder), ("org/text", folder / "text"), ("~nobody/x", folder),
    ):  # fmt: skip
        place.mkdir(exist_ok=True)
        for file in [*folder.rglob("tokenizer*.json"), *folder.rglob("config.json")]:
            file.rename(place / file.name)
        told = json.loads(config.read_text())
        told["model_cfg"]["text_cfg"] |= {"hf_model_name": name, "hf_tokenizer_name": name}
        config.write_text(json.dumps(told))
        assert resolve(f"local-dir:{folder}").fingerprint == own
        assert np.array_equal(vectors(f"local-dir:{folder}"), expected)


def test_what_a_text_tower_lacks_is_said_before_anything_is_encoded(tmp_path: Path) -> None:
    space = hf_text(tmp_path / "made", "mt5", tower="google/mt5-tiny", tokenizer="google/mt5-tiny")
    (tmp_path / "made" / "tokenizer.json").unlink()
    with pytest.raises(SpaceError, match=r"lacks its tokenizer .* the hub repository google/mt5-tiny") as raised:
        resolve(space, offline=True)
    assert "\n" not in str(raised.value)
    write_tokenizer(tmp_path / "made", "mt5")
    (tmp_path / "made" / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(SpaceError, match=r"lacks the configuration of its text tower \(config.json\)"):
        resolve(space, offline=True)


def test_a_tokenizer_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    space = hf_text(tmp_path / "made", "roberta")
    (tmp_path / "made" / "tokenizer.json").write_text("{}")
    with pytest.raises(SpaceError, match=r"tokenizer in .*made can't be read") as raised:
        vectors(space)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["xlm-roberta", "mt5", "nllb"])
def test_a_tokenizer_whose_vocabulary_is_missing_is_refused(tmp_path: Path, kind: str) -> None:
    """Transformers makes an empty one, which reads every word as unknown, of what lies beside."""
    space = hf_text(tmp_path / "made", kind)
    (tmp_path / "made" / "tokenizer.json").unlink()
    (tmp_path / "made" / "vocab.txt").write_text("of another kind")
    with pytest.raises(SpaceError, match=r"Its vocabulary is missing or that of another model"):
        check(resolve(space, offline=True))


def test_a_tokenizer_whose_class_is_a_program_of_its_folder_is_refused_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = models.siglip_like(tmp_path / "made")
    config = tmp_path / "made" / "tokenizer_config.json"
    told = {
        **json.loads(config.read_text()),
        "tokenizer_class": "Own",
        "auto_map": {"AutoTokenizer": [None, "own.Own"]},
    }
    config.write_text(json.dumps(told))
    (tmp_path / "made" / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(SpaceError, match="asks to run a program of its own; that is refused"):
        vectors(space)
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_never_runs_a_program_of_its_folder(tmp_path: Path) -> None:
    space = hf_text(tmp_path / "made", "roberta")
    config = tmp_path / "made" / "open_clip_config.json"
    told = json.loads(config.read_text())
    told["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"trust_remote_code": True}
    config.write_text(json.dumps(told))
    with pytest.raises(SpaceError, match="asks to run a program of its own; that is refused"):
        vectors(space)
