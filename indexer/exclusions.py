"""Exclude patterns, as people type them: see the table in docs/indexing.md.

Case does not matter, nor how accents are composed: on the disks of macOS and Windows both lead to the same file, and
who leaves out `*.png` means IMG.PNG too.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from store.wildcards import Gap, linear

_WILD: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class _Rule:
    base: bytes  # where it begins: a path from the root, with a slash at the end
    pattern: str  # as it was given
    expression: re.Pattern[str]
    by_path: bool
    only_folders: bool


class Exclusions:
    """The patterns of a folder, each with the folder where it begins.

    Attributes:
        matched: those that left something out so far.
    """

    def __init__(self, patterns: Sequence[tuple[bytes, str]]) -> None:
        self._rules = [_rule(base, pattern) for base, pattern in patterns]
        self.matched: set[tuple[bytes, str]] = set()

    def leave_out(self, path: bytes, name: bytes, *, is_folder: bool) -> bool:
        """Whether a file or folder is left out, by its path from the root and its name."""
        shown = _folded(os.fsdecode(name))
        for rule in self._rules:
            if rule.only_folders and not is_folder:
                continue
            if rule.expression.fullmatch(_folded(os.fsdecode(path[len(rule.base) :])) if rule.by_path else shown):
                self.matched.add((rule.base, rule.pattern))
                return True
        return False


def as_meant(pattern: str, folder: Path) -> str:
    """A pattern for `folder` as it is kept: paths typed from elsewhere become paths from the folder.

    That are absolute paths, those with `~`, and those from the working directory, if they lead into the folder.
    """
    pattern = pattern.strip()
    if os.sep == "\\":
        pattern = pattern.replace("\\", "/")
    bare, slash = (pattern.rstrip("/"), "/") if pattern.endswith("/") else (pattern, "")
    parts = bare.split("/")
    wild = next((at for at, part in enumerate(parts) if _WILD.search(part)), len(parts))
    head = "/".join(parts[:wild])
    if not head or "/" not in bare:
        return pattern
    try:
        typed = Path(head).expanduser()
        if (folder / head.lstrip("/")).exists() or not (typed.is_absolute() or typed.exists()):
            return pattern
        # A link at the end is what is to be left out, not what it leads to.
        inside = (typed.parent.resolve() / typed.name).relative_to(folder)
    except (ValueError, OSError, RuntimeError):
        return pattern
    return "/" + "/".join([part for part in inside.parts if part] + parts[wild:]) + slash


def _rule(base: bytes, pattern: str) -> _Rule:
    only_folders = pattern.endswith("/")
    bare = pattern.rstrip("/")
    is_anchored = bare.startswith(("/", "./"))
    while bare.startswith(("/", "./")):
        bare = bare[1:] if bare.startswith("/") else bare[2:]
    by_path = is_anchored or "/" in bare
    folded = _folded(bare)
    try:
        # A folder may be called `best [2019]`, and is meant by just that.
        expression = re.compile(f"{_expression(folded)}|{re.escape(folded)}", re.DOTALL)
    except re.error:  # such as [z-a]
        expression = re.compile(re.escape(folded))
    return _Rule(base, pattern, expression, by_path, only_folders)


_ANYTHING: Final = Gap(".*?", ".*")
_FOLDERS: Final = Gap("(?:.*?/)??", "(?:.*/)?")


def _expression(pattern: str) -> str:
    """A regular expression for a pattern: as `fnmatch`, but `**/` may be no folder at all."""
    pieces, gaps = [""], list[Gap]()
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
            gaps.append(_FOLDERS)
            pieces.append("")
            at += 3
        elif pattern[at:] == "/**":  # all that is in a folder: the folder
            pieces[-1] += "(?:/.*)?"
            break
        elif pattern[at] == "*":
            gaps.append(_ANYTHING)
            pieces.append("")
            at += 1
        elif pattern[at] == "?":
            pieces[-1] += "."
            at += 1
        elif pattern[at] == "[" and (end := pattern.find("]", at + 2 + pattern.startswith("[!", at))) > 0:
            inside = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            inside = re.sub("[&|~]", r"\\\g<0>", inside)  # two of them, or of "[", would join sets
            pieces[-1] += f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside.replace('^', chr(92) + '^', 1)}]"
            at = end + 1
        else:
            pieces[-1] += re.escape(pattern[at])
            at += 1
    return linear(pieces[0], list(zip(gaps, pieces[1:], strict=True)))


def _folded(text: str) -> str:
    return (
        text.lower() if text.isascii() else unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    )
