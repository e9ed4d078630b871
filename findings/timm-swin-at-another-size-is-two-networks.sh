#!/usr/bin/env bash
# timm: a Swin transformer made with img_size and one that set_input_size changed give other vectors at the same size.
#
# Expected: create_model(name, img_size=448) and set_input_size((448, 448)) are two ways to the same network, as they are
# for ViT, EVA and BEiT.
# Seen with timm 1.0.31: img_size keeps the windows (7 x 7), set_input_size scales them with the picture (14 x 14) and interpolates
# what depends on them. Helps: decide for one of them, and make it part of what a vector is known by.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check timm==1.0.31 torch==2.15.0
cd "$work"
"$work/env/bin/python" - <<'PYTHON'
import timm
import torch

seen, windows = {}, {}
for name, size in (("vit_tiny_patch16_224", 320), ("swin_tiny_patch4_window7_224", 448)):
    torch.manual_seed(0)
    own = timm.create_model(name, pretrained=False, num_classes=0).eval()
    made = timm.create_model(name, pretrained=False, num_classes=0, img_size=size).eval()
    with torch.no_grad():  # with the first values blocks do next to nothing
        for weight in own.parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape) * 2 * (len(weight) / weight.numel()) ** 0.5)
            elif not weight.any():
                weight.copy_(0.3 * torch.randn(weight.shape))
    made.load_state_dict({key: value for key, value in own.state_dict().items() if key != "pos_embed"}, strict=False)
    own.set_input_size((size, size))
    if hasattr(own, "pos_embed"):
        made.pos_embed = own.pos_embed  # what timm's loader interpolates in the same way
    else:
        windows = {way: network.layers[0].blocks[0].window_size for way, network in (("set", own), ("made", made))}
    picture = torch.randn(1, 3, size, size)
    with torch.inference_mode():
        first, second = own(picture), made(picture)
    seen[name] = float((first - second).norm() / first.norm())
print("timm", timm.__version__)
print("expected: no difference")
print("seen:     relative differences", {name: round(each, 4) for name, each in seen.items()}, "windows", windows)
raise SystemExit(not (seen["vit_tiny_patch16_224"] < 1e-5 and seen["swin_tiny_patch4_window7_224"] > 0.02))
PYTHON
