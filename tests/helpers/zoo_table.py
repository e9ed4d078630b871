"""The architectures that are compared with their own library: a row each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Architecture:
    """A real architecture of open_clip or timm, cut to few and narrow blocks where it can be.

    Attributes:
        name: of a configuration of open_clip, or of a model of timm.
        changes: to the configuration, section by section (open_clip); arguments of `timm.create_model` (timm).
        about: what is special about it.
        words: the kind of Hugging Face tokenizer that its folder holds; empty for open_clip's own.
        text_model: the kind of Hugging Face text tower; empty where open_clip makes it.
        everyday: whether the everyday suite runs it, not only the nightly one.
    """

    library: Literal["open_clip", "timm"]
    name: str
    about: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""
    text_model: str = ""
    everyday: bool = False


SMALL_TEXT = {"width": 64, "heads": 2, "layers": 1, "context_length": 16}
# Of its own, not the text tower's: CoCa's decoder of captions, which nothing here uses.
SMALL_CAPTIONS = {"width": 64, "heads": 2, "layers": 1, "context_length": 16, "attn_pooler_heads": 2}


def _clip(
    name: str, about: str, vision: Mapping[str, Any], text: Mapping[str, Any] | None = None, *, dim: int = 64,
    words: str = "", text_model: str = "", everyday: bool = False, **rest: Any,
) -> Architecture:  # fmt: skip
    text = {"hf_model_name": text_model} if text_model else {**SMALL_TEXT, **(text or {})}
    changes = {"embed_dim": dim, "vision_cfg": dict(vision), "text_cfg": dict(text), **rest}
    return Architecture("open_clip", name, about, changes, words, text_model, everyday)


def _timm(name: str, about: str, *, everyday: bool = False, **arguments: Any) -> Architecture:
    return Architecture("timm", name, about, arguments, everyday=everyday)


# The vocabularies made here are so small that a text takes many tokens.
WORDY = {"context_length": 40}
CUT = {"layers": 2, "width": 64, "head_width": 32}

RELPOS = {"timm_model_name": "test_vit_relpos", "image_size": 160}
SMALL_SIGLIP = {"timm_model_name": "test_vit3", "image_size": 160}

OPEN_CLIP = (
    _clip("ViT-B-32", "CLIP's own, causal text", CUT, everyday=True),
    _clip("ViT-B-16-quickgelu", "QuickGELU", CUT),
    _clip("ViT-L-14-336", "patches of 14, a larger input", CUT),
    _clip("RN50", "ModifiedResNet with attention pooling", {"layers": [1, 1, 1, 1], "width": 16}, everyday=True),
    _clip("RN101-quickgelu", "ModifiedResNet of uneven stages", {"layers": [1, 1, 2, 1], "width": 16}),
    _clip("ViT-H-14-CLIPA", "mean pooling, BERT's words, last token", CUT, WORDY, words="bert"),
    _clip("ViT-bigG-14-worldwide", "pooling at the end token's number", CUT, WORDY, words="xlm-roberta"),
    _clip("ViT-H-14-worldwide-quickgelu", "MetaCLIP 2: QuickGELU, many languages", CUT, WORDY, words="xlm-roberta"),
    _clip(
        "ViT-L-14-CLIPA", "OpenVision: mean, then the norm; no norm before",
        {**CUT, "no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True}, {**WORDY, "no_causal_mask": True},
        words="bert",
    ),
    _clip(
        "coca_ViT-B-32", "CoCa: attentional pooling, a caption decoder", {**CUT, "attn_pooler_heads": 2},
        multimodal_cfg=SMALL_CAPTIONS, everyday=True,
    ),
    _clip(
        "coca_roberta-ViT-B-32", "CoCa with a Hugging Face text tower", CUT, words="roberta", text_model="roberta",
        multimodal_cfg={**SMALL_CAPTIONS, "width": 32, "context_length": 76},
    ),
    _clip("convnext_base", "ConvNeXt tower", {"timm_model_name": "convnext_zepto_rms"}),
    _clip("convnext_large_d", "ConvNeXt tower, MLP projection", {"timm_model_name": "convnext_atto"}),
    _clip("EVA02-B-16", "EVA-02 tower, its head as projection", {"timm_model_name": "eva02_tiny_patch14_224"}),
    _clip(
        "ViT-B-16-SigLIP", "SigLIP: a bias, pooled by attention", SMALL_SIGLIP,
        WORDY, words="t5", dim=96,
    ),
    _clip(
        "ViT-B-32-SigLIP2-256", "SigLIP 2: canonical text, GELU by tanh", SMALL_SIGLIP,
        WORDY, words="gemma", dim=96, everyday=True,
    ),
    _clip("MobileCLIP2-S0", "FastViT tower, its head as projection, no causal mask", {}),
    _clip("ViTamin-S", "ViTamin tower", {}),
    _clip("PE-Core-T-16-384", "rotary positions, pooled by attention", {}),
    _clip("swin_base_patch4_window7_224", "Swin tower", {"timm_model_name": "swin_tiny_patch4_window7_224"}),
    _clip("vit_relpos_medium_patch16_cls_224", "relative positions", RELPOS),
    _clip(
        "vit_medium_patch16_gap_256", "EfficientNet tower, MLP projection, mean pooling",
        {"timm_model_name": "tf_efficientnet_lite0", "image_size": 224, "timm_pool": "avg", "timm_proj": "mlp"},
    ),
    _clip(
        "convnext_tiny", "ResNet tower with rotary attention pooling",
        {"timm_model_name": "resnet18", "timm_pool": "rot_attn", "timm_proj": "linear"},
    ),
    _clip(
        "xlm-roberta-base-ViT-B-32", "XLM-RoBERTa", CUT, words="xlm-roberta", text_model="xlm-roberta", everyday=True,
    ),
    _clip("roberta-ViT-B-32", "RoBERTa, QuickGELU", CUT, words="roberta", text_model="roberta"),
    _clip("mt5-base-ViT-B-32", "the encoder of mT5", CUT, words="t5", text_model="mt5"),
    _clip("nllb-clip-base", "the encoder of NLLB, first token", CUT, words="nllb", text_model="m2m_100"),
    _clip(
        "nllb-clip-base-siglip", "NLLB beside a tower of SigLIP", SMALL_SIGLIP,
        words="nllb", text_model="m2m_100", dim=96,
    ),
)  # fmt: skip

FOUR = (1, 1, 1, 1)
HEADS = (1, 2, 4, 8)

TIMM = (
    _timm("vit_tiny_patch16_224", "first token", depth=2),
    _timm("vit_small_patch16_224", "made for another size", depth=1, embed_dim=96, num_heads=3, img_size=96),
    _timm("vit_base_patch16_clip_224", "a norm before the blocks", depth=1, embed_dim=96, num_heads=3),
    _timm("vit_base_patch16_siglip_224", "pooled by attention", depth=1, embed_dim=96, num_heads=3, everyday=True),
    _timm("vit_small_patch14_reg4_dinov2", "DINOv2 with registers, 518 px", depth=1, embed_dim=48, num_heads=2),
    _timm("vit_small_patch16_dinov3", "DINOv3: rotary positions", depth=1, embed_dim=96, num_heads=3),
    _timm("deit_tiny_distilled_patch16_224", "two heads", depth=1),
    _timm("deit3_small_patch16_224", "layer scale", depth=1, embed_dim=96, num_heads=3),
    _timm("beit_base_patch16_224", "relative positions, mean pooling", depth=1, embed_dim=96, num_heads=3),
    _timm("beitv2_base_patch16_224", "BEiT v2", depth=1, embed_dim=96, num_heads=3),
    _timm("vit_base_patch16_224", "MAE's encoder", depth=1, embed_dim=96, num_heads=3),
    _timm("vit_intern300m_patch14_448", "no last norm", depth=1, embed_dim=96, num_heads=3),
    _timm("vit_base_patch16_siglip_256", "SigLIP 2's picture tower", depth=1, embed_dim=96, num_heads=3),
    _timm("eva02_tiny_patch14_224", "rotary positions, SwiGLU", depth=1),
    _timm("vit_tiny_r_s16_p8_224", "convolutions before the blocks", depth=1),
    _timm("flexivit_small", "patches of a resizable size", depth=1, embed_dim=96, num_heads=3),
    _timm("naflexvit_base_patch16_gap", "pictures of any sides", depth=1, embed_dim=96, num_heads=3),
    _timm("samvit_base_patch16_224", "windows, a neck of convolutions", depth=1, embed_dim=96, num_heads=3),
    _timm("swin_tiny_patch4_window7_224", "shifted windows", depths=FOUR, embed_dim=24, num_heads=HEADS, everyday=True),
    _timm("swin_s3_tiny_224", "windows of several sizes, another size", depths=FOUR, embed_dim=24, img_size=448),
    _timm("swinv2_tiny_window8_256", "cosine attention", depths=FOUR, embed_dim=24, num_heads=HEADS),
    _timm("swinv2_tiny_window16_256", "larger windows", depths=FOUR, embed_dim=24, num_heads=HEADS),
    _timm("convnext_atto", "norm before the classifier", depths=FOUR, dims=(16, 32, 64, 128)),
    _timm("convnextv2_atto", "response norm", depths=FOUR, dims=(16, 32, 64, 128)),
    _timm("resnet18", "batch norm"),
    _timm("resnet50", "bottlenecks", layers=FOUR),
    _timm("resnext50_32x4d", "grouped convolutions", layers=FOUR),
    _timm("resnetv2_50", "norm before the convolution", layers=FOUR),
    _timm("regnety_002", "squeeze and excitation"),
    _timm("efficientnet_b0", "SiLU, squeeze and excitation"),
    _timm("tf_efficientnet_lite0", "TensorFlow's padding"),
    _timm("tf_efficientnetv2_b0", "fused blocks"),
    _timm("mobilenetv2_035", "a wide last layer"),
    _timm("mobilenetv3_small_050", "a wider head than its features", everyday=True),
    _timm("mobilenetv4_conv_small_035", "a head norm"),
    _timm("fbnetc_100", "another epsilon with trained weights"),
    _timm("lcnet_035", "a wider head than its features"),
    _timm("ghostnet_050", "a wider head than its features"),
    _timm("ghostnetv2_100", "attention beside the ghosts"),
    _timm("ghostnetv3_050", "branches that can be merged"),
    _timm("repghostnet_050", "merged ghosts"),
    _timm("efficientvit_b0", "linear attention, a wider head", everyday=True),
    _timm("efficientvit_m0", "cascaded attention"),
    _timm("efficientformer_l1", "two heads"),
    _timm("efficientformerv2_s0", "two heads, buffers of positions"),
    _timm("levit_128s", "batch norm on rows, two heads"),
    _timm("mobilevit_xxs", "transformer blocks on unfolded patches"),
    _timm("mobilevitv2_050", "separable attention"),
    _timm("mobileone_s0", "branches that can be merged"),
    _timm("repvgg_a0", "branches that can be merged"),
    _timm("repvit_m0_9", "two heads, batch norm in the classifier"),
    _timm("fastvit_t8", "branches that can be merged"),
    _timm("densenet121", "dense connections", block_config=(2, 2, 2, 2)),
    _timm("inception_v3", "299 px, mean and std of 0.5"),
    _timm("inception_v4", "299 px, branches"),
    _timm("legacy_xception", "separable convolutions, 299 px"),
    _timm("xception41", "aligned, 299 px"),
    _timm("test_nfnet", "scaled weights, no norm"),
    _timm("vgg11_bn", "a wider head than its features", mlp_ratio=0.05),
    _timm("cait_xxs24_224", "attention of the class token apart", depth=1),
    _timm("coat_lite_tiny", "several scales"),
    _timm("crossvit_tiny_240", "two branches, resizes within"),
    _timm("convit_tiny", "positions computed when it first runs", depth=2, local_up_to_layer=1),
    _timm("pvt_v2_b0", "attention on shrunk maps"),
    _timm("pit_ti_224", "pooling between the blocks"),
    _timm("poolformer_s12", "pooling in place of attention"),
    _timm("caformer_s18", "an MLP as classifier"),
    _timm("test_maxvit", "windows and grids", everyday=True),
    _timm("coatnet_pico_rw_224", "relative positions as a network"),
    _timm("tiny_vit_5m_224", "windows and convolutions"),
    _timm("hgnetv2_b0", "a wider head than its features"),
    _timm("hrnet_w18_small", "resolutions side by side"),
    _timm("edgenext_xx_small", "cross-covariance"),
    _timm("focalnet_tiny_srf", "focal modulation"),
    _timm("davit_tiny", "attention of channels", depths=FOUR, embed_dims=(24, 48, 96, 192), num_heads=HEADS),
    _timm("hiera_tiny_224", "masked units", stages=FOUR, embed_dim=24),
    _timm("test_mambaout", "gated convolutions, an MLP as classifier"),
    _timm("nextvit_small", "convolutions and attention in turn", depths=(1, 1, 5, 1)),
    _timm("sequencer2d_s", "LSTMs", layers=FOUR),
    _timm("mixer_s32_224", "MLPs over patches"),
    _timm("gmlp_ti16_224", "gated MLPs"),
    _timm("resmlp_12_224", "no norm, scales and shifts"),
    _timm("volo_d1_224", "outlook attention, a token of class"),
    _timm("xcit_nano_12_p16_224", "cross-covariance", depth=1),
    _timm("visformer_tiny", "batch norm in attention"),
    _timm("twins_svt_small", "local and global attention", depths=FOUR, embed_dims=(32, 64, 64, 128)),
    _timm("nest_tiny", "nested blocks"),
    _timm("inception_next_atto", "an MLP as classifier"),
    _timm("rexnet_100", "a wide last layer"),
    _timm("dla46_c", "a convolution as classifier"),
    _timm("dpn48b", "two paths"),
    _timm("starnet_s050", "products of branches"),
    _timm("fasternet_t0", "partial convolutions, a wider head"),
    _timm("swiftformer_xs", "two heads"),
    _timm("gcvit_xxtiny", "global queries"),
    _timm("mvitv2_tiny", "pooled attention"),
    _timm("cs3darknet_focus_s", "space to depth"),
    _timm("selecsls42", "an extra head"),
    _timm("eca_halonext26ts", "halo attention"),
)  # fmt: skip

ARCHITECTURES = (*OPEN_CLIP, *TIMM)

FAMILIES: Mapping[str, tuple[str, str]] = {
    "mobileclip2": ("MobileCLIP2-S0", ""),
    "clip": ("ViT-L-14-336", ""),
    "eva02-clip": ("EVA02-B-16", ""),
    "openvision": ("ViT-L-14-CLIPA", ""),
    "metaclip2": ("ViT-H-14-worldwide-quickgelu", ""),
    "dinov2": ("vit_small_patch14_reg4_dinov2", ";size=112"),
    "dinov3": ("vit_small_patch16_dinov3", ";pool=token"),
    "siglip2": ("vit_base_patch16_siglip_256", ""),
    "eva02": ("eva02_tiny_patch14_224", ""),
    "beitv2": ("beitv2_base_patch16_224", ""),
    "swinv2": ("swinv2_tiny_window16_256", ""),
    "deit3": ("deit3_small_patch16_224", ""),
    "internvit": ("vit_intern300m_patch14_448", ";pool=avg"),
    "mae": ("vit_base_patch16_224", ""),
}
"""A row above for each family of presets, and what is changed of it as its presets do."""
