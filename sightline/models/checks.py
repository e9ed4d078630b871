"""Whether a model keeps what its space promises: tried once, before hours of work on a new space."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from sightline.models.encoder import Encoder
from sightline.models.interface import TextTooLongError
from sightline.models.resolve import Model
from sightline.models.text_tower import embedding_of
from store.arrays import Floats
from store.errors import SpaceError

# Of any language and length: a small vocabulary reads most of them as the same unknown word.
_TEXTS: Final = ("a", "two red boats", "A photo of a cat", "0 1 2 3", "ein Hund", "日本")
_SAME: Final = 1e-6
# T5's tokenizers have these beyond the embedding's rows, and no text is read as one.
_SENTINEL: Final = re.compile(r"<extra_id_\d+>")
# An embedding may have more rows than there are tokens, to a round number; never twice as many.
_PADDED: Final = 2


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of a model that keeps its promises.

    Attributes:
        dim: numbers in a vector, of pictures and of texts.
    """

    dim: int


# By fingerprint: what a model holds decides all.
_passed: Final[dict[str, Checked]] = {}


def check(model: Model, keep: Callable[[Encoder], None] | None = None) -> Checked:
    """Load a model whole, in float32 on the CPU, and encode some pictures and texts; once in a process.

    Args:
        model: the model.
        keep: is given what was loaded, if anything was and it is of use; else it is closed.

    Raises:
        SpaceError: it can't be loaded, its tokenizer belongs to another network, or its vectors are of no use.
    """
    if model.fingerprint not in _passed:
        _passed[model.fingerprint] = _check(model, keep)
    return _passed[model.fingerprint]


def _check(model: Model, keep: Callable[[Encoder], None] | None) -> Checked:
    encoder = Encoder(model, device="cpu", precision="fp32")
    is_kept = False
    try:
        pictures = _tried(model, "pictures", lambda: encoder.encode_images(_pictures(model.preprocess.size)))
        _judge(model, "pictures", pictures)
        if model.has_text:
            _check_vocabulary(model, encoder)
            texts = _tried(model, "texts", lambda: _encode_texts(encoder))
            _judge(model, "texts", texts)
            if texts.shape[1] != pictures.shape[1]:
                raise SpaceError(
                    f"The model in {model.folder} can't be used: its vectors have {pictures.shape[1]} numbers for a "
                    f"picture and {texts.shape[1]} for a text. Its configuration is not that of its weights."
                )
        if keep is not None:
            keep(encoder)
            is_kept = True
        return Checked(pictures.shape[1])
    finally:
        if not is_kept:
            encoder.close()


def _tried(model: Model, kind: str, encode: Callable[[], Floats]) -> Floats:
    try:
        return encode()
    except SpaceError:
        raise
    except Exception as error:  # whatever a network raises that its configuration does not fit
        said = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise SpaceError(
            f"The model in {model.folder} can't be used: it fails on {kind} ({said[:200]}). Its configuration, "
            "tokenizer and weights do not belong together; copy or download the model again."
        ) from error


def _judge(model: Model, kind: str, vectors: Floats) -> None:
    """Refuse vectors that are not finite, of no length, or the same for everything."""
    why = ""
    if vectors.ndim != 2:
        raise SpaceError(
            f"The model in {model.folder} can't be used: its network does not pool, so it gives many vectors for one "
            f"of its {kind}. Choose another model, or save this one with pooling (timm: 'global_pool' in 'model_args')."
        )
    if not np.isfinite(vectors).all():
        why = f"its vectors of {kind} are not finite numbers"
    elif not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        why = f"its vectors of {kind} are all zero"
    elif len(vectors) > 1 and np.ptp(vectors, axis=0).max() < _SAME:
        why = f"it gives all {kind} the same vector"
    if why:
        raise SpaceError(
            f"The model in {model.folder} can't be used: {why}. Its weights are damaged or were never trained; copy or "
            "download the model again."
        )


def _pictures(size: tuple[int, int]) -> torch.Tensor:
    """A plain one, a slope and seeded noise: uint8 (3, 3, *size)."""
    height, width = size
    plain = torch.full((3, height, width), 90, dtype=torch.uint8)
    slope = torch.linspace(0, 255, width).to(torch.uint8).expand(3, height, width)
    noise = torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return torch.stack([plain, slope, noise])


def _encode_texts(encoder: Encoder) -> Floats:
    parts = []
    for text in _TEXTS:
        try:
            parts.append(encoder.encode_texts([text]))
        except TextTooLongError:  # a network that reads few tokens
            continue
    if not parts:
        raise SpaceError(
            f"The model in {encoder.model.folder} can't be used: it reads no text, not even {_TEXTS[0]!r}."
        )
    return np.concatenate(parts)


def _check_vocabulary(model: Model, encoder: Encoder) -> None:
    """Compare the tokens that a tokenizer knows with the rows of the network's embedding."""
    tokenizer: Any = encoder.tokenizer
    embedding = embedding_of(encoder.module)
    if embedding is None:
        return
    rows = embedding.num_embeddings
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is None:  # open_clip's own: one fixed vocabulary
        known = int(getattr(tokenizer, "vocab_size", rows))
        fits = known == rows
    else:
        added = set(getattr(inner, "added_tokens_decoder", {}))
        plain = [(word, row) for word, row in inner.get_vocab().items() if not _SENTINEL.fullmatch(word)]
        known = 1 + max((row for _, row in plain if row not in added), default=-1)
        # transformers makes an empty tokenizer where it finds no vocabulary, and reads every word as unknown then. The
        # language codes of NLLB are added tokens that have rows: no word is missing there.
        for_words = rows - sum(known <= row < rows for _, row in plain if row in added)
        fits = for_words < known * _PADDED and known <= rows
    if not fits:
        kind = "open_clip's own tokenizer" if inner is None else "the tokenizer in its folder"
        raise SpaceError(
            f"The model in {model.folder} can't be used: {kind} knows {known} tokens, and the text tower has {rows}. "
            "Its vocabulary is missing or that of another model; copy or download the model whole, with the "
            "files of its tokenizer."
        )
