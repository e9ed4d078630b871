"""What a preset tells."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from sightline.models.changes import UNCHANGED, Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A space under a short name.

    Attributes:
        name: what `--space` takes.
        model: an open_clip model and its weights, `model/tag`, a model of timm, or a door such as `local-dir:`.
        purpose: when to choose it, in one line.
        repository: of the hub, that holds it; none where it ships with Sightline.
        width: numbers in a vector.
        side: of the square pictures that it reads, px.
        tokens: that the transformer looks at for one picture: patches, class token and registers. Of a network whose
            grid shrinks from stage to stage, those of the last.
        parameters: millions, of both towers where there are two; without a classifier.
        gflops: for one picture.
        download: megabytes of weights, float32 as published; 0 where they ship with Sightline.
        licence: of the weights, in words where it is no well-known one.
        text_to_image, image_to_text: recall@1 on COCO, percent; None where not published.
        imagenet: top-1, percent; None where not published.
        measured: how that was measured: zero-shot, by a linear classifier, by fine-tuning.
        knn: top-1 on ImageNet by the nearest neighbours of frozen vectors, percent; None where not published.
        source: where the scores were published.
        languages: of the text tower; none where the model knows no words.
        templates: prompts whose vectors are averaged with that of a short text, `{}` for the text; none where that was
            measured to change nothing.
        names: what groups of the map may be called, where the model knows only these words; none for everyday words.
        changes: of the model as its repository has it: the `side`, how tokens become one vector.
        pooling: how tokens become one vector, in words, and why; none where the model has text: its training decided.
    """

    name: str
    model: str
    purpose: str
    repository: str
    width: int
    side: int
    tokens: int
    parameters: float
    gflops: float
    download: int
    licence: str
    text_to_image: float | None = None
    image_to_text: float | None = None
    imagenet: float | None = None
    measured: str = "zero-shot"
    knn: float | None = None
    source: str = ""
    languages: str = ""
    templates: tuple[str, ...] = field(default=())
    names: tuple[str, ...] = field(default=())
    changes: Changes = UNCHANGED
    pooling: str = ""

    def __post_init__(self) -> None:
        if min(self.width, self.side, self.tokens, self.parameters, self.gflops) <= 0 or self.download < 0:
            raise ValueError(f"the facts of space {self.name!r} must be positive")

    @property
    def has_text(self) -> bool:
        """Whether words can be searched with it."""
        return bool(self.languages)

    def facts(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {**asdict(self), "has_text": self.has_text}
