"""Trains the small model from scratch: ``python -m training.train``; an hour on two CPU cores.

Every picture is drawn for the purpose and used a handful of times. Because scenes are structured, it is known
which captions are true of which pictures, and the loss uses all of it: for each caption every picture in the
batch that it is true of counts as a match, and for each picture every caption that is true of it.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import click
import numpy as np
import torch
from open_clip import CLIP
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from indexer.demo.captions import AXES, Claim, any_caption, scene_code
from indexer.demo.world import COLOURS, KIND_NAMES, Scene
from training.evaluate import Scores, encode_texts, measure_tensors, prepare_held_out
from training.feed import Feed
from training.model_io import CONTEXT, MEAN, MODEL_CONFIG, SIDE, STD, new_model, read_weights, write_model

PROGRESS_SEED = 900_001
"""The series of scenes that the progress report is measured on; training and the model card use others."""


@dataclass
class Plan:
    """How to train. ``minutes`` of wall clock or ``steps`` end it; the schedule follows the nearer one.

    ``peak`` is the highest learning rate, ``pool`` how many pictures are kept, ``per_picture`` the captions
    drawn for each picture in a batch, ``report`` and ``save`` the seconds between reports and saved models.
    """

    out: Path
    steps: int = 100_000
    minutes: float = 57.0
    batch: int = 128
    seed: int = 1
    peak: float = 2e-3
    pool: int = 24_576
    per_picture: int = 1
    report: float = 120.0
    save: float = 240.0
    held_out: int = 400
    start: Path | None = None


def rate_at(progress: float, peak: float) -> float:
    """Return the learning rate at ``progress`` (0 to 1): linear warm-up for 4 %, then half-cosine decay.

    The one-cycle schedule of Smith and Topin, "Super-Convergence" (2018), without its momentum part.
    """
    if progress < 0.04:
        return peak * (0.05 + 0.95 * progress / 0.04)
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - 0.04) / 0.96))) + 1e-6


def truth_table(claims: Sequence[Claim], scenes: Sequence[Scene]) -> torch.Tensor:
    """Return float32 (claims, scenes): 1 where the claim is true of the scene, else 0."""
    codes = torch.tensor([scene_code(scene) for scene in scenes])
    table = torch.ones(len(claims), len(scenes))
    for axis, (field, values) in enumerate(AXES):
        rows: dict[frozenset[str] | frozenset[int] | None, int] = {}
        which = [rows.setdefault(getattr(claim, field), len(rows)) for claim in claims]
        allowed = torch.tensor([[float(said is None or value in said) for value in values] for said in rows])
        table *= allowed[:, codes[:, axis]][torch.tensor(which)]
    return table


def matching_loss(texts: torch.Tensor, images: torch.Tensor, scale: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the soft cross-entropy between captions and pictures, both ways.

    ``texts`` (c, d) and ``images`` (p, d) are unit vectors, ``truth`` (c, p) holds 1 for each true pair and has
    no empty row or column. This is the contrastive loss of CLIP (Radford et al., 2021) with the target spread
    evenly over all true pairs instead of the diagonal, as in supervised contrastive learning (Khosla et al., 2020).
    """
    logits = scale * texts @ images.T
    by_text = functional.cross_entropy(logits, truth / truth.sum(1, keepdim=True))
    by_image = functional.cross_entropy(logits.T, truth.T / truth.T.sum(1, keepdim=True))
    return (by_text + by_image) / 2


class SideTask(nn.Module):
    """A linear classifier of the five attributes from unit vectors of both kinds; not kept in the model.

    Naming the thing outright teaches its shape much sooner than matching captions alone, and one classifier for
    both sides pulls their vectors together.
    """

    def __init__(self, width: int) -> None:
        """Make a classifier of vectors with ``width`` numbers."""
        super().__init__()
        self._sizes = [len(values) for _, values in AXES]
        self.read = nn.Linear(width, sum(self._sizes))

    def forward(self, vectors: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the summed cross-entropy; ``vectors`` (n, width) are unit, ``codes`` (n, 5) -100 for unsaid."""
        # Unit vectors of many numbers are short in each; ten times longer they can be as sure as they need.
        parts = torch.split(self.read(10 * vectors), self._sizes, dim=1)
        total = vectors.new_zeros(())
        for axis, logits in enumerate(parts):
            if bool((codes[:, axis] >= 0).any()):
                total = total + functional.cross_entropy(logits, codes[:, axis])
        return total


def claim_codes(claims: Sequence[Claim]) -> torch.Tensor:
    """Return int64 (claims, 5): the index of each attribute's value in ``AXES``, -100 for none or several."""
    rows = []
    for claim in claims:
        row = []
        for field, values in AXES:
            said = getattr(claim, field)
            row.append(values.index(next(iter(said))) if said is not None and len(said) == 1 else -100)
        rows.append(row)
    return torch.tensor(rows)


def pick(feed: Feed, batch: int, rng: Random, dice: np.random.Generator) -> list[int]:
    """Return the places in the pool of one batch of pictures.

    Two batches in five are drawn from a few kinds and colours only: there the captions differ in number, ground
    and sky rather than in the thing, which a batch over all pairs rarely asks about.
    """
    if rng.random() < 0.6:
        return [int(i) for i in dice.choice(feed.filled, batch, replace=feed.filled < batch)]
    kinds, colours = set(rng.sample(KIND_NAMES, 8)), set(rng.sample(COLOURS, 5))
    wanted = [i for i in range(feed.filled) if feed.scenes[i].kind in kinds and feed.scenes[i].colour in colours]
    return rng.choices(wanted, k=batch) if len(wanted) < batch else rng.sample(wanted, batch)


def to_batch(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], generator: torch.Generator) -> torch.Tensor:
    """Return float32 (n, 3, side, side) from uint8 (n, side, side, 3): normalised, lightly disturbed.

    Shifts of up to 3 pixels, brightness and contrast within 8 %, a little noise; nothing that touches hue,
    number or left and right.
    """
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
    padded = functional.pad(images, (3, 3, 3, 3), mode="replicate")
    side, parts = images.shape[-1], []
    for part in torch.split(padded, 16):
        dx, dy = torch.randint(0, 7, (2,), generator=generator).tolist()
        parts.append(part[:, :, dy : dy + side, dx : dx + side])
    images = torch.cat(parts)
    n = len(images)
    gain = 1 + 0.08 * (2 * torch.rand(n, 1, 1, 1, generator=generator) - 1)
    lift = 0.04 * (2 * torch.rand(n, 1, 1, 1, generator=generator) - 1)
    noise = 0.015 * torch.randn(images.shape, generator=generator)
    images = (images * gain + lift + noise).clamp_(0, 1)
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (images - mean) / std


class Tokens:
    """The tokenizer with a memory, since captions come back often."""

    def __init__(self) -> None:
        """Make an empty memory over CLIP's own vocabulary."""
        self._tokenizer = SimpleTokenizer(context_length=CONTEXT)
        self._known: dict[str, torch.Tensor] = {}

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """Return int64 (texts, context)."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._tokenizer(new), strict=True))
        return torch.stack([self._known[text] for text in texts])


def short_text(model: CLIP, words: torch.Tensor) -> torch.Tensor:
    """Return ``model.encode_text(words)``, worked out on the used part of the context only.

    Later tokens cannot look ahead to the padding (the mask is causal), so the result is the same, in half the time.
    """
    ends = words.argmax(dim=-1)
    used = int(ends.max()) + 1
    x = model.token_embedding(words[:, :used]) + model.positional_embedding[:used]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:used, :used]))
    vectors: torch.Tensor = x[torch.arange(len(words)), ends] @ model.text_projection
    return vectors


def _optimizer(model: CLIP, side_task: SideTask, peak: float) -> torch.optim.AdamW:
    decay = [p for name, p in model.named_parameters() if p.ndim >= 2 and "embedding" not in name]
    decay.append(side_task.read.weight)
    plain = [p for name, p in model.named_parameters() if p.ndim < 2 or "embedding" in name]
    plain.append(side_task.read.bias)
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98), eps=1e-6, fused=True)


def train(plan: Plan) -> tuple[Scores, list[float]]:
    """Train by ``plan``, write the averaged model to ``plan.out``; return its scores and each step's loss.

    Besides the model, ``plan.out`` gets ``last.safetensors``, the weights before averaging, from which ``start``
    can go on. Raises ValueError for a batch under 2, OSError when the folder cannot be written.
    """
    if plan.batch < 2:
        raise ValueError(f"the batch size is {plan.batch}; it must be 2 or more")
    plan.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    rng, dice = Random(plan.seed), np.random.default_rng(plan.seed)
    generator = torch.Generator().manual_seed(plan.seed)
    model, tokens = new_model(), Tokens()
    if plan.start:
        model.load_state_dict(read_weights(plan.start))
    average = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    averaged = new_model().eval()
    side_task = SideTask(MODEL_CONFIG["embed_dim"])
    optimizer = _optimizer(model, side_task, plan.peak)
    held_scenes, held_images = prepare_held_out(plan.held_out, PROGRESS_SEED)
    losses: list[float] = []

    def finish() -> Scores:
        averaged.load_state_dict(average)
        write_model(plan.out, average)
        save_file({n: t.detach().contiguous() for n, t in model.state_dict().items()}, plan.out / "last.safetensors")
        with torch.inference_mode():
            vectors = torch.cat([averaged.encode_image(part, normalize=True) for part in torch.split(held_images, 100)])
        return measure_tensors(held_scenes, vectors, lambda texts: encode_texts(averaged, tokens, texts))

    with Feed(plan.pool, plan.seed + 1_000, SIDE) as feed:
        feed.fill(min(plan.pool, max(plan.batch, 4_096 if plan.steps > 100 else plan.batch)))
        began = reported = saved = time.monotonic()
        for step in range(plan.steps):
            now = time.monotonic()
            progress = max(step / plan.steps, (now - began) / 60 / plan.minutes)
            if progress >= 1:
                break
            if step % 2 == 0:
                feed.top_up()
            for group in optimizer.param_groups:
                group["lr"] = rate_at(progress, plan.peak)
            places = pick(feed, plan.batch, rng, dice)
            scenes = [feed.scenes[place] for place in places]
            said = [any_caption(scene, rng) for _ in range(plan.per_picture) for scene in scenes]
            truth = truth_table([claim for _, claim in said], scenes)
            words, images = tokens([text for text, _ in said]), to_batch(feed.pixels[places], generator)
            model.train()
            with torch.autocast("cpu", torch.bfloat16):
                image_vectors, text_vectors = model.encode_image(images), short_text(model, words)
            texts = functional.normalize(text_vectors.float(), dim=-1)
            pictures = functional.normalize(image_vectors.float(), dim=-1)
            loss = matching_loss(texts, pictures, model.logit_scale.exp(), truth)
            codes = torch.tensor([scene_code(scene) for scene in scenes])
            side = side_task(pictures, codes) + side_task(texts, claim_codes([claim for _, claim in said]))
            optimizer.zero_grad()
            torch.autograd.backward(loss + 0.3 * side)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            with torch.no_grad():
                # CLIP bounds its scale at 100; half of that is ample for so few distinct scenes.
                model.logit_scale.clamp_(0, math.log(50))
                keep = min(0.997, (1 + step) / (10 + step))
                for name, tensor in model.state_dict().items():
                    average[name].lerp_(tensor, 1 - keep)
            losses.append(loss.item())
            now = time.monotonic()
            if now - saved > plan.save:
                saved = reported = now
                scores = finish()
                _say(step, now - began, losses, feed, f"{scores}")
            elif now - reported > plan.report or step in (9, 49):
                reported = now
                _say(step, now - began, losses, feed, "")
        scores = finish()
        _say(len(losses), time.monotonic() - began, losses, feed, f"{scores}")
    return scores, losses


def _say(step: int, seconds: float, losses: list[float], feed: Feed, more: str) -> None:
    recent = sum(losses[-50:]) / max(1, len(losses[-50:]))
    click.echo(f"step {step}, {seconds / 60:.1f} min, loss {recent:.3f}, {feed.drawn} pictures drawn {more}", err=True)


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo-model"),
    show_default=True,
    help="Folder for the model.",
)
@click.option("--steps", type=click.IntRange(min=1), default=100_000, show_default=True, help="Stop after this many.")
@click.option("--batch", type=click.IntRange(min=2), default=128, show_default=True, help="Pictures in a step.")
@click.option(
    "--minutes", type=click.FloatRange(min=0.01), default=57.0, show_default=True, help="Stop after this much time."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of weights, pictures and captions.")
@click.option(
    "--peak", type=click.FloatRange(min=1e-6, max=0.1), default=2e-3, show_default=True, help="Highest learning rate."
)
@click.option(
    "--start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="Go on from these weights (safetensors).",
)
def main(out: Path, steps: int, batch: int, minutes: float, seed: int, peak: float, start: Path | None) -> None:
    """Train the small model and write it to a folder."""
    torch.set_num_threads(2)
    try:
        train(Plan(out=out, steps=steps, batch=batch, minutes=minutes, seed=seed, peak=peak, start=start))
    except (OSError, ValueError, RuntimeError) as error:
        click.echo(f"Error: training stopped: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
