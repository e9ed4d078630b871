#!/usr/bin/env bash
# open_clip: in a folder with both, open_clip_pytorch_model.bin is loaded and model.safetensors is not.
#
# Expected: create_model("local-dir:...") takes safetensors where there are some, as the sorting in its own code begins
# to do.
# Seen with open_clip_torch 3.3.0: a list of preferred names comes after that sorting, with open_clip_pytorch_model.bin and
# .pth before model.safetensors. timm 1.0.31 has the opposite order for the same folder. Helps: load a file by its path.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    open_clip_torch==3.3.0 timm==1.0.31 torch==2.15.0 safetensors==0.8.0
cd "$work"
"$work/env/bin/python" - <<'PYTHON'
import json
import pathlib

import open_clip
import torch
from safetensors.torch import save_file

config = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1},
}
folder = pathlib.Path("model")
folder.mkdir()
(folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
state = open_clip.model.CLIP(**config).state_dict()
save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "model.safetensors")
torch.save({**state, "logit_scale": torch.tensor(7.0)}, folder / "open_clip_pytorch_model.bin")
loaded = open_clip.create_model("local-dir:model")
seen = loaded.logit_scale.item()
print("open_clip", open_clip.__version__)
print(f"logit_scale: {state['logit_scale'].item():.2f} in model.safetensors, 7.00 in the pickle, {seen:.2f} loaded")
raise SystemExit(seen != 7)
PYTHON
