"""What open_clip does not tell of a text tower: how long a text is, and whether it needs its padding."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def causal_text(tower: Any) -> Any:
    """The text tower, if it is causal and pools at the last token, as CLIP's does; else None.

    See Radford et al., 2021, section 2.4. What follows the end of a text then changes nothing.
    """
    from open_clip.model import CLIP
    from open_clip.transformer import TextTransformer

    text = tower if isinstance(tower, CLIP) else getattr(tower, "text", None)
    if not isinstance(text, CLIP | TextTransformer):
        return None
    pool = text.text_pool_type if isinstance(text, CLIP) else text.pool_type
    plain = isinstance(text, CLIP) or (text.cls_emb is None and not text.use_pad_mask)
    return text if pool == "argmax" and plain and text.attn_mask is not None else None


def features_up_to_the_end(text: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Features (n, dim) of token ids (n, context), without the padding that open_clip would compute along.

    The end of a text is its highest token.
    """
    return features_at_the_end(text, tokens[:, : int(tokens.argmax(dim=-1).max()) + 1])


def features_at_the_end(text: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Features (n, dim) of token ids (n, length) with their ends, as open_clip 3.3 computes them."""
    length = tokens.shape[1]
    embedded = text.token_embedding(tokens) + text.positional_embedding[:length]
    read = text.ln_final(text.transformer(embedded, attn_mask=text.attn_mask[:length, :length]))
    ends: torch.Tensor = read[torch.arange(read.shape[0], device=read.device), tokens.argmax(dim=-1)]
    projection = text.text_projection
    if projection is not None:
        ends = projection(ends) if isinstance(projection, nn.Module) else ends @ projection
    return ends


def count_tokens(tokenizer: Any, text: str) -> int:
    """Tokens of a text before any cutting, those that open_clip adds at its ends included."""
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is not None:  # a Hugging Face tokenizer inside open_clip's HFTokenizer
        # Not verbose: it would tell the user of a text that is too long, in its own words.
        return len(inner(tokenizer.clean_fn(text), truncation=False, padding=False, verbose=False)["input_ids"])
    return len(tokenizer.encode(text)) + 2


def embedding_of(tower: Any) -> nn.Embedding | None:
    """What a joint model's text tower has for each token; None where it can't be told."""
    text = getattr(tower, "text", tower)
    table = getattr(text, "token_embedding", None)
    if table is None:  # a text tower of transformers
        find = getattr(getattr(text, "transformer", None), "get_input_embeddings", None)
        table = None if find is None else find()
    return table if isinstance(table, nn.Embedding) else None
