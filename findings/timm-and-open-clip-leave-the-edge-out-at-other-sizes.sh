#!/usr/bin/env bash
# timm, open_clip: at a size that the patches do not divide, the right and the bottom edge is not looked at, in silence.
#
# Expected: set_input_size(), img_size and force_image_size refuse 450 px for patches of 14 or 16, as
# networks with dynamic_img_size do, or they fill the picture up.
# Seen with timm 1.0.31 and open_clip 3.3.0: they take it. The vector is the same whatever the last 2 px show. Helps: check
# by yourself that patches (and of Swin, windows of them) divide the size.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check timm==1.0.31 open_clip_torch==3.3.0 torch==2.15.0
cd "$work"
"$work/env/bin/python" - <<'PYTHON'
import open_clip
import timm
import torch

torch.manual_seed(0)
picture = torch.randn(1, 3, 450, 450)
edited = picture.clone()
edited[:, :, 448:, :] = 9
edited[:, :, :, 448:] = -9
dino = timm.create_model("vit_small_patch14_reg4_dinov2", pretrained=False, num_classes=0, depth=1).eval()
dino.set_input_size((450, 450))
siglip = timm.create_model("vit_base_patch16_siglip_224", pretrained=False, num_classes=0, depth=1, img_size=450).eval()
clip = open_clip.create_model("ViT-B-32", force_image_size=450).eval().encode_image
dynamic = timm.create_model("vit_small_patch16_dinov3", pretrained=False, num_classes=0, depth=1).eval()
with torch.inference_mode():
    same = [torch.equal(network(picture), network(edited)) for network in (dino, siglip, clip)]
    try:
        dynamic(picture)
        refused = ""
    except AssertionError as error:
        refused = str(error)
print("timm", timm.__version__, "open_clip", open_clip.__version__)
print("expected: an error, as of a network with dynamic_img_size:", refused)
print("seen:     DINOv2, SigLIP and CLIP take 450 px; the vector is the same without the last 2 px:", same)
raise SystemExit(not (refused and all(same)))
PYTHON
