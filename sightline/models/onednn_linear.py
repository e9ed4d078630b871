"""Layers whose weights are laid out for oneDNN's matrix product once, when a model is loaded.

torch hands float32 products to MKL, which is at half its speed on processors that are not Intel's, and reorders
bfloat16 weights for oneDNN in every call. These are the operators that torch's own compiler puts in the place of
`nn.Linear` (torch/_inductor/fx_passes/mkldnn_fusion.py): they are not part of torch's public interface, so who uses
them checks what comes out (`sightline.models.cpu_backends`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class PackedLinear(nn.Linear):
    """`nn.Linear` with its weight packed: same shapes and types. A subclass, as open_clip checks for one."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        """Pack `weight` (out, in) and `bias` (out,), float32 or bfloat16.

        Raises:
            RuntimeError: the processor can't compute in this type.
            AttributeError: this build of torch has no oneDNN.
        """
        nn.Module.__init__(self)  # nn.Linear's own would make weights
        self.out_features, self.in_features = weight.shape
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)
        # Under its usual name: open_clip asks a layer's weight for its type.
        self.register_buffer("weight", packed, persistent=False)
        self.register_buffer("bias", None if bias is None else bias.detach(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return made


class PackedAttention(nn.Module):
    """Self-attention of a batch-first `nn.MultiheadAttention`, which reads weights past their layers."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        assert attention.in_proj_weight is not None
        self.heads = attention.num_heads
        self.qkv = PackedLinear(attention.in_proj_weight, attention.in_proj_bias)
        self.out = PackedLinear(attention.out_proj.weight, attention.out_proj.bias)

    def forward(
        self, x: torch.Tensor, *_same: torch.Tensor, attn_mask: torch.Tensor | None = None, **_unused: Any
    ) -> tuple[torch.Tensor, None]:
        """Map (n, length, width) to the same; called as open_clip does, with key and value equal to `x`."""
        count, length, width = x.shape
        joined = self.qkv(x).view(count, length, 3, self.heads, width // self.heads)
        query, key, value = joined.permute(2, 0, 3, 1, 4).unbind(0)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=attn_mask)
        return self.out(seen.transpose(1, 2).reshape(count, length, width)), None


def pack(module: nn.Module) -> None:
    """Replace the linear layers inside `module`, and open_clip's self-attention, by packed ones.

    Raises:
        RuntimeError, AttributeError: as `PackedLinear`; some layers are packed by then, the module is of no more use.
    """
    from open_clip.transformer import ResidualAttentionBlock

    for name, child in module.named_children():
        if isinstance(child, nn.MultiheadAttention):
            own = isinstance(module, ResidualAttentionBlock) and not hasattr(module, "ln_1_kv")
            if own and child.batch_first and child.in_proj_weight is not None:
                setattr(module, name, PackedAttention(child))
        elif type(child) is nn.Linear:  # a subclass may be used in ways of its own
            setattr(module, name, PackedLinear(child.weight, child.bias))
        else:
            pack(child)
