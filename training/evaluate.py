"""Measures a model on held-out pictures: zero-shot accuracy, search precision, retrieval by caption."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import open_clip
import torch
from open_clip import CLIP
from PIL import Image, ImageOps

from indexer.demo.captions import class_names, full_caption
from indexer.demo.draw import render
from indexer.demo.pictures import write_pictures
from indexer.demo.world import Scene, album
from sightline.models.presets import DEMO_MODEL
from training.feed import shrink, through_jpeg
from training.model_io import MEAN, SIDE, STD

TEMPLATES: Final = ("a photo of {}", "a picture of {}", "{}")
"""Wordings whose vectors are averaged for each class, as in the zero-shot recipe of CLIP (Radford et al., 2021)."""

HELD_OUT_SEED: Final = 77_003
"""The series of scenes that the model card's numbers are measured on; training never draws from it."""

Tokenizer = Callable[[Sequence[str]], torch.Tensor]


@dataclass(frozen=True)
class Scores:
    """Shares from 0 to 1; ``pictures`` is how many they were measured on.

    ``zero_shot``: pictures whose colour and kind is the nearest class of all. ``precision_5``: mean share of
    right pictures among the first five (or as many as there are, if fewer) for colour and thing queries.
    ``recall_5``: full captions that bring up a picture with just these attributes among the first five.
    ``kind``, ``colour``, ``count``, ``ground`` and ``sky`` are zero-shot shares of the single attribute, the first
    two read off the same class.
    """

    pictures: int
    zero_shot: float
    precision_5: float
    recall_5: float
    kind: float
    colour: float
    count: float
    ground: float
    sky: float

    def __str__(self) -> str:
        """Return one line with all of them in percent."""
        names = ("zero_shot", "precision_5", "recall_5", "kind", "colour", "count", "ground", "sky")
        return ", ".join(f"{name} {100 * getattr(self, name):.1f} %" for name in names)


def encode_texts(model: CLIP, tokenizer: Tokenizer, texts: Sequence[str]) -> torch.Tensor:
    """Return unit vectors, float32 (texts, embed_dim)."""
    with torch.inference_mode():
        words = tokenizer(list(texts))
        return torch.cat([model.encode_text(part, normalize=True) for part in torch.split(words, 256)]).float()


def encode_files(model: CLIP, transform: Callable[[Image.Image], torch.Tensor], files: Sequence[Path]) -> torch.Tensor:
    """Return unit vectors, float32 (files, embed_dim), of picture files turned upright as their EXIF says.

    Raises OSError when a file is no readable picture.
    """
    parts: list[torch.Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(files), 64):
            images = []
            for file in files[start : start + 64]:
                with Image.open(file) as opened:
                    images.append(transform(ImageOps.exif_transpose(opened).convert("RGB")))
            parts.append(model.encode_image(torch.stack(images), normalize=True).float())
    return torch.cat(parts)


def class_vectors(encode: Callable[[Sequence[str]], torch.Tensor], phrases: Sequence[str]) -> torch.Tensor:
    """Return one unit vector for each phrase, the mean over ``TEMPLATES``: float32 (phrases, embed_dim)."""
    mean = torch.stack([encode([template.format(phrase) for phrase in phrases]) for template in TEMPLATES]).mean(0)
    return torch.nn.functional.normalize(mean, dim=-1)


def _share(values: Sequence[bool]) -> float:
    return sum(values) / max(1, len(values))


def measure_tensors(
    scenes: Sequence[Scene], images: torch.Tensor, encode: Callable[[Sequence[str]], torch.Tensor]
) -> Scores:
    """Return the scores of unit picture vectors, float32 (scenes, d), against texts encoded by ``encode``."""
    classes = class_names()
    vectors = class_vectors(encode, [phrase for _, _, phrase in classes])
    found = [classes[i][:2] for i in (images @ vectors.T).argmax(1).tolist()]

    precisions: list[float] = []
    queries = encode([phrase for _, _, phrase in classes])
    order = (queries @ images.T).argsort(dim=1, descending=True)[:, :5].tolist()
    for (kind, colour, _), first in zip(classes, order, strict=True):
        right = sum(scene.kind == kind and scene.colour == colour for scene in scenes)
        if right:
            hits = [scenes[i].kind == kind and scenes[i].colour == colour for i in first[: min(5, right)]]
            precisions.append(_share(hits))

    full = [full_caption(scene) for scene in scenes]
    order = (encode(full) @ images.T).argsort(dim=1, descending=True)[:, :5].tolist()
    recalled = [any(full[i] == caption for i in first) for caption, first in zip(full, order, strict=True)]

    def single(values: dict[str | int, str], field: str) -> float:
        names = list(values)
        best = (images @ class_vectors(encode, list(values.values())).T).argmax(1).tolist()
        return _share([getattr(scene, field) == names[i] for scene, i in zip(scenes, best, strict=True)])

    return Scores(
        pictures=len(scenes),
        zero_shot=_share([pair == (s.kind, s.colour) for pair, s in zip(found, scenes, strict=True)]),
        precision_5=sum(precisions) / max(1, len(precisions)),
        recall_5=_share(recalled),
        kind=_share([pair[0] == s.kind for pair, s in zip(found, scenes, strict=True)]),
        colour=_share([pair[1] == s.colour for pair, s in zip(found, scenes, strict=True)]),
        count=single({1: "one thing", 2: "two things", 3: "three things"}, "count"),
        ground=single({"grass": "grass", "sand": "sand", "snow": "snow", "water": "water", "road": "a road"}, "ground"),
        sky=single(
            {"clear": "a sunny day", "sunset": "a sunset", "night": "night", "dawn": "dawn", "rain": "a rainy day"},
            "sky",
        ),
    )


def prepare_held_out(count: int, seed: int) -> tuple[list[Scene], torch.Tensor]:
    """Return scenes and their pictures as the model sees them, float32 (count, 3, side, side).

    The pictures are drawn at 640 x 480 and go through JPEG, like files on disk.
    """
    scenes = album(seed, count)
    pixels = [torch.from_numpy(shrink(through_jpeg(render(scene, 640, 480), 90), SIDE).copy()) for scene in scenes]
    images = torch.stack(pixels).permute(0, 3, 1, 2).float() / 255
    return scenes, (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def load(folder: Path) -> tuple[CLIP, Callable[[Image.Image], torch.Tensor], Tokenizer]:
    """Return model, picture transform and tokenizer of the ``open_clip`` model in ``folder``.

    Raises FileNotFoundError when the folder holds none.
    """
    name = f"local-dir:{folder.resolve()}"
    model, _, transform = open_clip.create_model_and_transforms(name)
    return model.eval(), transform, open_clip.get_tokenizer(name)


def measure(folder: Path, scenes: Sequence[Scene], files: Sequence[Path]) -> Scores:
    """Return the scores of the model in ``folder`` on picture files; ``files[i]`` shows ``scenes[i]``."""
    model, transform, tokenizer = load(folder)
    images = encode_files(model, transform, files)
    return measure_tensors(scenes, images, lambda texts: encode_texts(model, tokenizer, texts))


@click.command()
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=DEMO_MODEL,
    help="Folder of the model; the shipped one unless told otherwise.",
)
@click.option("--count", type=click.IntRange(min=20), default=500, show_default=True, help="Pictures to measure on.")
@click.option("--seed", type=int, default=HELD_OUT_SEED, show_default=True, help="Series of held-out scenes.")
def main(model: Path, count: int, seed: int) -> None:
    """Measure a model on held-out pictures, drawn for the purpose and deleted afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pictures"
        pictures = write_pictures(folder, count, seed, (640, 480))
        try:
            scores = measure(model, [p.scene for p in pictures], [folder / p.path for p in pictures])
        except (OSError, ValueError, RuntimeError) as error:
            click.echo(f"Error: the model in {model} cannot be measured: {error}", err=True)
            sys.exit(2)
    click.echo(f"{scores.pictures} pictures: {scores}")


if __name__ == "__main__":
    main()
