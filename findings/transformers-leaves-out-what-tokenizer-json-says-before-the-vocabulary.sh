#!/usr/bin/env bash
# transformers 5: AutoTokenizer leaves out the normalizer of a tokenizer.json where tokenizer_config.json names a class.
#
# Expected: a tokenizer.json that lower-cases texts does so under each `tokenizer_class`, as the tokenizers library and
# `PreTrainedTokenizerFast` do.
# Seen with transformers 5.23.0, tokenizers 0.23.3: `XLMRobertaTokenizer` is built anew from the vocabulary alone. "Red Boat",
# which the file cuts into two known words, becomes four tokens, two of them unknown.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 tokenizers==0.23.3
cd "$folder"
TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - <<'PYTHON'
import json
from pathlib import Path

import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

special = ["<s>", "<pad>", "</s>", "<unk>"]
words = [(token, 0.0) for token in special] + [("▁red", -1.0), ("▁boat", -1.0), ("▁", -5.0)]
made = Tokenizer(models.Unigram(words, 3, False))
made.normalizer = normalizers.Lowercase()
made.pre_tokenizer = pre_tokenizers.Metaspace()
made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
Path("model").mkdir()
made.save("model/tokenizer.json")
alone = made.encode("Red Boat").ids
named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
found = {}
for kind in ("PreTrainedTokenizerFast", "XLMRobertaTokenizer"):
    Path("model/tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind, **named}))
    found[kind] = transformers.AutoTokenizer.from_pretrained("model")("Red Boat").input_ids
print(f"transformers {transformers.__version__}; tokenizer.json alone: {alone}")
for kind, ids in found.items():
    print(f"{kind}: {ids}")
assert found["PreTrainedTokenizerFast"] == alone
assert found["XLMRobertaTokenizer"] != alone, "the normalizer is kept now"
PYTHON
