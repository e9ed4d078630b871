"""Models of a real architecture with random weights: cost does not depend on what a model learned."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any, Final

# What Gemma's tokenizer begins with; then 256 pieces of one byte each.
_SPECIAL: Final = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")


def random_model(folder: Path, name: str) -> str:
    """Write open_clip's model `name` with seeded random weights to `folder`; returns its `local-dir:`.

    Where its tokenizer is one of the hub's, a made-up one of the same size is written beside it.
    """
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    config = open_clip.get_model_config(name)
    kind = open_clip.model.CustomTextCLIP if config.get("custom_text") else open_clip.model.CLIP
    model = kind(**{key: value for key, value in config.items() if key != "custom_text"})
    folder.mkdir(exist_ok=True)
    state = {name: value.clone().contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    if config["text_cfg"].get("hf_tokenizer_name"):
        write_vocabulary(folder, config["text_cfg"]["vocab_size"])
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    return f"local-dir:{folder}"


def write_vocabulary(folder: Path, size: int) -> None:
    """Write a made-up tokenizer of the form of Gemma's, of `size` pieces and more merges, to `folder`."""
    vocabulary, merges = _pieces(size)
    added: list[Mapping[str, Any]] = [
        {"id": number, "content": word, "special": True, "normalized": False, "single_word": False,
         "lstrip": False, "rstrip": False} for number, word in enumerate(_SPECIAL)
    ]  # fmt: skip
    end = {"SpecialToken": {"id": "<eos>", "type_id": 0}}
    made = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {
            "type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, end],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, end, {"Sequence": {"id": "B", "type_id": 1}}, end],
            "special_tokens": {"<eos>": {"id": "<eos>", "ids": [1], "tokens": ["<eos>"]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
            "vocab": vocabulary, "merges": merges,
        },
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")
    names = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    settings = {
        **names, "mask_token": "<mask>", "add_bos_token": False, "add_eos_token": True, "padding_side": "right",
        "tokenizer_class": "GemmaTokenizer", "model_max_length": 64, "clean_up_tokenization_spaces": False,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _pieces(size: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Seeded made-up pieces with their numbers, and every way to make one of two others, in order."""
    chance = random.Random(0)
    small = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    letters = [chr(code) for code in (*range(0x21, 0x7F), *range(0xC0, 0x180))] + ["▁"]
    known = dict.fromkeys([*_SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *letters])
    merges: list[tuple[str, str]] = []

    def add(piece: str) -> None:
        if piece not in known and len(known) < size:
            cuts = ((piece[:cut], piece[cut:]) for cut in range(1, len(piece)))
            merges.extend(pair for pair in cuts if pair[0] in known and pair[1] in known)
            known[piece] = None

    for count in (1, 2, 3):
        for word in map("".join, product(small, repeat=count)):
            add(word)
            add(f"▁{word}")
    whole = [piece for piece in known if (piece.strip("▁").islower() and piece.isascii()) or piece.startswith("▁")]
    tails = [piece for piece in whole if not piece.startswith("▁")]
    while len(known) < size:
        add(chance.choice(whole) + chance.choice(tails))
    return {piece: number for number, piece in enumerate(known)}, merges
