"""The values that attention reads, recorded while a network runs.

Attention adds up the values of its tokens. So the gradient of a score by a token's value, times that value, is what the
token gave the score through that layer: the gradient holds how much attention every other token paid to it, and how
much what it took from there counted. This is the product that Grad-ECLIP (Zhao et al., "Gradient-based Visual
Explanation for Transformer-based CLIP", ICML 2024) takes of the last layer's class token, for any way of pooling, and
summed over layers as LeGrad does (Bousselham et al., 2024).

A mode of torch sees the calls of its attention functions in this thread. No module gets a hook, and what other threads
compute with the same network is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

# How the value is called by torch's two attention functions, and its place among their arguments.
_VALUE: Final = "value"
_PLACE: Final = 2


class AttentionValues(TorchFunctionMode):
    """Records the values of every attention over one picture's tokens after the first few.

    Attributes:
        values: of each layer, in order, with a gradient: (1, heads, tokens, any) or (tokens, 1, any).
    """

    def __init__(self, skip: int = 0) -> None:
        """Let the first `skip` attentions pass: without what they computed, the gradients take less memory."""
        super().__init__()
        self.values: list[torch.Tensor] = []
        self._skip = skip

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """Run a function of torch; of an attention, with values that are recorded."""
        named = dict(kwargs or {})
        # nn.MultiheadAttention calls the second, which projects the values itself.
        if func is functional.scaled_dot_product_attention or func is functional.multi_head_attention_forward:
            if self._skip:
                self._skip -= 1
            else:
                value = named[_VALUE] if _VALUE in named else args[_PLACE]
                # Apart from the same tensor as query and key: only what is read counts, not where attention goes.
                value = value.clone() if value.requires_grad else value.detach().requires_grad_()
                self.values.append(value)
                if _VALUE in named:
                    named[_VALUE] = value
                else:
                    args = (*args[:_PLACE], value, *args[_PLACE + 1 :])
        return func(*args, **named)

    def shares(self, score: torch.Tensor, tokens: int) -> list[torch.Tensor]:
        """What each token gave a score, float32 (tokens,), for each layer whose attention read so many tokens."""
        read = [value for value in self.values if _tokens(value) == tokens]
        if not read:
            return []
        gradients = torch.autograd.grad(score, read, allow_unused=True)
        return [
            _by_token(gradient * value).detach()
            for gradient, value in zip(gradients, read, strict=True)
            if gradient is not None
        ]


def _tokens(value: torch.Tensor) -> int:
    """How many tokens of one picture an attention read; 0 where it read anything else."""
    if value.ndim == 4 and value.shape[0] == 1:
        return value.shape[2]
    return value.shape[0] if value.ndim == 3 and value.shape[1] == 1 else 0


def _by_token(product: torch.Tensor) -> torch.Tensor:
    return product.sum((0, 1, 3)) if product.ndim == 4 else product.sum((1, 2))
