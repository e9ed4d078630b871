"""Small vocabularies of each kind that text towers have, trained here, and wrapped as open_clip wraps them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from sightline.models.tokenizers.trial_texts import trial_texts

_BYTES: Final = [f"<0x{byte:02X}>" for byte in range(256)]
_ENDS: Final = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
_BERT: Final = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
_GEMMA: Final = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "gemma": {"clean": "canonicalize"},
    "bert": {"clean": "lower", "strip_sep_token": True},
    "clips": {"tokenizer_mode": "clips"},
}
KINDS: Final = (
    "gemma", "xlm-roberta", "t5", "bert", "roberta", "nllb", "clip", "clips", "bytes", "left", "split", "odd",
)  # fmt: skip
"""What `vocabulary` makes: the vocabularies of these models, and some that pad, cut or read otherwise."""


def _corpus() -> list[str]:
    return [text.encode(errors="replace").decode() for text in trial_texts(300) if len(text) < 200]


def vocabulary(folder: Path, kind: str) -> tuple[str, dict[str, Any]]:
    """Write a tokenizer as transformers keeps it; returns what `HFTokenizer` is to be given."""
    made, told = _made(kind)
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 1_000_000, **told}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return str(folder), {"context_length": 24, **_OPTIONS.get(kind, {})}


def _made(kind: str) -> tuple[Tokenizer, dict[str, Any]]:
    if kind == "gemma":
        return _gemma(), _GEMMA
    if kind in ("bert", "clips"):
        return _bert(), {**_BERT, **({"bos_token": "[unused1]", "eos_token": "[unused2]"} if kind == "clips" else {})}
    if kind == "roberta":
        return _bytes_of_words(), _ENDS
    if kind == "nllb":
        return _bpe_with_languages(), _ENDS
    if kind == "clip":
        return _clip(), _ENDS
    if kind == "odd":
        return _odd(), _ENDS
    told: dict[str, Any] = dict(_ENDS)
    if kind == "left":
        told |= {"padding_side": "left", "truncation_side": "left"}
    if kind == "split":
        told |= {"split_special_tokens": True}
    return _unigram(sentinels=kind == "t5", fallback=kind == "bytes"), told


def _trained(made: Tokenizer, trainer: Any) -> Tokenizer:
    made.train_from_iterator(_corpus(), trainer)
    return made


def _ended(made: Tokenizer, template: str, tokens: Iterable[str]) -> Tokenizer:
    ids = [_with_id(made, token) for token in tokens]
    made.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    return made


def _with_id(made: Tokenizer, token: str) -> tuple[str, int]:
    number = made.token_to_id(token)
    assert number is not None
    return token, number


def _gemma() -> Tokenizer:
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *_BYTES]
    trainer = trainers.BpeTrainer(vocab_size=1500, special_tokens=special, limit_alphabet=300)
    _trained(made, trainer)
    told = json.loads(made.to_str())
    told["added_tokens"] = [token for token in told["added_tokens"] if token["content"] not in set(_BYTES)]
    made = Tokenizer.from_str(json.dumps(told))
    made.add_tokens([AddedToken("<unused1>", normalized=False), AddedToken("\n\n", normalized=False)])
    return _ended(made, "$A <eos>", ["<eos>"])


def _unigram(*, sentinels: bool, fallback: bool) -> Tokenizer:
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", *(_BYTES if fallback else [])]
    _trained(made, trainers.UnigramTrainer(vocab_size=4000, special_tokens=special, unk_token="<unk>"))
    if fallback:
        told = json.loads(made.to_str())
        told["added_tokens"] = told["added_tokens"][:4]
        told["model"]["byte_fallback"] = True
        made = Tokenizer.from_str(json.dumps(told))
    made.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    if sentinels:
        made.add_special_tokens([AddedToken(f"<extra_id_{number}>") for number in range(100)])
        return _ended(made, "$A </s>", ["</s>"])
    return _ended(made, "<s> $A </s>", ["<s>", "</s>"])


def _bert() -> Tokenizer:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=40))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]", "[unused2]"]
    _trained(made, trainers.WordPieceTrainer(vocab_size=1500, special_tokens=special, limit_alphabet=300))
    made.post_processor = processors.BertProcessing(_with_id(made, "[SEP]"), _with_id(made, "[CLS]"))
    return made


def _bytes_of_words() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    _trained(made, trainers.BpeTrainer(vocab_size=1200, special_tokens=special, initial_alphabet=alphabet))
    made.post_processor = processors.RobertaProcessing(_with_id(made, "</s>"), _with_id(made, "<s>"))
    return made


def _odd() -> Tokenizer:
    """Settings that few models have: words that are pieces need no merges, and added tokens of many kinds."""
    told = json.loads(_bytes_of_words().to_str())
    told["model"]["ignore_merges"] = True
    told["model"]["fuse_unk"] = True
    made = Tokenizer.from_str(json.dumps(told))
    made.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.Lowercase(), normalizers.StripAccents()])
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    made.add_tokens(
        [
            AddedToken("Straße", normalized=True),
            AddedToken("é", normalized=True),
            AddedToken("cat", single_word=True),
            AddedToken("<mask>", rstrip=True),
            AddedToken("red", normalized=False, lstrip=True),
            AddedToken("日", single_word=True),
        ]
    )
    ends = [_with_id(made, token) for token in ("<s>", "</s>")]
    template = processors.TemplateProcessing(single="<s> $A </s> </s>", special_tokens=ends)
    made.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return made


def _bpe_with_languages() -> Tokenizer:
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "eng_Latn"]
    _trained(made, trainers.BpeTrainer(vocab_size=1200, special_tokens=special, limit_alphabet=300))
    return _ended(made, "eng_Latn $A </s>", ["eng_Latn", "</s>"])


def _clip() -> Tokenizer:
    """Byte-pair encoding that marks the end of a word, as transformers has it of CLIP."""
    made = Tokenizer(models.BPE(unk_token="</s>", end_of_word_suffix="</w>"))
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=1200, special_tokens=special, end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    _trained(made, trainer)
    return _ended(made, "<s> $A </s>", ["<s>", "</s>"])
