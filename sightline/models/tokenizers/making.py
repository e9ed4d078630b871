"""Prepared tokenizers, made of a model's own and tried: while indexing only, as open_clip is needed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from sightline.models.resolve import Model
from sightline.models.text_tower import count_tokens
from sightline.models.tokenizers import clip, hugging_face, open_tokenizer, table
from sightline.models.tokenizers.cleaning import CLEAN
from sightline.models.tokenizers.trial_texts import trial_texts

log = logging.getLogger(__name__)

# Tried of each tokenizer before it is used; the tests try more.
_TRIED: Final = 300
_AT_ONCE: Final = 100
# What is known of models in tokenizer.json; another key may change what a text is read as.
_KEYS: Final = {
    "Unigram": {"type", "vocab", "unk_id", "byte_fallback"},
    "WordPiece": {"type", "vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word"},
    "BPE": {
        "type", "vocab", "merges", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
        "fuse_unk", "byte_fallback", "ignore_merges",
    },
}  # fmt: skip


class UnpreparedError(Exception):
    """A tokenizer does something that is not done here; the message says what."""


def make(model: Model, tokenizer: Any, path: Path) -> bool:
    """See `make_tokenizer`."""
    try:
        _write(model, tokenizer, path)
        _try(model, tokenizer, path)
    except UnpreparedError as error:
        log.info("the tokenizer of %s is used as its library reads it: %s", model.name, error)
        path.unlink(missing_ok=True)
        return False
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return True


def _write(model: Model, tokenizer: Any, path: Path) -> None:
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

    if type(tokenizer) is SimpleTokenizer:
        settings, rows = _of_clip(tokenizer)
        kind, create, insert = clip.ClipTokenizer.KIND, clip.CREATE, clip.INSERT
    elif type(tokenizer) is HFTokenizer:
        settings, rows = _of_hugging_face(tokenizer)
        kind, create, insert = hugging_face.HuggingFaceTokenizer.KIND, hugging_face.CREATE, hugging_face.INSERT
    else:
        raise UnpreparedError(f"it is a {type(tokenizer).__name__}")
    if not tokenizer.context_length:
        raise UnpreparedError("it does not say how many tokens are read")
    settings |= {"kind": kind, "clean": _name_of(tokenizer.clean_fn), "context": int(tokenizer.context_length)}
    table.write(path, model.fingerprint, settings, create, insert, rows)


def _name_of(clean: Callable[[str], str]) -> str:
    from open_clip.tokenizer import get_clean_fn

    for name in CLEAN:
        if get_clean_fn(name) is clean:
            return name
    raise UnpreparedError("it cleans texts in a way of its own")


_Written = tuple[dict[str, Any], Iterator[tuple[Any, ...]]]


def _of_clip(tokenizer: Any) -> _Written:
    if tokenizer.reduction_fn is not None:
        raise UnpreparedError("it drops tokens by chance")
    if len(tokenizer.all_special_ids) != len((clip.START, clip.END)):
        raise UnpreparedError("it has special tokens of its own")
    encoder: Mapping[str, int] = tokenizer.encoder
    letters = [tokenizer.byte_encoder[byte] for byte in clip.byte_order()]
    first = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges = [(left, right) for left, right in tokenizer.bpe_ranks]
    specials = [clip.START, clip.END]
    vocabulary = [*first, *(left + right for left, right in merges), *specials]
    if {text: number for number, text in enumerate(vocabulary)} != encoder or len(encoder) != len(vocabulary):
        raise UnpreparedError("its ids are not in the order of its merges")
    settings = {"start": encoder[clip.START], "end": encoder[clip.END]}
    rows = ((clip.pair_key(encoder[left], encoder[right]), encoder[left + right]) for left, right in merges)
    return settings, rows


def _of_hugging_face(tokenizer: Any) -> _Written:
    inner = tokenizer.tokenizer
    if tokenizer.tokenizer_mode not in ("", "clips"):
        raise UnpreparedError(f"it is used in the mode {tokenizer.tokenizer_mode!r}")
    if not getattr(inner, "is_fast", False):
        raise UnpreparedError("it is none of the tokenizers library")
    backend = inner.backend_tokenizer
    around = json.loads(backend.to_str())
    model = around.pop("model")
    kind = model["type"]
    if kind not in _KEYS or model.keys() - _KEYS[kind]:
        raise UnpreparedError(f"its model is {kind} with {', '.join(sorted(model.keys()))}")
    if model.get("dropout"):
        raise UnpreparedError("it drops merges by chance")
    if kind == "BPE" and model.get("continuing_subword_prefix"):
        raise UnpreparedError("its merges take a prefix away")
    rows, of_pieces = _pieces(model)
    around |= {"truncation": None, "padding": None, "decoder": None}
    _lift(around["post_processor"])
    settings = {
        "around": around,
        "model": model,
        **of_pieces,
        "added": {token["content"]: backend.token_to_id(token["content"]) for token in around["added_tokens"]},
        "split_special": bool(backend.encode_special_tokens),
        "pad": inner.pad_token_id,
        "pad_left": inner.padding_side == "left",
        "cut": {
            "max_length": tokenizer.context_length, "stride": 0, "strategy": "longest_first",
            "direction": inner.truncation_side,
        },
        "zeroed": None,
        "clips": None,
    }  # fmt: skip
    if tokenizer.tokenizer_mode:
        settings["clips"] = {"bos": inner.bos_token_id, "eos": inner.eos_token_id, "cls": inner.cls_token_id}
    elif tokenizer.strip_sep_token:
        settings["zeroed"] = inner.sep_token_id
    if None in (settings["pad"], *(settings["clips"] or {}).values()):
        raise UnpreparedError("it has no token for the ends of a row")
    return settings, rows


def _pieces(model: dict[str, Any]) -> tuple[Iterator[tuple[bytes, int, Any]], dict[str, Any]]:
    """The rows of a vocabulary, which is taken out of the model.

    And the pieces that every text needs, and how many characters the longest has.
    """
    vocabulary, merges = model.pop("vocab"), model.pop("merges", [])
    always = {model["unk_token"]} if model.get("unk_token") is not None else set()
    more: dict[str, Any] = {}
    if model["type"] == "Unigram":
        # Of a text that is there twice the library reads the last.
        more = dict(vocabulary)
        ids = {text: number for number, (text, _) in enumerate(vocabulary)}
        # What is unknown is scored by the least score of all.
        always.add(min(vocabulary, key=lambda piece: piece[1])[0])
        unknown = model.get("unk_id")
        if unknown is not None:
            always.add(vocabulary[unknown][0])
    else:
        ids = vocabulary
    if model.get("byte_fallback"):
        always |= {f"<0x{byte:02X}>" for byte in range(256)} & ids.keys()
    for rank, (left, right) in enumerate(merges):
        text = left + right
        more[text] = more.get(text, b"") + hugging_face.pack_merge(len(left), rank)
    # In the order of the table, which is filled in half the time then.
    rows = ((text.encode(), number, more.get(text)) for text, number in sorted(ids.items()))
    return rows, {"always": sorted(always & ids.keys()), "longest": max(map(len, ids), default=1)}


def _lift(processor: Any) -> None:
    """Add `NAMED` to the ids that a post-processor names."""
    if processor is None:
        return
    kind = processor["type"]
    if kind == "Sequence":
        for inner in processor["processors"]:
            _lift(inner)
    elif kind == "TemplateProcessing":
        for special in processor["special_tokens"].values():
            special["ids"] = [number + hugging_face.NAMED for number in special["ids"]]
    elif kind in ("BertProcessing", "RobertaProcessing"):
        for end in ("sep", "cls"):
            processor[end][1] += hugging_face.NAMED
    elif kind != "ByteLevel":
        raise UnpreparedError(f"its post-processor is {kind}")


def _try(model: Model, tokenizer: Any, path: Path) -> None:
    """Compare ids and counts with the tokenizer's own."""
    made = open_tokenizer(model, path.parent)
    if made is None:
        raise UnpreparedError("what was prepared of it can't be opened")
    texts = list(trial_texts(_TRIED))
    try:
        for start in range(0, len(texts), _AT_ONCE):
            part = texts[start : start + _AT_ONCE]
            expected, found = tokenizer(part).numpy(), made.ids(part)
            if expected.shape != found.shape:
                raise UnpreparedError(f"its rows are of {expected.shape[1:]}")
            for text, same in zip(part, (expected == found).all(axis=1), strict=True):
                if not same or made.count(text) != count_tokens(tokenizer, text):
                    raise UnpreparedError(f"{text[:40]!r} has other ids")
    except UnpreparedError:
        raise
    except Exception as error:  # whatever a library raises for texts that it was not written for
        raise UnpreparedError(f"it fails on a text ({error})") from error
    finally:
        made.close()
