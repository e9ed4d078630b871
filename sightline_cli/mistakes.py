"""Mistakes on command lines: what is printed has the right form of what was meant.

The base classes of the commands and groups of both programs.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from store.paths import is_file

Meant = Callable[[list[str]], list[str] | None]
"""Makes the words of the right form from the words after a command, or None where it knows none.

A first word ".." stands for the program: what follows begins with another command.
"""

MARK: Final = "\0"
"""Before an argument that begins with a minus and is no option. No argument of a program holds it."""

# What other programs call a command, or people do: in words, with options where it takes them.
_COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "search": ("query",), "find": ("query",), "look": ("query",), "grep": ("query",),
    "add": ("index",), "scan": ("index",), "update": ("index",), "reindex": ("index",), "sync": ("index",),
    "info": ("status",), "stats": ("status",), "stat": ("status",), "list": ("status",), "ls": ("status",),
    "errors": ("failures",), "failed": ("failures",), "fails": ("failures",),
    "models": ("spaces",), "model": ("spaces",), "presets": ("spaces",),
    "check": ("verify",), "fsck": ("verify",), "repair": ("verify", "--repair"), "fix": ("verify", "--repair"),
    "remove": ("forget",), "rm": ("forget",), "delete": ("forget",),
    "move": ("move-root",), "mv": ("move-root",),
    "learn": ("teach",), "concept": ("concepts",), "copy": ("export",), "cp": ("export",), "classify": ("label",),
    "untag": ("tag", "remove"), "unfavourite": ("favourite", "off"), "unfavorite": ("favourite", "off"),
    "unstar": ("favourite", "off"), "star": ("favourite",),
    "favorites": ("query", "favourite:yes"), "favourites": ("query", "favourite:yes"),
    "saved": ("searches",), "token": ("address",), "url": ("address",), "link": ("address",),
    "help": ("--help",), "version": ("--version",),
    "open": (), "serve": (), "server": (), "start": (), "run": (), "page": (), "ui": (), "gui": (), "web": (),
}  # fmt: skip
_FAVOURITES: Final = frozenset({"favorites", "favourites"})
# Commands of the other program, where the two are not behind one command.
_ELSEWHERE: Final[Mapping[str, Sequence[str]]] = {
    "python -m indexer": (
        "index", "watch", "status", "failures", "spaces", "verify", "forget", "backup", "restore", "move-root"
    ),
    "python -m search_ui": (
        "query", "export", "label", "tag", "favourite", "tags", "teach", "concepts", "save", "searches", "left-marks",
        "export-marks", "import-marks", "address",
    ),
}  # fmt: skip
# What other programs call an option; the first that a command has is meant.
_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "--model": ("--space",), "--preset": ("--space",),
    "--out": ("--to",), "--output": ("--to",), "--dest": ("--to",), "--target": ("--to",), "--into": ("--to",),
    "--count": ("--limit", "--top"), "--max": ("--limit", "--top"), "--number": ("--limit", "--top"),
    "--first": ("--limit", "--top"), "--skip": ("--offset",), "--start": ("--offset",),
    "--db": ("--library",), "--database": ("--library",), "--lib": ("--library",), "--index": ("--library",),
    "--picture": ("--image",), "--photo": ("--image",), "--file": ("--image",), "--similar": ("--like",),
    "--id": ("--like",), "--name": ("--saved",), "--search": ("--saved", "--query"), "--text": ("--query",),
    "--null": ("--print0",), "--zero": ("--print0",), "--format": ("--json", "--csv"),
    "--delete": ("--remove",), "--off": ("--remove",), "--unset": ("--remove",), "--set": ("--add",),
    "--tag": ("--add",), "--rm": ("--remove", "--delete"), "--remove": ("--delete",),
    "--force": ("--yes", "--replace"), "--overwrite": ("--replace",), "--silent": ("--quiet",),
    "--debug": ("--verbose",), "--gpu": ("--device",), "--cpu": ("--device",), "--cuda": ("--device",),
    "--threads": ("--workers",), "--jobs": ("--workers",), "--batch": ("--batch-size",),
    "--ignore": ("--exclude",), "--skip-files": ("--exclude",), "--simulate": ("--dry-run",),
    "--noop": ("--dry-run",), "--fix": ("--repair",), "--no-network": ("--offline",), "--clean": ("--prune",),
    "--bind": ("--host",), "--listen": ("--host",), "--labels": ("--top",), "--where": ("--filter",),
}  # fmt: skip


def joined(words: Iterable[str]) -> str:
    """Return the words of a command as they are typed: quoted where a shell needs it."""
    given = list(words)
    return subprocess.list2cmdline(given) if os.name == "nt" else shlex.join(given)


def _form(context: click.Context, words: Iterable[str]) -> str:
    given = list(words)
    if given[:1] == [".."] and context.parent is not None:
        return _form(context.parent, given[1:])
    return f"{context.command_path} {joined(given)}".rstrip()


class Command(click.Command):
    """A command that says the right form of what was meant where what was typed can't be read."""

    def __init__(self, *arguments: Any, meant: Meant | None = None, **options: Any) -> None:
        """`meant` makes the right form of words that can't be read."""
        super().__init__(*arguments, **options)
        self.params.append(version_option())
        self.meant = meant

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does; errors say what was meant."""
        given = [word.removeprefix(MARK) for word in args]
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if ctx.resilient_parsing or not (hint := self._hint(ctx, given, error)):
                raise
            said = error.message if isinstance(error, click.NoSuchOption) else error.format_message()
            raise click.UsageError(f"{said.rstrip('.')}. {hint}", ctx=ctx) from error

    def _hint(self, context: click.Context, given: list[str], error: click.UsageError) -> str | None:
        if self.meant is not None and (words := self.meant(given)) is not None:
            return f"To do that: {_form(context, words)}"
        own = {name for option in self.params for name in option.opts}
        if isinstance(error, click.NoSuchOption):
            meant = [name for name in _OPTIONS.get(error.option_name, ()) if name in own]
            return f"Did you mean {meant[0]!r}?" if meant else _owners(context, error.option_name)
        takes_words = any(isinstance(parameter, click.Argument) for parameter in self.params)
        return None if takes_words else self._words_meant(context, given, own)

    def _words_meant(self, context: click.Context, given: list[str], own: set[str]) -> str | None:
        """The right form where a command that takes no arguments was given some.

        They are the folder of a library, or options without their minus signs, or too much.
        """
        valued = {name for option in self.params if not getattr(option, "is_flag", True) for name in option.opts}
        kept, words = [], []
        rest = iter(given)
        for word in rest:
            if not word.startswith("-"):
                words.append(word)
            else:
                kept += [word, *([value] if word in valued and (value := next(rest, None)) is not None else [])]
        if not words:
            return None
        if len(words) == 1 and "--library" in own and is_file(Path(words[0], "library.sqlite")):
            return f"To do that with that library: {_form(context, [*kept, '--library', words[0]])}"
        if all(f"--{word}" in own - valued for word in words):
            return f"To do that: {_form(context, [*kept, *(f'--{word}' for word in words)])}"
        return f"It takes none: {_form(context, kept)}"


def _owners(context: click.Context, option: str) -> str | None:
    """Say which other commands have an option, where there are any."""
    group = context.parent.command if context.parent is not None else None
    if not isinstance(group, click.Group) or context.parent is None:
        return None
    owners = [name for name, command in group.commands.items() if option in _options(command)]
    return f"It is an option of: {', '.join(_form(context.parent, [name]) for name in owners[:3])}" if owners else None


def _options(command: click.Command) -> set[str]:
    return {
        name for option in command.params if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
    }  # fmt: skip


class Group(click.Group):
    """A group of commands. A word that is none is taken for a mistyped one, or as its program says.

    Attributes:
        sections: names of commands under headings, for the help; one section where there are none.
    """

    command_class = Command  # of commands that are made by its decorator

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params.append(version_option(hidden=False))
        self.sections: Mapping[str, Sequence[str]] = {}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, in sections where there are any."""
        if not self.sections:
            super().format_commands(ctx, formatter)
        for heading, names in self.sections.items():
            with formatter.section(heading):
                limit = formatter.width - 6 - max(map(len, self.commands))
                formatter.write_dl([(name, self.commands[name].get_short_help_str(limit)) for name in names])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does; an option of a command is put behind it in what is said."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            words = None if ctx.resilient_parsing else self._behind_command(given, error.option_name)
            if words is None:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}. To do that: {_form(ctx, words)}", ctx=ctx) from error

    def _behind_command(self, given: list[str], option: str) -> list[str] | None:
        """`--limit 5 dog` is `query --limit 5 dog`, `--json status` is `status --json`."""
        if given in (["-v"], ["-V"]):
            return ["--version"]
        named = next((word for word in given if word in self.commands), None)
        if named is not None:
            at = given.index(named)
            return [named, *given[:at], *given[at + 1 :]] if option in _options(self.commands[named]) else None
        names = sorted(self.commands, key=lambda name: name != "query")  # which finds pictures, and changes none
        owner = next((name for name in names if option in _options(self.commands[name])), None)
        if owner is None and "query" in self.commands and re.match(r"-[^\W\d]{2}", given[0]):
            owner = "query"
        return [owner, *given] if owner else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; errors say what was meant."""
        if not ctx.resilient_parsing and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(f"No such command {args[0]!r}. {self.meant(ctx, args)}".rstrip(), ctx=ctx)
        return super().resolve_command(ctx, args)

    def meant(self, context: click.Context, args: list[str]) -> str:
        """Say what may be meant by words that begin with no command."""
        near = self.near(context, args)
        return f"Did you mean: {near}" if near else ""

    def is_known(self, word: str) -> bool:
        """Whether other programs have a command of this name: then it is one, and nothing to search for."""
        return word.casefold() in _COMMANDS or any(word in names for names in _ELSEWHERE.values())

    def near(self, context: click.Context, args: list[str]) -> str | None:
        """Find a command that the first word may stand for, or that follows it; returns the whole line."""
        word, *rest = args
        called = _COMMANDS.get(word.casefold(), (word,))
        if word.casefold() in _FAVOURITES and any(each.isdecimal() for each in rest):
            called = ("favourite",)
        if not called or called[0].startswith("-"):
            return _form(context, [*rest[:1], *called] if called == ("--help",) else called)
        if line := self.line(context, [*called, *rest]):
            return line
        from difflib import get_close_matches

        others = [name for names in _ELSEWHERE.values() for name in names]
        if ":" not in word and (close := get_close_matches(word.casefold(), [*self.commands, *others], 1)):
            return self.line(context, [*close, *rest])
        named = next((each for each in rest if each in self.commands), None)
        return self.line(context, [named, *(each for each in args if each != named)]) if named else None

    def line(self, context: click.Context, words: list[str]) -> str | None:
        """Return the line of a command of this program, or of the other one; None where neither has it."""
        name, *rest = words
        command = self.commands.get(name)
        if command is not None:
            meant = command.meant(rest) if isinstance(command, Command) and command.meant is not None else None
            if meant is not None and meant[0] == "..":
                return _form(context, meant[1:])
            return _form(context, [name, *(rest if meant is None else meant)])
        for program, names in _ELSEWHERE.items():
            if name in names:
                return f"{program} {joined(words)}"
        return None


def _tell_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    import sightline

    click.echo(f"Sightline, version {sightline.__version__}")
    context.exit()


def version_option(*, hidden: bool = True) -> click.Option:
    """Make the option `--version`, which every command takes, and the help of groups tells of."""
    return click.Option(
        ["--version"], is_flag=True, expose_value=False, is_eager=True, hidden=hidden, callback=_tell_version,
        help="Show the version and exit.",
    )  # fmt: skip
