#!/usr/bin/env bash
# tokenizers: the `id` of an added token in a tokenizer.json is not read. The token gets the number of pieces in the vocabulary,
# also where a piece has that id already: then two tokens share it.
#
# Expected: "<x>" has the id that the file gives it, 10, and "dog" keeps its own, 3.
# Seen with tokenizers 0.23.3: both are 3, and 3 is decoded as "<x>". A vocabulary whose ids have no gaps is not touched by it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PYTHON'
import json

import tokenizers

added = {"id": 10, "content": "<x>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
file = {
    "version": "1.0", "truncation": None, "padding": None, "added_tokens": [added], "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "cat": 1, "dog": 3}, "unk_token": "[UNK]"},
}
made = tokenizers.Tokenizer.from_str(json.dumps(file))
read = made.encode("<x> dog")
print("tokenizers", tokenizers.__version__)
print("tokens:", read.tokens, "ids:", read.ids, "3 is", made.id_to_token(3))
raise SystemExit(read.ids != [3, 3])
PYTHON
