#!/usr/bin/env bash
# transformers 5: AutoTokenizer makes an empty tokenizer of a folder without a vocabulary, and says nothing.
#
# Expected: a folder that holds a tokenizer_config.json and no vocabulary (copied half) is refused.
# Seen with transformers 5.23.0, tokenizers 0.23.3: `XLMRobertaTokenizer` of five tokens, which reads every word as unknown.
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

Path("model").mkdir()
Path("model/tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "XLMRobertaTokenizer"}))
made = transformers.AutoTokenizer.from_pretrained("model")
ids = made("two red boats").input_ids
print(f"transformers {transformers.__version__}: {type(made).__name__} of {len(made)} tokens reads {ids}")
assert ids == [made.bos_token_id, *[made.unk_token_id] * 3, made.eos_token_id], "it is refused, or read, now"
PYTHON
