"""Tokenizers without transformers and open_clip: a model's own ids, read from a prepared table.

`make_tokenizer` is called while indexing, with the model's own tokenizer at hand. It writes a table, and says no where
one of many texts gets other ids by it. `open_tokenizer` reads the table in a program that answers a query; it imports
none of torch, transformers and open_clip.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sightline.models.resolve import Model

log = logging.getLogger(__name__)

FILE: Final = "tokenizer.sqlite"
"""What `make_tokenizer` writes into the folder that it is given, and all that `open_tokenizer` reads there."""


class Tokenizer(Protocol):
    """Turns texts into ids of tokens. Safe for use from several threads."""

    def ids(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Ids of texts, padded and cut as the model's own tokenizer does it: (n, context)."""

    def count(self, text: str) -> int:
        """Tokens of a text before any cutting, those that are added at its ends included."""

    def close(self) -> None:
        """Close its file. It can't be used afterwards."""


def open_tokenizer(model: Model, folder: Path) -> Tokenizer | None:
    """Open what `make_tokenizer` wrote into a folder for this model.

    None where there is none, where it can't be read, and where a library whose ids it has is of another version now.
    Bytes that changed are not looked for: whoever keeps the folder has checksums of its files.
    """
    from sightline.models.tokenizers.clip import ClipTokenizer
    from sightline.models.tokenizers.hugging_face import HuggingFaceTokenizer
    from sightline.models.tokenizers.table import Table, TableError

    kinds = {kind.KIND: kind for kind in (ClipTokenizer, HuggingFaceTokenizer)}
    try:
        table = Table.open(folder / FILE)
    except TableError as error:
        log.debug("no prepared tokenizer: %s", error)
        return None
    try:
        table.require(model.fingerprint)
        return kinds[table.kind](table)
    except Exception as error:  # noqa: BLE001 - whatever a damaged file makes of it, or a library that is missing
        table.close()
        log.debug("the prepared tokenizer in %s is not used: %s", folder, error)
        return None


def make_tokenizer(model: Model, tokenizer: Any, folder: Path) -> bool:
    """Write a table that gives the ids of a model's own tokenizer, if that can be done.

    Args:
        model: whose tokenizer it is.
        tokenizer: as `text_files.tokenizer_of` loads it.
        folder: is there already; `FILE` is made in it.

    Returns:
        Whether `open_tokenizer` gives the same ids and counts now, tried on texts of many scripts. Nothing is left in
        the folder where it does not.

    Raises:
        OSError: the folder can't be written.
    """
    from sightline.models.tokenizers.making import make

    return make(model, tokenizer, folder / FILE)
