#!/usr/bin/env bash
# open_clip: weights that are stored in float16 or bfloat16 load at their own size, and at any other they fail on a CPU.
#
# Expected: force_image_size interpolates the position embeddings of a file whatever type it has them in.
# Seen with open_clip 3.3.0 and torch 2.15.0: resize_pos_embed interpolates in the type of the file, with antialias=True,
# which torch has for float32 alone on a CPU ("compute_index_ranges_weights" not implemented for 'Half'). Without
# antialias it takes float16. Helps: turn position embeddings to float32 before.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check open_clip_torch==3.3.0 torch==2.15.0
cd "$work"
"$work/env/bin/python" - <<'PYTHON'
import open_clip
import torch
from open_clip.model import resize_pos_embed

torch.manual_seed(0)
larger = open_clip.create_model("ViT-B-32", force_image_size=256)
print("open_clip", open_clip.__version__, "torch", torch.__version__)
seen = []
for kind in (torch.float32, torch.float16, torch.bfloat16):
    weights = {"visual.positional_embedding": torch.randn(50, 768).to(kind)}
    try:
        resize_pos_embed(weights, larger)
        seen.append(tuple(weights["visual.positional_embedding"].shape))
    except NotImplementedError as error:
        seen.append(str(error).split(" for ")[-1])
    print(kind, seen[-1])
raise SystemExit(seen != [(65, 768), "'Half'", "'BFloat16'"])
PYTHON
