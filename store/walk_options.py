"""How a root is walked: what a person decided of links, hidden files, exclusions and caches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class WalkChoice:
    """Options of a walk; those that are None are left as they are.

    Attributes:
        exclude: patterns of what is left out; see `indexer.exclusions`.
        hidden: whether names that start with a dot are taken.
        follow_symlinks: whether links to files and folders are followed.
        caches: whether bins and other programs' caches are taken; see `indexer.other_programs`.
    """

    exclude: tuple[str, ...] | None = None
    hidden: bool | None = None
    follow_symlinks: bool | None = None
    caches: bool | None = None

    def without(self, given: WalkChoice) -> WalkChoice:
        """Leave out what is given."""
        return WalkChoice(*(None if _get(given, name) is not None else _get(self, name) for name in NAMES))

    def as_arguments(self) -> list[str]:
        """Options of `python -m indexer index` that say the same."""
        arguments = [f"--exclude={pattern}" for pattern in self.exclude or ()]
        arguments += ["--no-exclude"] if self.exclude == () else []
        for name, value in (
            ("hidden", self.hidden), ("follow-symlinks", self.follow_symlinks), ("caches", self.caches)
        ):  # fmt: skip
            arguments += [] if value is None else [f"--{name}" if value else f"--no-{name}"]
        return arguments

    @property
    def is_empty(self) -> bool:
        """Whether nothing is chosen."""
        return all(_get(self, name) is None for name in NAMES)


NAMES: Final = ("exclude", "hidden", "follow_symlinks", "caches")
NOTHING_CHOSEN: Final = WalkChoice()


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """How a root is walked. Attributes as of `WalkChoice`; patterns with a slash begin at the root.

    `parts` are folders in the root for which something else was chosen, by their paths, which end with a slash.
    Patterns of a part begin there and are added to those around it; no patterns, `()`, are none at all.
    """

    exclude: tuple[str, ...] = ()
    hidden: bool = False
    follow_symlinks: bool = False
    caches: bool = False
    parts: Mapping[bytes, WalkChoice] = field(default_factory=dict)

    def chosen(self, choice: WalkChoice, prefix: bytes = b"") -> WalkOptions:
        """Change what is chosen: for all of the root, or for the folder `prefix` in it and what lies below."""
        if choice.is_empty:
            return self
        parts = {}
        for part, old in self.parts.items():
            rest = old.without(choice) if part.startswith(prefix) else old
            if choice.exclude and old.exclude and part != prefix:
                rest = replace(rest, exclude=old.exclude)  # what was left out there is not taken by surprise
            if not rest.is_empty:
                parts[part] = rest
        if prefix:
            parts[prefix] = replace(parts.get(prefix, NOTHING_CHOSEN), **_given(choice))
            return replace(self, parts=parts)
        return replace(self, **_given(choice), parts=parts)

    def at(self, path: bytes) -> WalkOptions:
        """The options for a folder, by its path with a slash at the end; patterns: see `patterns_at`."""
        options = replace(self, parts={})
        for choice in self._around(path).values():
            options = replace(options, **_given(choice))
        return options

    def follows_links_in(self, folder: bytes) -> bool:
        """Whether links that lie in a folder, given by its path with a slash at the end, are followed."""
        return self.at(folder).follow_symlinks

    def patterns_at(self, path: bytes) -> tuple[tuple[bytes, str], ...]:
        """The patterns for a folder, given by its path with a slash at the end, each with where it begins."""
        found = [(b"", pattern) for pattern in self.exclude]
        for part, choice in self._around(path).items():
            found = [] if choice.exclude == () else found
            found += [(part, pattern) for pattern in choice.exclude or ()]
        return tuple(found)

    def _around(self, path: bytes) -> dict[bytes, WalkChoice]:
        """The parts that a folder lies in, the outermost first."""
        return {part: self.parts[part] for part in sorted(self.parts, key=len) if path.startswith(part)}

    def as_part(self, prefix: bytes) -> dict[bytes, WalkChoice]:
        """The parts that keep these options for a root that becomes the folder `prefix` of another one."""
        whole = WalkChoice(self.exclude or None, self.hidden, self.follow_symlinks, self.caches)
        return {prefix: whole, **{prefix + part: choice for part, choice in self.parts.items()}}

    def to_dict(self) -> dict[str, Any]:
        """For JSON. Of parts, only what is chosen.

        Their paths are text, with surrogates where they are no UTF-8.
        """
        whole: dict[str, Any] = {name: _plain(_get(self, name)) for name in NAMES}
        if self.parts:
            whole["parts"] = {
                part.decode("utf-8", "surrogateescape"): {
                    name: _plain(value) for name, value in _given(choice).items()
                }
                for part, choice in self.parts.items()
            }  # fmt: skip
        return whole

    def in_words(self) -> list[str]:
        """What differs from how a root is walked where nothing was chosen: short texts to list."""
        said = _said(WalkChoice(self.exclude, self.hidden, self.follow_symlinks, self.caches), only_yes=True)
        for part, choice in sorted(self.parts.items()):
            if words := _said(choice, only_yes=False):
                said.append(f"in {part.rstrip(b'/').decode('utf-8', 'backslashreplace')}: {', '.join(words)}")
        return said


def from_json(text: str | None) -> WalkOptions:
    """Read options as the table of roots keeps them; None: nothing was kept."""
    if text is None:
        return WalkOptions()
    read = json.loads(text)
    parts = {
        part.encode("utf-8", "surrogateescape"): WalkChoice(*_fields(choice))
        for part, choice in read.get("parts", {}).items()
    }
    return WalkOptions(**_given(WalkChoice(*_fields(read))), parts=parts)


def _fields(read: Mapping[str, Any]) -> list[Any]:
    return [tuple(value) if isinstance(value := read.get(name), list) else value for name in NAMES]


def _get(of: WalkChoice | WalkOptions, name: str) -> Any:
    return getattr(of, name)


def _given(choice: WalkChoice) -> dict[str, Any]:
    return {name: value for name in NAMES if (value := _get(choice, name)) is not None}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _said(choice: WalkChoice, *, only_yes: bool) -> list[str]:
    words = []
    for value, yes, no in (
        (choice.hidden, "hidden files too", "no hidden files"),
        (choice.follow_symlinks, "links followed", "links not followed"),
        (choice.caches, "bins and caches too", "no bins and caches"),
    ):
        if value or (value is not None and not only_yes):
            words.append(yes if value else no)
    if choice.exclude or (choice.exclude is not None and not only_yes):
        words.append(f"without {', '.join(choice.exclude)}" if choice.exclude else "nothing excluded")
    return words
