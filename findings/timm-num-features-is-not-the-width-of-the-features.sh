#!/usr/bin/env bash
# timm: num_features, in the network and in config.json, is not the width of what num_classes=0 gives.
#
# Expected: a network made with num_classes=0 gives vectors of num_features numbers; so does its saved config.json.
# Seen with timm 1.0.31: mobilenetv3_small_050 says 288 and gives 1024, ghostnet_050 480 and 1280, vgg11 512 and 4096: what
# follows the pooling before the classifier stays. Helps: head_hidden_size where there is one, or one picture through the
# network; Sightline does the second.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check timm==1.0.31 torch==2.15.0 safetensors==0.8.0
cd "$work"
"$work/env/bin/python" - <<'PYTHON'
import json
import pathlib

import timm
import torch
from timm.models import save_for_hf

print("timm", timm.__version__)
seen = []
for name in ("mobilenetv3_small_050", "ghostnet_050", "vgg11"):
    network = timm.create_model(name, pretrained=False, num_classes=0).eval()
    save_for_hf(network, name, safe_serialization=True)
    said = json.loads((pathlib.Path(name) / "config.json").read_text())["num_features"]
    with torch.inference_mode():
        given = network(torch.zeros(1, 3, 224, 224)).shape[1]
    print(f"{name}: num_features is {network.num_features}, config.json says {said}, the vector has {given} numbers")
    seen.append((network.num_features, said, given))
raise SystemExit(seen != [(288, 288, 1024), (480, 480, 1280), (512, 512, 4096)])
PYTHON
