"""Write the tables of presets in docs/models.md from the code: python docs/make_models.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from sightline.models.presets import DEFAULT_ON_CPU, DEFAULT_ON_GPU, EVERYDAY, OTHERS, PICTURES, Preset

TARGET = Path(__file__).parent / "models.md"
_DEFAULTS = {DEFAULT_ON_CPU: " (default on a CPU)", DEFAULT_ON_GPU: " (default on a GPU)"}
_NONE = "\N{EN DASH}"
_ORDER = (DEFAULT_ON_CPU, DEFAULT_ON_GPU, "best", "english", "light", "demo")
_WORDS_HEAD = (
    "`--space`", "model (open_clip)", "width", "px", "tokens", "parameters", "GFLOPs", "download", "COCO t→i / i→t",
    "ImageNet", "languages", "licence",
)  # fmt: skip
_PICTURES_HEAD = (
    "`--space`", "model (timm)", "width", "px", "tokens", "parameters", "GFLOPs", "download", "k-NN", "ImageNet",
    "licence",
)  # fmt: skip


def _shown(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1f}"


def _download(preset: Preset) -> str:
    if not preset.download:
        return "none"
    return f"{preset.download / 1000:.1f} GB" if preset.download >= 500 else f"{preset.download} MB"


def _facts(preset: Preset) -> list[str]:
    model = "ships with Sightline, knows its demo pictures only" if not preset.repository else preset.model
    name = f"`{preset.name}`{_DEFAULTS.get(preset.name, '')}"
    return [
        name, model.removeprefix("timm/").removeprefix("hf-hub:"), str(preset.width), str(preset.side),
        str(preset.tokens), f"{preset.parameters:g} M", f"{preset.gflops:g}", _download(preset),
    ]  # fmt: skip


def _words(preset: Preset) -> list[str]:
    both = (preset.text_to_image, preset.image_to_text)
    coco = _NONE if both == (None, None) else " / ".join(map(_shown, both))
    return [*_facts(preset), coco, _shown(preset.imagenet), preset.languages, preset.licence]


def _pictures(preset: Preset) -> list[str]:
    imagenet = _NONE if preset.imagenet is None else f"{_shown(preset.imagenet)} {preset.measured}"
    return [*_facts(preset), _shown(preset.knn), imagenet, preset.licence]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _grouped(presets: Sequence[Preset], field: str) -> str:
    """A list of what presets have in common in a field, once, after their names."""
    values = dict.fromkeys(getattr(preset, field) for preset in presets)
    return "\n".join(
        f"- {', '.join(f'`{preset.name}`' for preset in presets if getattr(preset, field) == value)}: {value}."
        for value in values
    )


def parts() -> dict[str, str]:
    """What is between each pair of markers."""
    everyday = sorted(EVERYDAY, key=lambda preset: _ORDER.index(preset.name))
    words = (*everyday, *OTHERS)
    return {
        "everyday": _table(_WORDS_HEAD, [_words(preset) for preset in everyday]),
        "others": _table(_WORDS_HEAD, [_words(preset) for preset in OTHERS]),
        "pictures": _table(_PICTURES_HEAD, [_pictures(preset) for preset in PICTURES]),
        "purposes": "\n".join(f"- `{preset.name}`: {preset.purpose}." for preset in (*OTHERS, *PICTURES)),
        "pooling": _grouped(PICTURES, "pooling"),
        "sources": _grouped([preset for preset in (*words, *PICTURES) if preset.repository], "source"),
    }


def text(page: str) -> str:
    """The page with its tables written anew."""
    for name, part in parts().items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        page = re.sub(f"{begin}.*?{end}", lambda _, new=f"{begin}\n{part}\n{end}": new, page, flags=re.DOTALL)  # type: ignore[misc]
    return page


if __name__ == "__main__":
    TARGET.write_text(text(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
