"""Mistakes on command lines: what is printed has the right form of what was meant.

The base classes of the commands and groups of both programs.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

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
    "copy": ("export",), "cp": ("export",), "classify": ("label",),
    "star": ("favourite",), "favorites": ("query", "is:favourite"), "favourites": ("query", "is:favourite"),
    "saved": ("searches",), "token": ("address",), "url": ("address",), "link": ("address",),
    "help": ("--help",), "version": ("--version",),
    "open": (), "serve": (), "server": (), "start": (), "run": (), "page": (), "ui": (), "gui": (), "web": (),
}  # fmt: skip
# Commands of the other program, where the two are not behind one command.
_ELSEWHERE: Final[Mapping[str, Sequence[str]]] = {
    "python -m indexer": (
        "index", "watch", "status", "failures", "spaces", "verify", "forget", "backup", "restore", "move-root"
    ),
    "python -m search_ui": (
        "query", "export", "label", "tag", "favourite", "tags", "save", "searches", "left-marks", "export-marks",
        "import-marks", "address",
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
        self._meant = meant

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
        if self._meant is not None and (words := self._meant(given)) is not None:
            return f"To do that: {_form(context, words)}"
        own = {name for option in self.params for name in option.opts}
        if isinstance(error, click.NoSuchOption):
            meant = [name for name in _OPTIONS.get(error.option_name, ()) if name in own]
            return f"Did you mean {meant[0]!r}?" if meant else None
        return self._library_meant(context, given, own)

    def _library_meant(self, context: click.Context, given: list[str], own: set[str]) -> str | None:
        """The right form where a command that takes no arguments was given the folder of a library."""
        folders = [word for word in given if Path(word).is_dir()]
        takes_words = any(isinstance(parameter, click.Argument) for parameter in self.params)
        if takes_words or "--library" not in own or len(folders) != 1:
            return None
        return f"To do that with that library: {_form(context, _moved(given, folders, '--library'))}"


def _moved(words: list[str], moved: Sequence[str], option: str) -> list[str]:
    """Put an option before each of some words, all of them at the end."""
    return [word for word in words if word not in moved] + [part for word in moved for part in (option, word)]


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
        """Find a command that the first word may stand for; returns the whole line with it."""
        word, *rest = args
        known = self.list_commands(context)
        called = _COMMANDS.get(word.casefold(), (word,))
        if not called or called[0].startswith("-"):
            return _form(context, [*rest[:1], *called] if called == ("--help",) else called)
        if called[0] in known:
            return _form(context, [*called, *rest])
        for program, names in _ELSEWHERE.items():
            if called[0] in names:
                return f"{program} {joined([*called, *rest])}"
        from difflib import get_close_matches

        close = get_close_matches(word.casefold(), known, 1)
        return _form(context, [*close, *rest]) if close else None


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
