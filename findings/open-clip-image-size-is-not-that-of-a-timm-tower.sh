#!/usr/bin/env bash
# open_clip: 'image_size' in a configuration changes the size of its own ViT, and not that of an image tower of timm.
#
# Expected: a model whose 'vision_cfg' says another 'image_size' reads pictures of that size, or is refused.
# Seen with open_clip 3.3.0 and timm 1.0.31: its own ViT does. With a tower of timm the preparation makes pictures of that size, the
# model is made without a word, and the network refuses the first picture. Helps: force_image_size, which calls set_input_size.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check timm==1.0.31 open_clip_torch==3.3.0 torch==2.15.0
cd "$work"
"$work/env/bin/python" - <<'PYTHON'
import open_clip
import torch

seen = {}
for name in ("ViT-B-32", "ViT-B-16-SigLIP"):
    config = open_clip.get_model_config(name)
    config["vision_cfg"]["image_size"] = 320
    config["text_cfg"] = {"context_length": 16, "vocab_size": 100, "width": 64, "heads": 2, "layers": 1}
    kind = open_clip.model.CustomTextCLIP if config.pop("custom_text", False) else open_clip.model.CLIP
    network = kind(**config).eval()
    size = network.visual.image_size
    with torch.inference_mode():
        try:
            seen[name] = f"{tuple(size)} and {tuple(network.encode_image(torch.zeros(1, 3, *size)).shape)}"
        except AssertionError as error:
            seen[name] = f"{tuple(size)} and {error}"
print("open_clip", open_clip.__version__)
print("expected: (320, 320) and a vector both times")
print("seen:    ", seen)
raise SystemExit(not ("(1, 512)" in seen["ViT-B-32"] and "doesn't match model" in seen["ViT-B-16-SigLIP"]))
PYTHON
