"""Makes the compiled tower of texts, with its tokenizer, and its embedding as a file by itself."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import nn

from sightline.models.compiled.comparing import is_same, timed
from sightline.models.compiled.encoder import TextTower, unit
from sightline.models.compiled.files import ROWS, TEXTS, Manifest, Part, encoded
from sightline.models.compiled.rows import Rows
from sightline.models.compiled.runtime import FLOAT32, Tower, TowerError, compile_to
from sightline.models.encoder import head_of
from sightline.models.resolve import Model
from sightline.models.text_tower import causal_text, embedding_of, features_at_the_end, features_up_to_the_end
from sightline.models.tokenizers import FILE, make_tokenizer, open_tokenizer

if TYPE_CHECKING:
    from sightline.models.tokenizers import Tokenizer

log = logging.getLogger(__name__)

# What is compared: short and long, of several scripts.
_SENTENCES: Final = (
    "a", "cat", "two red boats", "a photo of a dog on a beach", "sunset over the sea", "0 1 2 3",
    "An old man in a blue coat feeds pigeons in front of a church while two children watch him from a bench.",
    "a diagram of an engine, black on white", "screenshot of a spreadsheet", "birthday cake with 7 candles!",
    "ein Hund im Schnee", "zwei Kinder spielen Fußball auf einer grünen Wiese", "une plage au coucher du soleil",
    "un gato negro duerme en una silla", "un mercato di frutta a Palermo", "czerwony samochód przed domem",
    "две красные лодки на озере", "ένα λευκό σπίτι δίπλα στη θάλασσα", "قطة تنام على كرسي", "एक लाल नाव",
    "海辺の夕日", "山上的一座古老寺庙", "눈 덮인 산", "🎂 party",
)  # fmt: skip
_AT_ONCE: Final = 6
# Rows of an embedding that are converted at once.
_ROWS: Final = 8192
# The example that a tower is traced with: of another length than any axis of it.
_TRACED: Final = (2, 5)


def make_texts(model: Model, network: Any, tokenizer: Any, folder: Path, manifest: Manifest) -> Manifest:
    """Make the text tower of a joint model; where it is not the same, there is neither part nor file.

    The model's head is in the manifest in any case.

    Raises:
        OSError: the folder can't be written.
    """
    head = head_of(network)
    manifest = replace(
        manifest, scale=head.scale, bias=head.bias, context=int(tokenizer.context_length),
        causal=causal_text(network) is not None,
    )  # fmt: skip
    prepared = open_tokenizer(model, folder) if make_tokenizer(model, tokenizer, folder) else None
    if prepared is None:
        return manifest
    try:
        made = _tower(model, network, tokenizer, prepared, folder, manifest)
    finally:
        prepared.close()
    if made is None:
        (folder / FILE).unlink()
        return manifest
    return made


def _tower(
    model: Model, network: Any, tokenizer: Any, prepared: Tokenizer, folder: Path, manifest: Manifest
) -> Manifest | None:
    """The manifest with the tower that was made; None where none is exact enough."""
    texts = sorted((text for text in _SENTENCES if prepared.count(text) <= manifest.context), key=prepared.count)
    causal = causal_text(network)
    read = network.encode_text if causal is None else partial(features_up_to_the_end, causal)
    parts = [texts[first : first + _AT_ONCE] for first in range(0, len(texts), _AT_ONCE)]
    expected = unit(np.concatenate([read(tokenizer(part)).float().numpy() for part in parts]))
    table = embedding_of(network)
    # A class of its own may do more than look a row up. And some networks do not ask for the rows of just these tokens.
    tables = (table, None) if type(table) is nn.Embedding and table.max_norm is None else (None,)
    # Where weights lose too much in half precision, they are kept as they are.
    for halves, apart in product((True, False), tables):
        tried, rows = manifest, None
        try:
            tried = _compile(network, apart, folder, manifest, halves=halves)
            if tried.rows is not None:
                rows = Rows(folder / ROWS, tried.rows, tried.width)
            tower = Tower(folder / TEXTS, FLOAT32, manifest.dim)
            made = TextTower(tower, prepared, rows, manifest.context, causal=manifest.causal)
            probe = made.encode([made.probe()])[0]
            found, quick = timed(partial(made.encode, texts))
        except TowerError as error:
            log.info("the text tower of %s is not compiled: %s", model.name, error)
        else:
            if is_same(f"text tower of {model.name}", [*found], [*expected]):
                return replace(tried, texts=Part(FLOAT32, encoded(probe), quick / len(texts)))
        finally:
            if rows is not None:
                rows.close()
        for name in (TEXTS, ROWS):
            (folder / name).unlink(missing_ok=True)
    return None


def _compile(
    network: Any, table: nn.Embedding | None, folder: Path, manifest: Manifest, *, halves: bool
) -> Manifest:  # fmt: skip
    """Write the tower, and the rows of its embedding where one is given; returns the manifest."""
    length = -1 if manifest.causal else manifest.context
    ids = torch.ones(_TRACED if manifest.causal else (_TRACED[0], manifest.context), dtype=torch.int64)
    if table is None:
        compile_to(folder / TEXTS, _Texts(network, None).eval(), (ids,), [(-1, length)], halves=halves)
        return manifest
    given = _Given()
    with _in_place_of(network, table, given):
        module = _Texts(network, given).eval()
        width = table.embedding_dim
        compile_to(folder / TEXTS, module, (ids, table(ids)), [(-1, length), (-1, length, width)], halves=halves)
    rows = _write_rows(folder / ROWS, table.weight.detach(), halves=halves)
    return replace(manifest, rows=rows, width=width)


def _write_rows(path: Path, table: torch.Tensor, *, halves: bool) -> str:
    """Write an embedding (n, width) for `Rows`; returns the type its values were written in.

    `halves` asks for half precision, which is taken where the values fit.

    Raises:
        OSError: it can't be written.
    """
    largest = max(abs(float(table.min())), abs(float(table.max())))
    kind = torch.float16 if halves and largest <= torch.finfo(torch.float16).max else torch.float32
    each = kind.itemsize * table.shape[1]
    sums: list[int] = []
    with path.open("wb") as file:
        for first in range(0, len(table), _ROWS):
            data = table[first : first + _ROWS].to(kind).contiguous().numpy().tobytes()
            starts = range(0, len(data), each)
            sums += [zlib.crc32(data[at : at + each], first + number) for number, at in enumerate(starts)]
            file.write(data)
        file.write(np.array(sums, "<u4").tobytes())
    return str(kind).removeprefix("torch.")


class _Given(nn.Module):
    """Stands for an embedding whose rows are given."""

    rows: torch.Tensor

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        return self.rows


class _Texts(nn.Module):
    """A text tower that takes tokens, and the rows of its embedding where it has none."""

    def __init__(self, network: Any, given: _Given | None) -> None:
        super().__init__()
        self.causal = causal_text(network)
        self.network = network
        self.given = given

    def forward(self, ids: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
        if self.given is not None and rows is not None:
            self.given.rows = rows
        if self.causal is not None:
            return features_at_the_end(self.causal, ids)
        features: torch.Tensor = self.network.encode_text(ids)
        return features


@contextmanager
def _in_place_of(network: nn.Module, table: nn.Module, given: nn.Module) -> Iterator[None]:
    """Put a module in the place of another within a `with` block, wherever the network has it."""
    places = [
        (parent, name) for parent in network.modules() for name, child in parent.named_children() if child is table
    ]
    for parent, name in places:
        setattr(parent, name, given)
    try:
        yield
    finally:
        for parent, name in places:
            setattr(parent, name, table)
