#!/usr/bin/env bash
# open_clip: `additional_special_tokens` of SimpleTokenizer are joined into its regular expression as they are. The token "<|x|>"
# means "< or x or >" there: words that begin with an x are parted after it, and the token itself is never found.
#
# Expected: a special token is one token, and texts without it are read as before.
# Seen with open_clip_torch 3.3.0: "<|x|>" becomes several tokens of the ordinary vocabulary, and "xylophone" is read otherwise than
# without it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check open_clip_torch==3.3.0
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from open_clip.tokenizer import SimpleTokenizer

plain, special = SimpleTokenizer(), SimpleTokenizer(additional_special_tokens=["<|x|>"])
own = special.encoder["<|x|>"]
print("open_clip_torch", version("open_clip_torch"))
print("the token", own, "is read as", special.encode("<|x|>"))
print("xylophone:", plain.encode("xylophone"), "and with it", special.encode("xylophone"))
raise SystemExit(special.encode("<|x|>") == [own] or plain.encode("xylophone") == special.encode("xylophone"))
PYTHON
