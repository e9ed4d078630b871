"""Small Hugging Face tokenizers of several kinds, made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CORPUS = ["two red boats at sunset", "a green tree on a hill", "three yellow kites", "a photo of a cat"] * 20

# As published folders name them.
_CLASSES = {
    "bert": "BertTokenizer",
    "roberta": "RobertaTokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
    "t5": "T5Tokenizer",
    "nllb": "NllbTokenizer",
    "gemma": "GemmaTokenizer",
}


def save_tokenizer(kind: str, folder: Path) -> int:
    """Save a tokenizer of a few hundred words; returns how many rows an embedding for it has.

    Args:
        kind: `bert`, `roberta`, `xlm-roberta`, `t5`, `nllb` or `gemma`, as to the pieces of words, and to the tokens
            before and after a text.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    names = {
        "bert": ("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
        "t5": ("<pad>", "<unk>", "", "</s>"),
        "gemma": ("<pad>", "<unk>", "", "<eos>"),
        "nllb": ("<pad>", "<unk>", "eng_Latn", "</s>"),
    }
    pad, unknown, first, last = names.get(kind, ("<pad>", "<unk>", "<s>", "</s>"))
    special = [first, pad, last, unknown] if kind != "bert" else [pad, unknown, first, last]
    special = [token for token in special if token]
    made: Any
    if kind == "bert":
        made = Tokenizer(models.WordPiece(unk_token=unknown))
        made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        trainer: Any = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special)
    elif kind == "roberta":
        made = Tokenizer(models.BPE())
        made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        )
    elif kind in ("xlm-roberta", "t5"):
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token=unknown)
    else:
        made = Tokenizer(models.BPE(unk_token=unknown))
        made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
        trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=special)
    made.train_from_iterator(CORPUS, trainer)
    around = [*([first] if first else []), "$A", last]
    ends = [(token, made.token_to_id(token)) for token in (first, last) if token]
    made.post_processor = processors.TemplateProcessing(single=" ".join(around), special_tokens=ends)
    more = {"cls_token": first, "sep_token": last} if kind in ("bert", "roberta", "xlm-roberta") else {}
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=made, pad_token=pad, eos_token=last, unk_token=unknown, model_max_length=64, **more
    )
    fast.save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({**config, "tokenizer_class": _CLASSES[kind]}))
    words = AutoTokenizer.from_pretrained(folder).get_vocab()
    # Those of T5 have a hundred tokens beyond the rows of its network.
    return 1 + max(row for word, row in words.items() if not word.startswith("<extra_id_"))
