#!/usr/bin/env bash
# timm: resolve_data_config(model=network) gives another size than the network was made for.
#
# Expected: create_model(name, img_size=96) and resolve_data_config({}, model=network) go together: the transform made of
# it gives pictures that the network takes.
# Seen with timm 1.0.31: the size is that of the architecture, 224, and the network refuses the picture. save_for_hf() writes
# 96, and the network that is loaded from there has it. Helps: save and load, or say input_size yourself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check timm==1.0.31 torch==2.15.0 safetensors==0.8.0
cd "$work"
"$work/env/bin/python" - <<'PYTHON'
import timm
import torch
from timm.data import resolve_data_config
from timm.models import save_for_hf

network = timm.create_model("vit_tiny_patch16_224", pretrained=False, img_size=96).eval()
size = resolve_data_config({}, model=network)["input_size"]
try:
    network(torch.zeros(1, *size))
    refused = ""
except AssertionError as error:
    refused = str(error)
save_for_hf(network, "model", safe_serialization=True)
loaded = resolve_data_config({}, model=timm.create_model("local-dir:model", pretrained=True))["input_size"]
print("timm", timm.__version__)
print("expected: (3, 96, 96) both times")
print(f"seen:     {tuple(size)} ({refused}); after save_for_hf() and loading {tuple(loaded)}")
raise SystemExit(not (tuple(size) == (3, 224, 224) and refused and tuple(loaded) == (3, 96, 96)))
PYTHON
