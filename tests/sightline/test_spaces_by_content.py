"""A space is found by what its model holds: wherever that lies, by whatever name it is asked for."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import models
import pytest
from hub_cache import COMMITS, add_snapshot, refer
from PIL import Image
from support import DEMO, Index

from sightline.models.loaded import Encoders
from sightline.models.resolve import resolve
from sightline.query.parser import parse
from sightline.searcher import Searcher
from store.errors import SpaceError
from store.library import Library
from store.tables.catalog import SpaceState

REPOSITORY = "someone/small-clip"
HUB = f"hf-hub:{REPOSITORY}"
A, B, C = COMMITS[:3]


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A folder of three pictures."""
    folder = tmp_path / "few"
    folder.mkdir()
    for file in sorted(DEMO.rglob("*.jpg"))[:3]:
        shutil.copy(file, folder)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no network."""
    folder = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


def spaces_of(library: Path) -> list[SpaceState]:
    with Library.open(library) as opened:
        return opened.catalog.spaces()


def text_vector(library: Path) -> list[float]:
    """What the model of the library's space, as it is found now, makes of a text."""
    with Library.open(library) as opened:
        space = opened.catalog.default_space()
        assert space is not None
        vector: list[float] = Encoders(offline=True).get(space).encode_texts(["a red boat"])[0].tolist()
    return vector


def best_score(library: Path) -> float:
    with Library.open(library) as opened:
        return Searcher(opened, Encoders(offline=True)).search(parse("a red boat"), limit=1).hits[0].score


def edit(file: Path, change: dict[str, Any]) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))


# -- folders ---------------------------------------------------------------------------------------------------------


def test_a_folder_that_moved_is_found_and_nothing_is_encoded_anew(
    few: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    space = models.clip_like(tmp_path / "old place" / "mine")
    assert index(few, space=space).encoded == 3
    before = text_vector(library)
    (tmp_path / "new place").mkdir()
    (tmp_path / "old place" / "mine").rename(tmp_path / "new place" / "theirs")
    with pytest.raises(SpaceError, match=r"'mine' is not to be found at .*There is no folder .*finds the space again"):
        text_vector(library)
    done = index(few, space=f"local-dir: {tmp_path}/new place/theirs/")
    assert (done.code, done.encoded, done.unchanged) == (0, 0, 3)
    (found,) = spaces_of(library)
    assert (found.name, found.model) == ("theirs", f"local-dir:{tmp_path / 'new place' / 'theirs'}")
    assert text_vector(library) == before
    assert index(few, space=None).encoded == 0


def test_a_running_search_follows_a_folder_that_moved(few: Path, index: Index, library: Path, tmp_path: Path) -> None:
    index(few, space=models.clip_like(tmp_path / "mine"))
    with Library.open(library) as opened:
        searcher = Searcher(opened, Encoders(offline=True))
        assert searcher.search(parse("width:>1")).total == 3
        (tmp_path / "mine").rename(tmp_path / "moved")
        with pytest.raises(SpaceError):
            searcher.search(parse("a green boat"))
        index(few, space=f"local-dir:{tmp_path / 'moved'}")
        assert len(searcher.search(parse("a boat")).hits) == 3


def test_a_library_is_told_where_a_model_lies_now_without_a_run(
    few: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    index(few, space=models.clip_like(tmp_path / "mine"))
    (tmp_path / "mine").rename(tmp_path / "moved")
    models.clip_like(tmp_path / "other", seed=1)
    shutil.rmtree(few)
    refused = index("spaces", "--find", f"local-dir:{tmp_path / 'other'}", space=None)
    assert refused.code == 2 and "is that of no space of the library" in refused.err and "it has mine" in refused.err
    done = index("spaces", "--find", f"local-dir:{tmp_path / 'moved'}", space=None)
    assert (done.code, done.model) == (0, f"local-dir:{tmp_path / 'moved'}")
    assert [space.model for space in spaces_of(library)] == [f"local-dir:{tmp_path / 'moved'}"]
    assert text_vector(library)


def test_every_way_to_write_a_folder_is_one_space(
    few: Path, index: Index, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.clip_like(tmp_path / "home" / "mine")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home")
    (tmp_path / "link").symlink_to(tmp_path / "home" / "mine")
    (tmp_path / "files").mkdir()
    for file in (tmp_path / "home" / "mine").iterdir():
        (tmp_path / "files" / file.name).symlink_to(file)
    folders = ("mine", "./mine/", "~/mine", f"{tmp_path}/home/mine//", f"{tmp_path}/link", f"{tmp_path}/files")
    encoded = [index(few, space=f"local-dir:{folder}").encoded for folder in folders]
    assert encoded == [3, 0, 0, 0, 0, 0]
    assert len(spaces_of(library)) == 1


def test_weights_by_other_file_names_or_in_parts_are_told_by_content(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    one = models.picture_only(tmp_path / "one")
    renamed = tmp_path / "renamed"
    shutil.copytree(tmp_path / "one", renamed)
    (renamed / "model.safetensors").rename(renamed / "another name.safetensors")
    weights = load_file(tmp_path / "one" / "model.safetensors")
    parts: dict[str, dict[str, Any]] = {}
    for number, (name, tensor) in enumerate(sorted(weights.items())):
        parts.setdefault(f"{number % 2}", {})[name] = tensor
    for place, names in (("first", ("x-1", "x-2")), ("second", ("y-2", "y-1"))):
        folder = tmp_path / place
        folder.mkdir()
        shutil.copy(tmp_path / "one" / "config.json", folder)
        file_of = {}
        for part, name in zip(parts.values(), names, strict=True):
            save_file(part, folder / f"{name}.safetensors")
            file_of.update(dict.fromkeys(part, f"{name}.safetensors"))
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": file_of}))
    told = [resolve(space).fingerprint for space in (one, *(f"local-dir:{tmp_path / name}" for name in (
        "renamed", "first", "second")))]  # fmt: skip
    assert told[0] == told[1]
    assert told[2] == told[3]


def test_what_shapes_vectors_makes_another_space_and_nothing_else_does(tmp_path: Path) -> None:
    def told(name: str, change: dict[str, Any], file: str = "tokenizer_config.json") -> str:
        folder = tmp_path / name
        models.siglip_like(folder)
        edit(folder / file, change)
        return resolve(f"local-dir:{folder}").fingerprint

    own = told("own", {})
    assert told("path", {"name_or_path": "/somewhere/else", "transformers_version": "4.1"}) == own
    assert told("tokenizer", {"unk_token": "<eos>"}) != own
    assert told("preprocess", {"preprocess_cfg": {"resize_mode": "shortest"}}, "open_clip_config.json") != own
    file = tmp_path / "own" / "tokenizer.json"
    file.write_text(file.read_text().replace("sunset", "sunsat"))
    assert resolve(f"local-dir:{tmp_path / 'own'}").fingerprint != own


def test_a_tokenizer_that_was_swapped_makes_another_space(
    few: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    space = models.siglip_like(folder)
    assert index(few, space=space).encoded == 3
    text = (folder / "tokenizer.json").read_text()
    swapped = text.replace('"<unk>"', '"<UNK>"')
    assert swapped != text
    (folder / "tokenizer.json").write_text(swapped)
    with pytest.raises(SpaceError, match="is not the one this library was indexed with"):
        text_vector(library)
    refused = index(few, space=None)
    assert refused.code == 2 and "another tokenizer" in refused.err
    assert index(few, space=space).encoded == 3
    assert len(spaces_of(library)) == 2
    (folder / "tokenizer.json").write_text(text)
    assert index(few, space=space).encoded == 0
    assert len(spaces_of(library)) == 2


def test_a_file_that_changed_is_hashed_again(tmp_path: Path) -> None:
    """Digests of large files are kept by path, size, times and inode."""
    space = models.clip_like(tmp_path / "mine")
    file = tmp_path / "mine" / "open_clip_model.safetensors"
    assert file.stat().st_size > 1_000_000
    os.utime(file, (10, 10))
    time.sleep(3.1)  # what was written just now is not kept
    one = resolve(space).fingerprint
    assert resolve(space).fingerprint == one
    models.clip_like(tmp_path / "other", seed=1)
    shutil.copy(tmp_path / "other" / file.name, file)
    os.utime(file, (10, 10))  # as archives and `cp --preserve` leave it
    assert resolve(space).fingerprint != one


# -- the hub ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_of_the_hub_and_a_copy_of_it_are_one_space(
    few: Path, index: Index, library: Path, cache: Path, tmp_path: Path
) -> None:
    models.siglip_like(tmp_path / "published")
    snapshot = add_snapshot(cache, REPOSITORY, A, tmp_path / "published")
    assert index(few, space=HUB).encoded == 3
    shutil.copytree(snapshot, tmp_path / "copy")  # follows the links
    assert index(few, space=f"local-dir:{tmp_path / 'copy'}").encoded == 0
    shutil.rmtree(cache)
    assert text_vector(library)
    add_snapshot(cache, REPOSITORY, B, tmp_path / "published")
    assert index(few, space=HUB).encoded == 0
    (space,) = spaces_of(library)
    assert (space.model, space.weights) == (HUB, f"{REPOSITORY}@{B}")


def test_a_download_of_another_program_changes_nothing(
    few: Path, index: Index, library: Path, cache: Path, tmp_path: Path
) -> None:
    models.clip_like(tmp_path / "one")
    models.clip_like(tmp_path / "two", seed=1)
    add_snapshot(cache, REPOSITORY, A, tmp_path / "one")
    assert index(few, space=HUB).encoded == 3
    before = text_vector(library)
    add_snapshot(cache, REPOSITORY, B, tmp_path / "two")  # the main branch is there now
    assert text_vector(library) == before
    assert index(few, space=None).encoded == 0
    assert index(few, space=HUB).encoded == 0
    assert index(few, "--dry-run", space=HUB).out == ""
    (space,) = spaces_of(library)
    assert space.weights == f"{REPOSITORY}@{A}"
    # A revision is asked for by name; a commit by its beginning, too.
    assert index(few, space=f"{HUB}@{B[:8]}").encoded == 3
    assert [space.weights for space in spaces_of(library)] == [f"{REPOSITORY}@{A}", f"{REPOSITORY}@{B}"]


def test_a_commit_that_is_gone_is_said_and_its_successor_is_no_substitute(
    few: Path, index: Index, library: Path, cache: Path, tmp_path: Path
) -> None:
    models.clip_like(tmp_path / "one")
    models.clip_like(tmp_path / "two", seed=1)
    snapshot = add_snapshot(cache, REPOSITORY, A, tmp_path / "one")
    index(few, space=HUB)
    add_snapshot(cache, REPOSITORY, B, tmp_path / "two")
    shutil.rmtree(snapshot)
    refused = index(few, space=HUB)
    assert refused.code == 2
    assert f"--space {HUB}@{B} makes a new space" in refused.err
    with pytest.raises(SpaceError, match="is not the one this library was indexed with"):
        text_vector(library)


def test_the_same_content_at_a_later_commit_is_the_same_space(
    few: Path, index: Index, library: Path, cache: Path, tmp_path: Path
) -> None:
    models.clip_like(tmp_path / "one")
    snapshot = add_snapshot(cache, REPOSITORY, A, tmp_path / "one")
    index(few, space=HUB)
    before = text_vector(library)
    (tmp_path / "one" / "README.txt").write_text("a new word")
    add_snapshot(cache, REPOSITORY, B, tmp_path / "one")
    shutil.rmtree(snapshot)
    assert text_vector(library) == before
    assert index(few, space=None).encoded == 0
    assert [space.weights for space in spaces_of(library)] == [f"{REPOSITORY}@{B}"]


def test_snapshots_without_a_reference_are_used(cache: Path, tmp_path: Path) -> None:
    import os

    models.clip_like(tmp_path / "one")
    models.clip_like(tmp_path / "two", seed=1)
    one = add_snapshot(cache, REPOSITORY, A, tmp_path / "one", ref=None)
    assert resolve(HUB).weights == f"{REPOSITORY}@{A}"
    two = add_snapshot(cache, REPOSITORY, B, tmp_path / "two", ref=None)
    os.utime(one, (10, 10))
    os.utime(two, (20, 20))
    assert resolve(HUB).weights == f"{REPOSITORY}@{B}"
    (two / "open_clip_config.json").unlink()  # a part of a download
    assert resolve(HUB).weights == f"{REPOSITORY}@{A}"
    refer(cache, REPOSITORY, A, "v1.0")
    assert resolve(f"{HUB}@v1.0").weights == f"{REPOSITORY}@{A}"
    with pytest.raises(SpaceError, match="not on this computer"):
        resolve(f"{HUB}@v2.0")


def test_an_interrupted_download_is_said_to_be_one(cache: Path, tmp_path: Path) -> None:
    models.clip_like(tmp_path / "one")
    snapshot = add_snapshot(cache, REPOSITORY, A, tmp_path / "one")
    blob = (snapshot / "open_clip_model.safetensors").resolve()
    blob.rename(blob.with_name(f"{blob.name}.incomplete"))
    with pytest.raises(SpaceError, match="its download was interrupted, and offline was asked for"):
        resolve(HUB)


def test_a_preset_keeps_its_name_when_it_is_found_in_a_folder(
    few: Path, index: Index, library: Path, cache: Path, tmp_path: Path
) -> None:
    models.clip_like(tmp_path / "published")
    add_snapshot(cache, "timm/ViT-B-32-SigLIP2-256", A, tmp_path / "published")
    index(few, space="fast")
    before = best_score(library)
    shutil.rmtree(cache)
    assert index(few, space=f"local-dir:{tmp_path / 'published'}").encoded == 0
    (space,) = spaces_of(library)
    assert (space.name, space.model) == ("fast", f"local-dir:{tmp_path / 'published'}")
    assert best_score(library) == before  # with the preset's prompts


def test_a_folder_that_is_named_like_a_preset_is_not_taken_for_it(tmp_path: Path) -> None:
    assert resolve(models.clip_like(tmp_path / "x" / "fast")).name == "x/fast"


# -- libraries of former versions ------------------------------------------------------------------------------------


def former_key(weights: str, preprocess: str) -> str:
    """The key of a space as it was computed before there were fingerprints."""
    return hashlib.sha256(f"{weights}\n{preprocess}".encode()).hexdigest()[:32]


def make_former(library: Path, weights: list[str]) -> list[str]:
    """Give the spaces of a library the keys that they had in layout 6; returns these."""
    connection = sqlite3.connect(library / "library.sqlite")
    with connection:
        keys = []
        for (id_, preprocess), each in zip(
            connection.execute("SELECT id, preprocess FROM spaces ORDER BY id").fetchall(), weights, strict=True
        ):
            keys.append(former_key(each, preprocess))
            row = (keys[-1], each, id_)
            connection.execute('UPDATE spaces SET "key" = ?, weights = ?, fingerprint = NULL WHERE id = ?', row)
    connection.close()
    shutil.rmtree(library / "vectors")
    return keys


def former_digest(folder: Path, weights: str, config: str) -> str:
    """What a folder's weights were called then."""
    parts = (hashlib.sha256((folder / name).read_bytes()).digest() for name in (weights, config))
    return f"sha256:{hashlib.sha256(b''.join(parts)).hexdigest()}"


def test_spaces_of_a_former_library_stay(few: Path, index: Index, library: Path, cache: Path, tmp_path: Path) -> None:
    models.siglip_like(tmp_path / "published")
    add_snapshot(cache, REPOSITORY, A, tmp_path / "published")
    mine = models.picture_only(tmp_path / "mine")
    index(few, space=mine)
    index(few, space=HUB)
    before = text_vector(library)
    folder = former_digest(tmp_path / "mine", "model.safetensors", "config.json")
    keys = make_former(library, [folder, f"{REPOSITORY}@{A}"])
    assert text_vector(library) == before  # before any run
    assert index(few, space=None).encoded == 0
    assert index(few, space=mine).encoded == 0
    spaces = spaces_of(library)
    assert [space.key for space in spaces] == keys
    assert all(space.fingerprint for space in spaces)
    # Known by content from now on: as copies, under any address.
    (tmp_path / "mine").rename(tmp_path / "moved")
    shutil.copytree(tmp_path / "published", tmp_path / "copy")
    shutil.rmtree(cache)
    for place in ("moved", "copy"):
        assert index(few, space=f"local-dir:{tmp_path / place}").encoded == 0
    assert [space.key for space in spaces_of(library)] == keys


def test_of_a_former_space_whose_commit_is_gone_no_more_is_promised_than_holds(
    few: Path, index: Index, library: Path, cache: Path, tmp_path: Path
) -> None:
    """It is known by the commit alone, so a copy of the same files is not found."""
    models.picture_only(tmp_path / "published")
    snapshot = add_snapshot(cache, REPOSITORY, A, tmp_path / "published")
    index(few, space=HUB)
    make_former(library, [f"{REPOSITORY}@{A}"])
    kept = snapshot.rename(tmp_path / "kept")
    refused = index(few, space=None)
    assert refused.code == 2
    assert f"knows the model by that commit only ({REPOSITORY}@{A})" in refused.err
    assert "spaces --find" not in refused.err
    kept.rename(snapshot)
    assert index(few, space=None).encoded == 0
    shutil.rmtree(snapshot)
    assert "spaces --find" in index(few, space=None).err


def test_two_spaces_of_a_former_library_with_one_content_are_that_with_more_pictures(
    few: Path, index: Index, library: Path, cache: Path, tmp_path: Path
) -> None:
    models.clip_like(tmp_path / "mine")
    models.clip_like(tmp_path / "else", seed=1)
    add_snapshot(cache, REPOSITORY, A, tmp_path / "mine")
    index(few, space=f"local-dir:{tmp_path / 'else'}")
    index(few, space=HUB)
    name = former_digest(tmp_path / "mine", "open_clip_model.safetensors", "open_clip_config.json")
    make_former(library, [name, f"{REPOSITORY}@{A}"])
    connection = sqlite3.connect(library / "library.sqlite")
    with connection:  # the first has fewer
        connection.execute("DELETE FROM vectors WHERE space_id = 1 AND content_id = 1")
        connection.execute("UPDATE spaces SET epoch = epoch + 1 WHERE id = 1")
        connection.execute("UPDATE spaces SET model = ? WHERE id = 1", (f"local-dir:{tmp_path / 'mine'}",))
    connection.close()
    assert index(few, space=HUB).encoded == 0
    before = spaces_of(library)
    Image.new("RGB", (40, 40), "red").save(few / "another.png")
    all_of_them = index(few, space=None)
    assert (all_of_them.encoded, all_of_them.behind) == (1, [])
    assert [space.model for space in spaces_of(library)] == [space.model for space in before]
    assert [space["behind"] for space in index("status", space=None).spaces] == [0, 0]


# -- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("local-dir:", "names no folder"),
        ("local-dir: /no/such/place ", r"There is no folder /no/such/place\."),
        ("hf-hub:just-a-name", "does not name a hub repository; say hf-hub:ORG/NAME"),
        ("hf-hub:a/b@", "hf-hub:ORG/NAME@REVISION"),
        ("ViT-B-32", r"published with several weights; say which, as ViT-B-32/TAG: .*laion2b_s34b_b79k"),
        ("vit-b-32", r"the nearest names are ViT-B-32"),
        ("ViTamin-L/datacomp1b", r"pytorch_model.bin only: a pickle, .* put them in a folder with an open_clip_config"),
        ("google/siglip-base-patch16-224", "If it is a repository of the hub, say hf-hub:google/siglip-base-patch16"),
        ("vit_base_patch16_224.augreg_in21k", r"a model of timm: say timm/vit_base_patch16_224\.augreg_in21k"),
        ("timm/vit_base_patch16_224.augreg_in21k", "weights are not on this computer, and offline was asked for"),
        ("", "No model was named"),
    ],
)
def test_a_name_that_leads_nowhere_is_answered_in_one_sentence(cache: Path, spec: str, said: str) -> None:
    assert not cache.exists()
    with pytest.raises(SpaceError, match=said) as raised:
        resolve(spec)
    assert "\n" not in str(raised.value)


def test_names_of_timm_lead_to_its_repositories(cache: Path, tmp_path: Path) -> None:
    models.picture_only(tmp_path / "one")
    add_snapshot(cache, "timm/test_vit.r160_in1k", A, tmp_path / "one")
    model = resolve("timm/test_vit.r160_in1k")
    assert (model.spec, model.name) == ("hf-hub:timm/test_vit.r160_in1k", "test_vit.r160_in1k")
