"""Presets that know no words: models of timm, for what looks alike.

Scores are of the very weights, or of what they were distilled into, as their makers or timm published them. Which
tokens make the vector is decided here, for each: see docs/decisions/pooling-of-picture-models.md.
"""

from __future__ import annotations

from typing import Final

from sightline.models.changes import Changes
from sightline.models.presets.preset import Preset

DINO2 = "facebookresearch/dinov2, README.md (Darcet et al., 2023; pictures of 224 px)"
DINO3 = "DINOv3 (Siméoni et al., 2025), table 14: corrected (ReaL) labels, pictures of 512 px"
MAE = "facebookresearch/mae, FINETUNE.md (He et al., 2021)"
TIMM = "huggingface/pytorch-image-models, results/results-imagenet.csv"
# InternVL 1.5 (Chen et al., 2024) measures it inside of a language model.
INTERN = "its makers measured it inside of language models only"
SIGLIP2 = "published with its text tower only"

# In words, as `licence` of a preset. Meta's own: https://ai.meta.com/resources/models-and-libraries/dinov3-license
_DINO3_LICENCE: Final = "DINOv3 licence (Meta's own)"
_NON_COMMERCIAL: Final = "CC-BY-NC-4.0 (no commercial use)"

_DINO2_POOLING: Final = "class token: timm's default, and what its paper classifies and finds pictures by"
_DINO3_POOLING: Final = "class token: what its paper finds pictures by; timm alone would take the mean of the patches"
_MAE_POOLING: Final = "class token: timm's default, and what its makers' linear classifier reads"
_BEIT_POOLING: Final = "mean of the patches, then the norm that was fine-tuned with it: timm's default"
_STAGES_POOLING: Final = "mean of the last stage: there is no class token"
_DEIT_POOLING: Final = "class token: what it was trained to classify by"
_SIGLIP_POOLING: Final = "attention pooling, trained with it: there is no class token"
_INTERN_POOLING: Final = (
    "mean of the patches: language models read its patches and leave its class token out; there is no last norm"
)

PICTURES: Final = (
    Preset(
        name="dinov2-small", model="timm/vit_small_patch14_reg4_dinov2.lvd142m",
        repository="timm/vit_small_patch14_reg4_dinov2.lvd142m",
        purpose="what looks alike, quickly: a good companion of a model with words",
        width=384, side=224, tokens=261, parameters=21.6, gflops=12.5, download=87, licence="Apache-2.0",
        imagenet=80.9, measured="linear", knn=79.1, source=DINO2, changes=Changes(size=224), pooling=_DINO2_POOLING,
    ),
    Preset(
        name="dinov2-base", model="timm/vit_base_patch14_reg4_dinov2.lvd142m",
        repository="timm/vit_base_patch14_reg4_dinov2.lvd142m",
        purpose="better, for four times the work",
        width=768, side=224, tokens=261, parameters=85.7, gflops=47.1, download=343, licence="Apache-2.0",
        imagenet=84.6, measured="linear", knn=82.0, source=DINO2, changes=Changes(size=224), pooling=_DINO2_POOLING,
    ),
    Preset(
        name="dinov2-large", model="timm/vit_large_patch14_reg4_dinov2.lvd142m",
        repository="timm/vit_large_patch14_reg4_dinov2.lvd142m",
        purpose="the best that may be used freely; wants a GPU",
        width=1024, side=224, tokens=261, parameters=303, gflops=165, download=1213, licence="Apache-2.0",
        imagenet=86.7, measured="linear", knn=83.8, source=DINO2, changes=Changes(size=224), pooling=_DINO2_POOLING,
    ),
    Preset(
        name="dinov3-small", model="timm/vit_small_patch16_dinov3.lvd1689m",
        repository="timm/vit_small_patch16_dinov3.lvd1689m",
        purpose="its successor, trained on twelve times the pictures; a licence of its own",
        width=384, side=256, tokens=261, parameters=21.6, gflops=12.5, download=86, licence=_DINO3_LICENCE,
        imagenet=87.0, measured="linear, ReaL", source=DINO3, changes=Changes(pool="token"), pooling=_DINO3_POOLING,
    ),
    Preset(
        name="dinov3-base", model="timm/vit_base_patch16_dinov3.lvd1689m",
        repository="timm/vit_base_patch16_dinov3.lvd1689m",
        purpose="better, for four times the work; a licence of its own",
        width=768, side=256, tokens=261, parameters=85.6, gflops=47.1, download=343, licence=_DINO3_LICENCE,
        imagenet=89.3, measured="linear, ReaL", source=DINO3, changes=Changes(pool="token"), pooling=_DINO3_POOLING,
    ),
    Preset(
        name="dinov3-large", model="timm/vit_large_patch16_dinov3.lvd1689m",
        repository="timm/vit_large_patch16_dinov3.lvd1689m",
        purpose="the best here; wants a GPU; a licence of its own",
        width=1024, side=256, tokens=261, parameters=303, gflops=165, download=1212, licence=_DINO3_LICENCE,
        imagenet=90.2, measured="linear, ReaL", source=DINO3, changes=Changes(pool="token"), pooling=_DINO3_POOLING,
    ),
    Preset(
        name="siglip2-base", model="timm/vit_base_patch16_siglip_256.v2_webli",
        repository="timm/vit_base_patch16_siglip_256.v2_webli",
        purpose="the picture tower of balanced alone; it crops where balanced squeezes, and is another space",
        width=768, side=256, tokens=256, parameters=92.9, gflops=46.8, download=372, licence="Apache-2.0",
        source=SIGLIP2, pooling=_SIGLIP_POOLING,
    ),
    Preset(
        name="eva02-small", model="timm/eva02_small_patch14_336.mim_in22k_ft_in1k",
        repository="timm/eva02_small_patch14_336.mim_in22k_ft_in1k",
        purpose="small, and knows the things of ImageNet well",
        width=384, side=336, tokens=577, parameters=21.7, gflops=30.9, download=89, licence="MIT",
        imagenet=85.8, measured="fine-tuned", source=TIMM, pooling=_BEIT_POOLING,
    ),
    Preset(
        name="eva02-base", model="timm/eva02_base_patch14_448.mim_in22k_ft_in22k_in1k",
        repository="timm/eva02_base_patch14_448.mim_in22k_ft_in22k_in1k",
        purpose="large pictures of 448 px; wants a GPU",
        width=768, side=448, tokens=1025, parameters=86.4, gflops=214, download=348, licence="MIT",
        imagenet=88.7, measured="fine-tuned", source=TIMM, pooling=_BEIT_POOLING,
    ),
    Preset(
        name="beitv2-base", model="timm/beitv2_base_patch16_224.in1k_ft_in22k_in1k",
        repository="timm/beitv2_base_patch16_224.in1k_ft_in22k_in1k",
        purpose="learned to tell 21,841 kinds of things",
        width=768, side=224, tokens=197, parameters=85.8, gflops=35.1, download=346, licence="Apache-2.0",
        imagenet=86.5, measured="fine-tuned", source=TIMM, pooling=_BEIT_POOLING,
    ),
    Preset(
        name="beitv2-large", model="timm/beitv2_large_patch16_224.in1k_ft_in22k_in1k",
        repository="timm/beitv2_large_patch16_224.in1k_ft_in22k_in1k",
        purpose="the same, larger; wants a GPU",
        width=1024, side=224, tokens=197, parameters=303, gflops=123, download=1218, licence="Apache-2.0",
        imagenet=88.4, measured="fine-tuned", source=TIMM, pooling=_BEIT_POOLING,
    ),
    Preset(
        name="swinv2-tiny", model="timm/swinv2_tiny_window16_256.ms_in1k",
        repository="timm/swinv2_tiny_window16_256.ms_in1k",
        purpose="windows of attention, coarser from stage to stage",
        width=768, side=256, tokens=64, parameters=27.6, gflops=13.3, download=113, licence="MIT",
        imagenet=82.8, measured="fine-tuned", source=TIMM, pooling=_STAGES_POOLING,
    ),
    Preset(
        name="swinv2-base", model="timm/swinv2_base_window12to16_192to256.ms_in22k_ft_in1k",
        repository="timm/swinv2_base_window12to16_192to256.ms_in22k_ft_in1k",
        purpose="the same, larger, and learned from 21,841 kinds of things",
        width=1024, side=256, tokens=64, parameters=86.9, gflops=43.9, download=352, licence="MIT",
        imagenet=86.3, measured="fine-tuned", source=TIMM, pooling=_STAGES_POOLING,
    ),
    Preset(
        name="deit3-small", model="timm/deit3_small_patch16_224.fb_in22k_ft_in1k",
        repository="timm/deit3_small_patch16_224.fb_in22k_ft_in1k",
        purpose="a plain transformer trained on labels; the least work here",
        width=384, side=224, tokens=197, parameters=21.7, gflops=9.2, download=88, licence="Apache-2.0",
        imagenet=83.1, measured="fine-tuned", source=TIMM, pooling=_DEIT_POOLING,
    ),
    Preset(
        name="deit3-base", model="timm/deit3_base_patch16_224.fb_in22k_ft_in1k",
        repository="timm/deit3_base_patch16_224.fb_in22k_ft_in1k",
        purpose="the same, larger",
        width=768, side=224, tokens=197, parameters=85.8, gflops=35.1, download=346, licence="Apache-2.0",
        imagenet=85.7, measured="fine-tuned", source=TIMM, pooling=_DEIT_POOLING,
    ),
    Preset(
        name="internvit-300m", model="timm/vit_intern300m_patch14_448.ogvl_dist",
        repository="timm/vit_intern300m_patch14_448.ogvl_dist",
        purpose="InternViT-6B distilled: writing, documents and screens; large pictures of 448 px, wants a GPU",
        width=1024, side=448, tokens=1025, parameters=304, gflops=724, download=1216, licence="MIT",
        source=INTERN, changes=Changes(pool="avg"), pooling=_INTERN_POOLING,
    ),
    Preset(
        name="mae-base", model="timm/vit_base_patch16_224.mae", repository="timm/vit_base_patch16_224.mae",
        purpose="to compare with: made for fine-tuning, its vectors alone find weakly; no commercial use",
        width=768, side=224, tokens=197, parameters=85.8, gflops=35.1, download=343, licence=_NON_COMMERCIAL,
        imagenet=67.8, measured="linear", source=MAE, pooling=_MAE_POOLING,
    ),
    Preset(
        name="mae-large", model="timm/vit_large_patch16_224.mae", repository="timm/vit_large_patch16_224.mae",
        purpose="the same, larger; no commercial use",
        width=1024, side=224, tokens=197, parameters=303, gflops=123, download=1213, licence=_NON_COMMERCIAL,
        imagenet=76.0, measured="linear", source=MAE, pooling=_MAE_POOLING,
    ),
)  # fmt: skip
