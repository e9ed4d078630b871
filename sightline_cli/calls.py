"""How commands are called in messages: by their modules, or as parts of the command `sightline`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

COMMAND: Final = "sightline"
_INDEXER: Final = re.compile(r"python -m indexer\b(?= (?P<command>[a-z][a-z-]*)\b(?![./\\]))?")
_commands: ContextVar[frozenset[str] | None] = ContextVar("commands", default=None)


@contextmanager
def one_command(indexer_commands: frozenset[str]) -> Iterator[None]:
    """Have messages call commands as `sightline` does in a `with` block; given are the indexer's."""
    token = _commands.set(indexer_commands)
    try:
        yield
    finally:
        _commands.reset(token)


def is_of_library(words: Sequence[str]) -> bool:
    """Whether the words after `export` copy the whole library, and not pictures: to an address, or from anywhere."""
    from store.remote import is_address  # commands begin without it

    for word, after in zip(words, [*words[1:], ""], strict=False):
        option, _, value = word.partition("=")
        if option == "--from" or (option == "--to" and is_address(value or after)):
            return True
    return False


def as_called(text: str) -> str:
    """Return a message with commands as the user calls them, such as `sightline verify`."""
    commands = _commands.get()
    if commands is None:
        return text
    text = _INDEXER.sub(lambda found: COMMAND if found["command"] in commands else f"{COMMAND} index", text)
    return text.replace("python -m search_ui", COMMAND)
