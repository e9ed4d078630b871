"""Presets that know words: models of open_clip.

Scores are zero-shot recall@1 in percent on COCO (5k test captions to pictures, pictures to captions) and top-1 on
ImageNet-1k, as published; what is not published by those who made or measured these very weights is None.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sightline.models.presets.preset import Preset

SIGLIP2 = "google-research/big_vision, README_siglip2.md"
PERCEPTION = "facebookresearch/perception_models, apps/pe/README.md"
OPEN_CLIP = "mlfoundations/open_clip, docs/openclip_retrieval_results.csv and openclip_results.csv"
MOBILE = "apple/ml-mobileclip, README.md (MobileCLIP2: Faghri et al., 2025)"
OPEN_VISION = "UCSC-VLAA/OpenVision, README.md (Li et al., 2025)"
# Its makers' pages tell scores of benchmarks in other languages only (arXiv 2507.22062).
META_CLIP2 = "facebookresearch/MetaCLIP, README.md tells none on ImageNet or COCO"

# Of "Learning Transferable Visual Models From Natural Language Supervision" (Radford et al., 2021), and of the pages of
# the SigLIP 2 models.
A_PHOTO: Final = ("a photo of a {}",)
THIS_IS: Final = ("this is a photo of {}.",)
DEMO_MODEL: Final = Path(__file__).parent.parent / "demo"
"""Folder of the model that ships with Sightline."""
# What the small model knows: its things, colours and places, as its captions say them.
DEMO_NAMES: Final = (
    "boat", "duck", "fish", "kite", "hot-air balloon", "plane", "bird", "butterfly", "rocket", "car", "bus", "train",
    "bicycle", "house", "castle", "lighthouse", "windmill", "tent", "tree", "flower", "mushroom", "cactus", "cat",
    "umbrella", "chair", "mug", "something red", "something orange", "something yellow", "something green",
    "something blue", "something purple", "something pink", "something brown", "something black", "something white",
    "a meadow", "a beach", "snow", "the sea", "a street", "a sunny day", "sunset", "night", "dawn", "rain",
)  # fmt: skip

EVERYDAY: Final = (
    Preset(
        name="balanced", model="ViT-B-16-SigLIP2-256/webli", repository="timm/ViT-B-16-SigLIP2-256",
        purpose="the default on a GPU: strong and quick, many languages",
        width=768, side=256, tokens=256, parameters=375, gflops=46.8, download=1501, licence="Apache-2.0",
        text_to_image=53.2, image_to_text=69.7, imagenet=79.1, source=SIGLIP2, languages="many", templates=THIS_IS,
    ),
    Preset(
        name="fast", model="ViT-B-32-SigLIP2-256/webli", repository="timm/ViT-B-32-SigLIP2-256",
        purpose="the default on a CPU: a quarter of the work, many languages",
        width=768, side=256, tokens=64, parameters=377, gflops=11.5, download=1507, licence="Apache-2.0",
        text_to_image=47.2, image_to_text=63.7, imagenet=74.0, source=SIGLIP2, languages="many", templates=THIS_IS,
    ),
    Preset(
        name="best", model="ViT-SO400M-16-SigLIP2-384/webli", repository="timm/ViT-SO400M-16-SigLIP2-384",
        purpose="the best multilingual one; wants a GPU",
        width=1152, side=384, tokens=576, parameters=1136, gflops=519, download=4544, licence="Apache-2.0",
        text_to_image=56.0, image_to_text=71.2, imagenet=84.1, source=SIGLIP2, languages="many", templates=THIS_IS,
    ),
    Preset(
        name="english", model="PE-Core-L-14-336/meta", repository="timm/PE-Core-L-14-336",
        purpose="the best for English; wants a GPU",
        width=1024, side=336, tokens=577, parameters=671, gflops=384, download=2684, licence="Apache-2.0",
        text_to_image=57.1, imagenet=83.5, source=PERCEPTION, languages="English", templates=A_PHOTO,
    ),
    Preset(
        name="demo", model="demo", repository="",
        purpose="ships with Sightline, knows the demo pictures only; for trying it out and for tests",
        width=128, side=64, tokens=65, parameters=3.3, gflops=0.1, download=0, licence="Apache-2.0",
        source="sightline/models/demo/README.md", languages="plain English", names=DEMO_NAMES,
    ),
    Preset(
        name="light", model="ViT-B-32/laion2b_s34b_b79k", repository="laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        purpose="the smallest download of a general one",
        width=512, side=224, tokens=50, parameters=151, gflops=8.8, download=605, licence="MIT",
        text_to_image=39.3, image_to_text=56.3, imagenet=66.6, source=OPEN_CLIP, languages="English",
        templates=A_PHOTO,
    ),
)  # fmt: skip
"""Those that are offered first."""

# Apple's "Machine Learning Research Model" terms: for scientific research, no products or services.
_APPLE: Final = "Apple's research licence (no commercial use)"

OTHERS: Final = (
    Preset(
        name="mobileclip2-s0", model="MobileCLIP2-S0/dfndr2b", repository="timm/MobileCLIP2-S0-OpenCLIP",
        purpose="the least work for a picture; for research only",
        width=512, side=256, tokens=64, parameters=74.8, gflops=4.8, download=300, licence=_APPLE,
        imagenet=71.5, source=MOBILE, languages="English", templates=A_PHOTO,
    ),
    Preset(
        name="mobileclip2-s2", model="MobileCLIP2-S2/dfndr2b", repository="timm/MobileCLIP2-S2-OpenCLIP",
        purpose="little work, and better than light; for research only",
        width=512, side=256, tokens=64, parameters=99.2, gflops=15.7, download=397, licence=_APPLE,
        imagenet=77.2, source=MOBILE, languages="English", templates=A_PHOTO,
    ),
    Preset(
        name="mobileclip2-s4", model="MobileCLIP2-S4/dfndr2b", repository="timm/MobileCLIP2-S4-OpenCLIP",
        purpose="the most accurate of these three; for research only",
        width=768, side=256, tokens=16, parameters=445, gflops=55.5, download=1783, licence=_APPLE,
        imagenet=81.9, source=MOBILE, languages="English", templates=A_PHOTO,
    ),
    Preset(
        name="clip-large-336", model="ViT-L-14-336-quickgelu/openai",
        repository="timm/vit_large_patch14_clip_336.openai",
        purpose="OpenAI's CLIP at its largest, to compare with",
        width=768, side=336, tokens=577, parameters=428, gflops=382, download=1712, licence="Apache-2.0",
        text_to_image=37.1, image_to_text=57.9, imagenet=76.6, source=OPEN_CLIP, languages="English",
        templates=A_PHOTO,
    ),
    Preset(
        name="clip-huge", model="ViT-H-14/laion2b_s32b_b79k", repository="laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        purpose="the CLIP of LAION that much was built on",
        width=1024, side=224, tokens=257, parameters=986, gflops=335, download=3944, licence="MIT",
        text_to_image=49.5, image_to_text=65.9, imagenet=78.0, source=OPEN_CLIP, languages="English",
        templates=A_PHOTO,
    ),
    Preset(
        name="eva02-clip-large", model="EVA02-L-14/merged2b_s4b_b131k",
        repository="timm/eva02_large_patch14_clip_224.merged2b_s4b_b131k",
        purpose="strong for its work",
        width=768, side=224, tokens=257, parameters=428, gflops=162, download=1711, licence="MIT",
        text_to_image=47.5, image_to_text=63.7, imagenet=79.8, source=OPEN_CLIP, languages="English",
        templates=A_PHOTO,
    ),
    Preset(
        name="openvision-large", model="hf-hub:UCSC-VLAA/openvision-vit-large-patch14-224",
        repository="UCSC-VLAA/openvision-vit-large-patch14-224",
        purpose="trained in the open; where its makers give a pickle only, convert that first",
        width=768, side=224, tokens=257, parameters=414, gflops=162, download=1656, licence="Apache-2.0",
        imagenet=78.5, source=OPEN_VISION, languages="English", templates=A_PHOTO,
    ),
    Preset(
        name="metaclip2-huge", model="ViT-H-14-worldwide-quickgelu/metaclip2_worldwide",
        repository="timm/vit_huge_patch14_clip_224.metaclip2_worldwide",
        purpose="more than 300 languages; no commercial use",
        width=1024, side=224, tokens=257, parameters=1859, gflops=335, download=7435,
        licence="CC-BY-NC-4.0 (no commercial use)", source=META_CLIP2, languages="many", templates=A_PHOTO,
    ),
)  # fmt: skip
