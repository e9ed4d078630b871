"""Prepared tokenizers give the ids and the counts of a model's own, without its libraries; or they are not made."""

from __future__ import annotations

import dataclasses
import json
import logging.handlers
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from tokenizers import Tokenizer as Backend
from vocabularies import KINDS, vocabulary

from examples import examples
from sightline.models.presets import DEMO
from sightline.models.resolve import Model, resolve
from sightline.models.text_tower import count_tokens
from sightline.models.tokenizers import FILE, Tokenizer, make_tokenizer, open_tokenizer
from sightline.models.tokenizers.trial_texts import trial_texts

# Libraries of a model's own tokenizer, and what is dear.
FOREIGN = ("torch", "transformers", "open_clip", "timm", "huggingface_hub", "ftfy", "regex")
CLIP = tuple(f"open_clip {clean}" for clean in ("lower", "whitespace", "canonicalize"))
# Of kinds that real models have; the others differ from one of them in a setting.
COMMON = (CLIP[0], "gemma", "xlm-roberta", "bert")


@cache
def any_model() -> Model:
    return resolve(DEMO, offline=True)


def own(folder: Path, kind: str) -> Any:
    """A tokenizer as open_clip makes it."""
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

    if kind in CLIP:
        return SimpleTokenizer(clean=kind.split()[1], context_length=20)
    name, options = vocabulary(folder, kind)
    return HFTokenizer(name, **options)


@pytest.fixture(scope="module", params=[*CLIP, *KINDS])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Tokenizer]:
    """A tokenizer, and the prepared one that was made of it."""
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer = own(folder / "own", request.param)
    assert make_tokenizer(any_model(), tokenizer, folder)
    prepared = open_tokenizer(any_model(), folder)
    assert prepared is not None
    return tokenizer, prepared


def compare(both: tuple[Any, Tokenizer], texts: Sequence[str]) -> None:
    tokenizer, prepared = both
    expected = tokenizer(list(texts)).numpy()
    found = prepared.ids(texts)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    different = [text for text, same in zip(texts, (found == expected).all(axis=1), strict=True) if not same]
    assert different == []
    assert [prepared.count(text) for text in texts] == [count_tokens(tokenizer, text) for text in texts]


def test_texts_of_many_scripts_have_the_ids_of_the_models_own_tokenizer(
    both: tuple[Any, Tokenizer], request: pytest.FixtureRequest
) -> None:
    is_common = request.node.callspec.params["both"] in COMMON
    compare(both, list(trial_texts(2000 if is_common else 300)))


@examples(60, nightly=1000)
@given(texts=st.lists(st.text(max_size=60) | st.text("ab <s>&'1▁\n\x00é日👍", max_size=80), min_size=1, max_size=4))
def test_any_text_has_them(both: tuple[Any, Tokenizer], texts: list[str]) -> None:
    compare(both, texts)


def test_transformers_tells_the_user_nothing_of_long_texts(tmp_path: Path) -> None:
    told = logging.handlers.MemoryHandler(1_000)
    tokenizer = own(tmp_path / "own", "gemma")
    tokenizer.tokenizer.model_max_length = 16
    logging.getLogger("transformers").addHandler(told)
    try:
        assert make_tokenizer(any_model(), tokenizer, tmp_path)
        assert count_tokens(tokenizer, "word " * 100) > 16
    finally:
        logging.getLogger("transformers").removeHandler(told)
    assert not [record.getMessage() for record in told.buffer]


@pytest.mark.parametrize("kind", [CLIP[0], "gemma"])
def test_a_plain_text_needs_none_of_the_models_libraries(tmp_path: Path, kind: str) -> None:
    tokenizer = own(tmp_path / "own", kind)
    assert make_tokenizer(any_model(), tokenizer, tmp_path)
    text = "Two red boats, at sunset!"
    code = f"""
import sys
from pathlib import Path
from sightline.models.resolve import resolve
from sightline.models.tokenizers import open_tokenizer
prepared = open_tokenizer(resolve({DEMO!r}, offline=True), Path({str(tmp_path)!r}))
print(prepared.ids([{text!r}])[0].tolist())
print([name for name in {FOREIGN!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.splitlines() == [str(tokenizer([text])[0].tolist()), "[]"], done.stderr


def edited(folder: Path, change: dict[str, Any]) -> Any:
    """A tokenizer whose model in tokenizer.json says something else."""
    from open_clip.tokenizer import HFTokenizer

    name, options = vocabulary(folder, "roberta")
    file = folder / "tokenizer.json"
    told = json.loads(file.read_text())
    told["model"] |= change
    file.write_text(Backend.from_str(json.dumps(told)).to_str())
    return HFTokenizer(name, **options)


def not_covered(folder: Path, what: str) -> Any:
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

    if what == "drops tokens":
        return SimpleTokenizer(reduction_mask="random")
    if what == "special tokens of its own":
        return SimpleTokenizer(additional_special_tokens=["<mask>"])
    if what == "no length":
        return SimpleTokenizer(context_length=None)
    if what == "drops merges":
        return edited(folder, {"dropout": 0.5})
    if what == "another class":
        return type("Own", (SimpleTokenizer,), {})()
    folder.mkdir()
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')
    return HFTokenizer(str(folder), context_length=8)


@pytest.mark.parametrize(
    "what", ["drops tokens", "special tokens of its own", "no length", "drops merges", "another class", "of bytes"]
)
def test_what_is_not_covered_is_left_to_the_models_library(tmp_path: Path, what: str) -> None:
    tokenizer = not_covered(tmp_path / "own", what)
    (tmp_path / "made").mkdir()
    assert not make_tokenizer(any_model(), tokenizer, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []
    assert open_tokenizer(any_model(), tmp_path / "made") is None


def test_a_tokenizer_with_other_ids_is_not_made(tmp_path: Path) -> None:
    """As where a library reads texts in a way that was not thought of."""
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    encode = tokenizer.encode
    tokenizer.encode = lambda text: encode(text.replace("漢", "字"))
    assert not make_tokenizer(any_model(), tokenizer, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_was_made_for_another_model_or_is_no_table_is_not_opened(tmp_path: Path) -> None:
    from open_clip.tokenizer import SimpleTokenizer

    assert make_tokenizer(any_model(), SimpleTokenizer(), tmp_path)
    assert open_tokenizer(dataclasses.replace(any_model(), fingerprint="another"), tmp_path) is None
    whole = (tmp_path / FILE).read_bytes()
    for data in (b"", b"no table", whole[:3000], whole[:100] + b"\xff" * 2000 + whole[2100:]):
        (tmp_path / FILE).write_bytes(data)
        assert open_tokenizer(any_model(), tmp_path) is None


def test_a_damaged_table_is_no_error_when_it_is_opened(tmp_path: Path) -> None:
    assert make_tokenizer(any_model(), own(tmp_path / "own", "bert"), tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    opened = 0
    for place in range(0, len(whole), 199):
        (tmp_path / FILE).write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        prepared = open_tokenizer(any_model(), tmp_path)
        if prepared is not None:
            opened += 1
            prepared.close()
    assert opened < len(range(0, len(whole), 199))


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="modes of files are those of POSIX")
def test_a_prepared_tokenizer_is_its_owners_alone_and_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    from open_clip.tokenizer import SimpleTokenizer

    assert make_tokenizer(any_model(), SimpleTokenizer(), tmp_path)
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    (tmp_path / FILE).chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        prepared = open_tokenizer(any_model(), tmp_path)
        assert prepared is not None
        assert prepared.count("a cat") == 4
        assert [file.name for file in tmp_path.iterdir()] == [FILE]
    finally:
        tmp_path.chmod(0o700)
