"""What was meant by command lines that can't be read: the right form, for each command."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Final

import click

from sightline_cli import mistakes
from sightline_cli.mistakes import joined

_OFF: Final = frozenset({"off", "no", "remove", "delete", "unset", "false", "0", "rm"})
_ON: Final = frozenset({"on", "yes", "add", "set", "true"})


class Group(mistakes.Group):
    """The group of the commands that search: words that are no command are what to search for."""

    def meant(self, context: click.Context, args: list[str]) -> str:
        """Say the command that is near, and the search for the words, or the picture, that were given."""
        near = self.near(context, args)
        if near and self.is_known(args[0]):
            return f"Did you mean: {near}"
        if Path(args[0]).is_file():
            search = f"To search with the picture: {context.command_path} query --image {joined(args)}"
        else:
            search = f"To search for it: {context.command_path} query {joined(args)}"
        return f"Did you mean: {near}\n{search}" if near else search


def tags_meant(words: list[str]) -> list[str] | None:
    """`49 beach` is `49 --add beach`, `49 remove beach` is `49 --remove beach`."""
    if any(word.startswith("--") for word in words):
        return None
    ids = [word for word in words if word.isdecimal()]
    option, names = "--add", []
    for word in (word for word in words if not word.isdecimal()):
        if word.casefold() in _OFF:
            option = "--remove"
        elif word.casefold() not in _ON:
            names.append(("--remove", word[1:]) if word.startswith("-") else (option, word.removeprefix("+")))
    if not names or not all(name for _, name in names):
        return None
    return [*(ids or ["ID"]), *(part for pair in names for part in pair)]


def favourites_meant(words: list[str]) -> list[str] | None:
    """`49 off` is `49 --remove`, `49 on` is `49`."""
    ids = [word for word in words if word.isdecimal()]
    others = {word.casefold().lstrip("-") for word in words if not word.isdecimal()}
    if not others or not others <= _OFF | _ON:
        return None
    return [*(ids or ["ID"]), *(["--remove"] if others & _OFF else [])]


def exports_meant(words: list[str]) -> list[str] | None:
    """`boat /out` is `boat --to /out`: the last word is the folder where it looks like one."""
    if any(word == "--to" or word.startswith("--to=") for word in words):
        return None
    plain = [word for word in words if word not in ("-o", "-to", "to", "--out", "--output", "--dest", "--into")]
    if not plain:
        return ["TEXT", "--to", "FOLDER"]
    last = plain[-1]
    is_folder = os.sep in last or "/" in last or last.startswith((".", "~")) or Path(last).is_dir() or plain != words
    return [*plain[:-1], "--to", last] if is_folder and len(plain) > 1 else [*plain, "--to", "FOLDER"]


def searches_meant(words: list[str]) -> list[str] | None:
    """`delete NAME` is `--delete NAME`; a name alone is to be searched for."""
    if len(words) > 1 and words[0].casefold().lstrip("-") in _OFF:
        return [part for word in words[1:] for part in ("--delete", word)]
    return ["..", "query", "--saved", words[0]] if len(words) == 1 and not words[0].startswith("-") else None


def lists_meant(words: list[str]) -> list[str] | None:
    """A tag after `tags` is to be searched for."""
    return ["..", "query", f"tag:{words[0]}"] if len(words) == 1 and not words[0].startswith("-") else None


def left_marks_meant(words: list[str]) -> list[str] | None:
    """`move 49` is `49 --move`; `delete all` is `--all --delete`."""
    options = [f"--{word}" for word in words if word in ("move", "delete", "all")]
    return [word for word in words if f"--{word}" not in options] + options if options else None


def likes_meant(words: list[str]) -> list[str] | None:
    """`--like photo.jpg` is `--image photo.jpg`: the value is a file, and no id."""
    made = list(words)
    for place, (option, value) in enumerate(itertools.pairwise(words)):
        if option == "--like" and not value.isdecimal() and Path(value).is_file():
            made[place] = "--image"
    return made if made != words else None


def saves_meant(words: list[str]) -> list[str] | None:
    """`red boats` lacks the name: `NAME "red boats"`."""
    return ["NAME", *words] if len(words) == 1 and not words[0].startswith("-") else None
