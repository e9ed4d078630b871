#!/usr/bin/env bash
# open_clip: force_image_size fails for weights that are saved in float16 or bfloat16.
#
# Expected: a model loads at another size whatever type its weights are saved in, as it does at its own size.
# Seen with open_clip 3.3.0 and torch 2.15.0: resize_pos_embed interpolates in the type of the file, and torch has no
# bicubic interpolation of these on a CPU. timm converts to float32 first. Helps: positions as float32 before they are resized.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check timm==1.0.31 open_clip_torch==3.3.0 torch==2.15.0 safetensors==0.8.0
cd "$work"
"$work/env/bin/python" - <<'PYTHON'
import json
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file

config = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "layers": 1, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
weights = open_clip.model.CLIP(**config).state_dict()
seen = {}
for kind in (torch.float32, torch.bfloat16, torch.float16):
    folder = Path(str(kind))
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    save_file({name: value.to(kind) for name, value in weights.items()}, folder / "open_clip_model.safetensors")
    open_clip.create_model(f"local-dir:{folder}")
    try:
        open_clip.create_model(f"local-dir:{folder}", force_image_size=96)
        seen[str(kind)] = "loaded"
    except (NotImplementedError, RuntimeError) as error:
        seen[str(kind)] = str(error)
print("open_clip", open_clip.__version__, "torch", torch.__version__)
print("expected: loaded three times")
print("seen:    ", seen)
halves = [seen["torch.float16"], seen["torch.bfloat16"]]
raise SystemExit(not (seen["torch.float32"] == "loaded" and all("not implemented for" in each for each in halves)))
PYTHON
