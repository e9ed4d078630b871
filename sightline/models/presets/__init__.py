"""What is known about each embedding space that has a short name: facts, no branches.

Parameters, tokens and GFLOPs (a multiply and an add are two) were counted with open_clip 3.3 and timm 1.0; a test
counts them again.
"""

from __future__ import annotations

from typing import Final

from sightline.models.changes import split
from sightline.models.presets.pictures import PICTURES
from sightline.models.presets.preset import Preset
from sightline.models.presets.text import DEMO_MODEL, EVERYDAY, OTHERS

__all__ = [
    "DEFAULT_ON_CPU", "DEFAULT_ON_GPU", "DEMO", "DEMO_MODEL", "EVERYDAY", "OTHERS", "PICTURES", "PRESETS", "Preset",
    "preset_of", "templates_of",
]  # fmt: skip

PRESETS: Final[dict[str, Preset]] = {preset.name: preset for preset in (*EVERYDAY, *OTHERS, *PICTURES)}

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
