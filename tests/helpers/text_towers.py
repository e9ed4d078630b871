"""Small joint models whose text tower and tokenizer are those of transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

CORPUS: Final = ["two red boats at sunset", "a green tree on a hill", "three yellow kites", "a photo of a cat"] * 20
_VISION: Final = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
KINDS: Final = ("xlm-roberta", "roberta", "mt5", "nllb")


def hf_text(folder: Path, kind: str, *, tower: str = ".", tokenizer: str = ".", seed: int = 0) -> str:
    """A joint model whose text tower is of this kind; the tower's configuration and tokenizer lie in the folder.

    `tower` and `tokenizer` are what its open_clip_config.json calls them.
    """
    import torch
    from open_clip.model import CustomTextCLIP
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = write_tokenizer(folder, kind)
    _configuration(kind, vocabulary).save_pretrained(folder)
    text = {
        "hf_model_name": str(folder), "hf_tokenizer_name": tokenizer, "hf_proj_type": "linear",
        "hf_pooler_type": "cls_pooler" if kind == "nllb" else "mean_pooler", "context_length": 16,
    }  # fmt: skip
    torch.manual_seed(seed)
    network = CustomTextCLIP(embed_dim=24, vision_cfg=_VISION, text_cfg={**text, "hf_model_pretrained": False})
    for parameter in network.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(std=0.2)
    # Tensors of two names are one; the file keeps one of them.
    kept: dict[int, str] = {}
    for name, value in network.state_dict(keep_vars=True).items():
        kept.setdefault(id(value), name)
    state = network.state_dict()
    weights = {name: state[name].clone().contiguous() for name in kept.values()}
    save_file(weights, folder / "open_clip_model.safetensors")
    config = {"embed_dim": 24, "vision_cfg": _VISION, "text_cfg": {**text, "hf_model_name": tower}}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    return f"local-dir:{folder}"


def _configuration(kind: str, vocabulary: int) -> Any:
    import transformers as hf

    common: dict[str, Any] = {"vocab_size": vocabulary, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    if kind == "mt5":
        sizes: dict[str, Any] = {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 1, "num_heads": 2}
        return hf.MT5Config(**{**common, **sizes})
    if kind == "nllb":
        sizes = {
            "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 40,
        }  # fmt: skip
        return hf.M2M100Config(**{**common, **sizes})
    sizes = {
        "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48,
        "max_position_embeddings": 40,
    }  # fmt: skip
    made = hf.RobertaConfig if kind == "roberta" else hf.XLMRobertaConfig
    return made(**{**common, **sizes})


def write_tokenizer(folder: Path, kind: str, *, words: list[str] | None = None) -> int:
    """Write a tokenizer as transformers keeps those of this kind; returns how many tokens it knows."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    corpus = words or CORPUS
    trainer: Any
    if kind in ("xlm-roberta", "mt5"):
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>")
    elif kind == "nllb":
        made = Tokenizer(models.BPE(unk_token="<unk>"))
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        trainer = trainers.BpeTrainer(vocab_size=160, special_tokens=[*special, "eng_Latn"])
    else:
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel()
        made.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet)
    made.normalizer = normalizers.NFKC()
    made.train_from_iterator(corpus, trainer)
    ends = [(token, made.token_to_id(token)) for token in ("<s>", "</s>")]
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    made.save(str(folder / "tokenizer.json"))
    kinds = {"xlm-roberta": "XLMRobertaTokenizer", "mt5": "T5Tokenizer", "nllb": "NllbTokenizer"}
    settings = {
        "tokenizer_class": kinds.get(kind, "RobertaTokenizer"), "bos_token": "<s>", "eos_token": "</s>",
        "pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "model_max_length": 16,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return int(made.get_vocab_size())
