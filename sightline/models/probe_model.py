"""A network in a fraction of its memory, for measuring it: some of its blocks, or each of them only while it runs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain
from typing import Any, Final

import torch
from torch import nn

# Of a transformer's blocks, so many are kept where their speed is measured: one would stay in a processor's cache.
_KEPT: Final = 2


def cut(tower: nn.Module) -> nn.Module:
    """The network with two of its equal blocks, on the same weights; itself where it has no more than those."""
    found = _blocks(tower)
    if found is None:
        return tower
    same = {id(tensor): tensor for tensor in chain(tower.parameters(), tower.buffers())}
    small = copy.deepcopy(tower, same)
    blocks: Any = small.get_submodule(found[0])
    del blocks[_KEPT:]
    return small


def changed(tower: nn.Module, change: Callable[[nn.Module], None]) -> nn.Module:
    """A copy of the whole network after `change`, which is made to each of its equal blocks anew whenever it runs.

    Args:
        tower: left as it is.
        change: of a module, in place; for a block the same as for the block as part of the network.
    """
    found = _blocks(tower)
    stand_ins = {id(block): _OnlyWhileItRuns(block, change) for block in found[1]} if found else {}
    # deepcopy asks the memo for what it has copied already, and finds the blocks there.
    whole = copy.deepcopy(tower, dict(stand_ins))
    change(whole)
    return whole


class _OnlyWhileItRuns(nn.Module):
    """Stands for a block; a copy of it is made, changed and run, and let go."""

    def __init__(self, block: nn.Module, change: Callable[[nn.Module], None]) -> None:
        super().__init__()
        self._block = (block,)  # in a tuple it is no part of this module, and not changed with it
        self._change = change

    def forward(self, *arguments: Any, **named: Any) -> torch.Tensor:
        block = copy.deepcopy(self._block[0])
        self._change(block)
        made: torch.Tensor = block(*arguments, **named)
        return made


def _blocks(tower: nn.Module) -> tuple[str, list[nn.Module]] | None:
    """Name and members of the first list of more than two modules that are of one kind and one shape."""
    for name, module in tower.named_modules():
        if isinstance(module, nn.ModuleList | nn.Sequential) and len(module) > _KEPT:
            blocks = list(module)
            forms = {(type(block), tuple(tensor.shape for tensor in block.parameters())) for block in blocks}
            if len(forms) == 1 and any(True for _ in blocks[0].parameters()):
                return name, blocks
    return None
