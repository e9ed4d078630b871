#!/usr/bin/env bash
# timm: the same name gives networks of other constants with and without pretrained=True.
#
# Expected: create_model(name, pretrained=False) and load_state_dict() of trained weights give what pretrained=True gives.
# Seen with timm 1.0.31: fbnetc_100 sets the epsilon of its batch norms to 0.001 with pretrained=True only, and to 0.00001
# without. Nothing in a file of weights tells. The cosine of one picture's two vectors was 0.98. Helps: make networks
# with pretrained=True and give the weights then; sightline/models/timm_networks.py does.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check timm==1.0.31 torch==2.15.0 safetensors==0.8.0
cd "$work"
"$work/env/bin/python" - <<'PYTHON'
import timm
from timm.models import save_for_hf

made = timm.create_model("fbnetc_100", pretrained=False, num_classes=10)
save_for_hf(made, "model", safe_serialization=True)
trained = timm.create_model("local-dir:model", pretrained=True)
by_hand = timm.create_model("local-dir:model", pretrained=False)
by_hand.load_state_dict(trained.state_dict())
print("timm", timm.__version__)
print("expected: one epsilon")
print(f"seen:     {trained.bn1.eps} with pretrained=True, {by_hand.bn1.eps} without and the same weights")
raise SystemExit(not (trained.bn1.eps == 1e-3 and by_hand.bn1.eps == 1e-5))
PYTHON
