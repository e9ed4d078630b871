"""The part of a Dockerfile's language that ours uses, and what of a folder its `.dockerignore` lets through."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

KNOWN = {"RUN", "ENV", "WORKDIR", "COPY", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}


@dataclass
class Stage:
    """One `FROM` and what follows it: the name of its base, its own, and its steps as (instruction, words)."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile in order.

    Raises:
        ValueError: an instruction that is not known here; nothing is passed over in silence.
    """
    found: list[Stage] = []
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in filter(str.strip, re.sub(r"\\\n", " ", kept).splitlines()):
        kind, words = line.split(maxsplit=1)
        if kind == "FROM":
            base, _, name = words.partition(" AS ")
            found.append(Stage(base.strip(), name.strip()))
        elif kind in KNOWN and found:
            found[-1].steps.append((kind, words.strip()))
        else:
            raise ValueError(f"{kind} is not an instruction that is known here: {line}")
    return found


def assigned(words: str, environment: dict[str, str]) -> dict[str, str]:
    """The variables that the words of an `ENV` set, with `$NAME` of those before replaced."""
    pairs = (word.partition("=") for word in shlex.split(words))
    return {name: re.sub(r"\$(\w+)", lambda one: environment.get(one[1], ""), value) for name, _, value in pairs}


def command(words: str) -> list[str]:
    """The command of a `CMD` or `HEALTHCHECK` in the form of a list."""
    listed: list[str] = json.loads(words[words.index("[") :])
    return listed


def let_through(context: Path, rules: str) -> list[PurePosixPath]:
    """Files of the build context that `.dockerignore` leaves in.

    The last rule that speaks of a file, or of a folder above it, decides.
    """
    patterns = [line.strip() for line in rules.splitlines() if line.strip() and not line.startswith("#")]
    # Where all is left out but some, only that is walked: a walk through environments takes long.
    tops = [pattern[1:] for pattern in patterns if pattern.startswith("!")] if "*" in patterns else ["."]
    files = [path for top in tops for path in [context / top, *(context / top).rglob("*")] if path.is_file()]
    relative = (PurePosixPath(path.relative_to(context).as_posix()) for path in files)
    return sorted(path for path in relative if not _ignored(path, patterns))


def _ignored(path: PurePosixPath, patterns: list[str]) -> bool:
    ignored = False
    names = [path, *path.parents][:-1]
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        anywhere = bare.removeprefix("**/")
        for name in names:
            same = len(name.parts) == len(PurePosixPath(bare).parts) and fnmatchcase(str(name), bare)
            if same or (anywhere != bare and fnmatchcase(name.name, anywhere)):
                ignored = not pattern.startswith("!")
    return ignored
