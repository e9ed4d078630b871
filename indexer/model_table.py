"""The models that have a short name, as tables: those that know words, and those for pictures only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from sightline.models.presets import EVERYDAY, OTHERS, PICTURES, Preset

_Cell = Callable[[Preset], str]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _imagenet(preset: Preset) -> str:
    return "-" if preset.imagenet is None else f"{preset.imagenet:g} {preset.measured}"


_SHARED: Final[Mapping[str, _Cell]] = {
    "model": lambda preset: preset.name,
    "width": lambda preset: str(preset.width),
    "px": lambda preset: str(preset.side),
    "tokens": lambda preset: str(preset.tokens),
    "M params": lambda preset: f"{preset.parameters:g}",
    "GFLOPs": lambda preset: f"{preset.gflops:g}",
    "download": lambda preset: f"{preset.download} MB" if preset.download else "none",
    "licence": lambda preset: preset.licence,
}
_WORDS: Final[Mapping[str, _Cell]] = {
    **_SHARED,
    "COCO": lambda preset: f"{_shown(preset.text_to_image)} / {_shown(preset.image_to_text)}",
    "ImageNet": lambda preset: _shown(preset.imagenet),
    "languages": lambda preset: preset.languages,
}
_PICTURES: Final[Mapping[str, _Cell]] = {
    **_SHARED,
    "k-NN": lambda preset: _shown(preset.knn),
    "ImageNet": _imagenet,
}


def chosen(*, every: bool) -> tuple[Preset, ...]:
    """The presets to tell of: those that are offered first, or every one."""
    return (*EVERYDAY, *OTHERS, *PICTURES) if every else EVERYDAY


def table_lines(*, every: bool) -> Iterator[str]:
    """Yield the lines of the tables, and what their columns mean."""
    words = (*EVERYDAY, *OTHERS) if every else EVERYDAY
    if every:
        yield "Models that know words\n"
    yield from _rows(words, _WORDS)
    yield ""
    yield from _purposes(words)
    yield "\nCOCO: recall@1 of texts to pictures and back, ImageNet: zero-shot top-1, in percent. Published by"
    yield from _grouped(words, lambda preset: preset.source)
    if not every:
        yield (
            f"\n{len(OTHERS)} more know words, and {len(PICTURES)} are for pictures only: say --all. Any other model "
            "of open_clip or timm works too."
        )
        return
    yield "\nModels for pictures only: similar pictures, duplicates and the map; they know no words\n"
    yield from _rows(PICTURES, _PICTURES)
    yield ""
    yield from _purposes(PICTURES)
    yield "\nHow tokens become one vector"
    yield from _grouped(PICTURES, lambda preset: preset.pooling)
    yield "\nTop-1 on ImageNet in percent: k-NN by the nearest of frozen vectors; linear by a linear classifier on them"
    yield "(ReaL: with corrected labels); fine-tuned by the network with its own classifier. Published by"
    yield from _grouped(PICTURES, lambda preset: preset.source)


def _purposes(presets: Sequence[Preset]) -> Iterator[str]:
    yield from (f"  {preset.name}: {preset.purpose}. {preset.model}" for preset in presets)


def _grouped(presets: Sequence[Preset], by: _Cell) -> Iterator[str]:
    """Yield what presets have in common, once, before their names."""
    for common in dict.fromkeys(map(by, presets)):
        yield f"  {', '.join(preset.name for preset in presets if by(preset) == common)}: {common}"


def _rows(presets: Sequence[Preset], columns: Mapping[str, _Cell]) -> Iterator[str]:
    rows = [tuple(columns), *(tuple(cell(preset) for cell in columns.values()) for preset in presets)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
