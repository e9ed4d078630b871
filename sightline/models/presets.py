"""What is known about each embedding space: facts, no branches.

Scores are zero-shot recall@1 in percent on COCO (5k test captions to pictures, pictures to captions) and top-1 on
ImageNet-1k, as published; parameters and GFLOPs (a multiply and an add are two) were counted with open_clip 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sightline.models.changes import UNCHANGED, Changes, split

SIGLIP2 = "google-research/big_vision, README_siglip2.md"
PERCEPTION = "facebookresearch/perception_models, apps/pe/README.md"
OPEN_CLIP = "mlfoundations/open_clip, docs/openclip_retrieval_results.csv"
# Of "Learning Transferable Visual Models From Natural Language Supervision" (Radford et al., 2021), and of the pages of
# the SigLIP 2 models.
A_PHOTO: Final = ("a photo of a {}",)
THIS_IS: Final = ("this is a photo of {}.",)
DEMO_MODEL: Final = Path(__file__).parent / "demo"
"""Folder of the model that ships with Sightline."""
# What the small model knows: its things, colours and places, as its captions say them.
DEMO_NAMES: Final = (
    "boat", "duck", "fish", "kite", "hot-air balloon", "plane", "bird", "butterfly", "rocket", "car", "bus", "train",
    "bicycle", "house", "castle", "lighthouse", "windmill", "tent", "tree", "flower", "mushroom", "cactus", "cat",
    "umbrella", "chair", "mug", "something red", "something orange", "something yellow", "something green",
    "something blue", "something purple", "something pink", "something brown", "something black", "something white",
    "a meadow", "a beach", "snow", "the sea", "a street", "a sunny day", "sunset", "night", "dawn", "rain",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preset:
    """A space under a short name.

    Attributes:
        name: what `--space` takes.
        model: an open_clip model and its weights, `model/tag`, or a door such as `local-dir:`.
        purpose: when to choose it, in one line.
        repository: of the hub, that holds it; none where it ships with Sightline.
        width: numbers in a vector.
        tokens: patches the vision transformer looks at, its class token included.
        parameters: millions, both towers.
        gflops: for one picture.
        download: megabytes of weights, float32 as published; 0 where they ship with Sightline.
        licence: of the weights.
        text_to_image, image_to_text: recall@1 on COCO, percent; None where not published.
        imagenet: zero-shot top-1, percent.
        source: where the scores were published.
        languages: of the text tower.
        templates: prompts whose vectors are averaged with that of a short text, `{}` for the text; none where that was
            measured to change nothing.
        names: what groups of the map may be called, where the model knows only these words; none for everyday words.
        changes: of the model as its repository has it.
    """

    name: str
    model: str
    purpose: str
    repository: str
    width: int
    tokens: int
    parameters: float
    gflops: float
    download: int
    licence: str
    text_to_image: float | None
    image_to_text: float | None
    imagenet: float | None
    source: str
    languages: str
    templates: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    changes: Changes = UNCHANGED

    def __post_init__(self) -> None:
        if min(self.width, self.tokens, self.parameters, self.gflops) <= 0 or self.download < 0:
            raise ValueError(f"the facts of space {self.name!r} must be positive")


PRESETS: Final[dict[str, Preset]] = {
    preset.name: preset
    for preset in (
        Preset("balanced", "ViT-B-16-SigLIP2-256/webli", "the default on a GPU: strong and quick, many languages",
               "timm/ViT-B-16-SigLIP2-256",
               768, 256, 375, 46.8, 1501, "Apache-2.0", 53.2, 69.7, 79.1, SIGLIP2, "many", THIS_IS),
        Preset("fast", "ViT-B-32-SigLIP2-256/webli", "the default on a CPU: a quarter of the work, many languages",
               "timm/ViT-B-32-SigLIP2-256",
               768, 64, 377, 11.5, 1507, "Apache-2.0", 47.2, 63.7, 74.0, SIGLIP2, "many", THIS_IS),
        Preset("best", "ViT-SO400M-16-SigLIP2-384/webli", "the best multilingual one; wants a GPU",
               "timm/ViT-SO400M-16-SigLIP2-384",
               1152, 576, 1136, 519, 4544, "Apache-2.0", 56.0, 71.2, 84.1, SIGLIP2, "many", THIS_IS),
        Preset("english", "PE-Core-L-14-336/meta", "the best for English; wants a GPU",
               "timm/PE-Core-L-14-336",
               1024, 577, 671, 384, 2684, "Apache-2.0", 57.1, None, 83.5, PERCEPTION, "English", A_PHOTO),
        Preset("demo", "demo", "ships with Sightline, knows the demo pictures only; for trying it out and for tests",
               "",
               128, 65, 3.3, 0.1, 0, "Apache-2.0", None, None, None, "sightline/models/demo/README.md", "plain English",
               names=DEMO_NAMES),
        Preset("light", "ViT-B-32/laion2b_s34b_b79k", "the smallest download of a general one",
               "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
               512, 50, 151, 8.8, 605, "MIT", 39.3, 56.3, 66.6, OPEN_CLIP, "English", A_PHOTO),
    )
}  # fmt: skip

DEFAULT_ON_GPU: Final = "balanced"
DEFAULT_ON_CPU: Final = "fast"
DEMO: Final = "demo"


def preset_of(model: str) -> Preset | None:
    """The preset with this name or model, whatever is changed of it."""
    model = split(model)[0]
    return next((preset for preset in PRESETS.values() if model in (preset.name, preset.model)), None)


def templates_of(model: str, name: str = "") -> tuple[str, ...]:
    """The prompts for short texts in a space, by its model or its name; none where neither is a preset's.

    The name stays a preset's where the space is found in a folder with a copy of the preset's model.
    """
    preset = preset_of(model) or preset_of(name)
    return () if preset is None else preset.templates
