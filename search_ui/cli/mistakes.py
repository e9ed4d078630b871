"""What was meant by command lines that can't be read: the right form, for each command."""

from __future__ import annotations

import itertools
import os
import re
from typing import Final

import click

from sightline_cli import mistakes
from sightline_cli.mistakes import joined
from store.paths import is_file, is_folder

_OFF: Final = frozenset({"off", "no", "remove", "delete", "unset", "false", "0", "rm"})
_ON: Final = frozenset({"on", "yes", "add", "set", "true"})


class Group(mistakes.Group):
    """The group of the commands that search: words that are no command are what to search for."""

    def meant(self, context: click.Context, args: list[str]) -> str:
        """Say the command that is near, and the search for the words, or the picture, that were given."""
        if folders := self._folders_meant(context, args):
            return f"Did you mean: {folders}"
        near = self.near(context, args)
        if near and self.is_known(args[0]):
            return f"Did you mean: {near}"
        if is_file(args[0]):
            search = f"To search with the picture: {context.command_path} query --image {joined(args)}"
        else:
            search = f"To search for it: {context.command_path} query {joined(args)}"
        return f"Did you mean: {near}\n{search}" if near else search

    def _folders_meant(self, context: click.Context, args: list[str]) -> str | None:
        """`photos --port 8600` is `--port 8600 photos`; `photos trips` is `index photos trips`."""
        word, *rest = args
        if not is_folder(word) or not rest:
            return None
        options = {each.partition("=")[0] for each in rest if each.startswith("-")}
        own = {name for option in self.params for name in (*option.opts, *option.secondary_opts)}
        if options and options <= own:
            return f"{context.command_path} {joined([*rest, word])}"
        return self.line(context, ["index", *args]) if options or all(is_folder(each) for each in rest) else None


def tags_meant(words: list[str]) -> list[str] | None:
    """`49 beach` is `49 --add beach`, `49 remove beach` is `49 --remove beach`."""
    if (split := _ids_split(words)) != words:
        return tags_meant(split) or split
    if any(word.startswith("--") for word in words):
        return None
    ids = [word for word in words if word.isdecimal()]
    option, names = "--add", []
    for word in (word for word in words if not word.isdecimal()):
        if word.casefold().lstrip("-") in _OFF:
            option = "--remove"
        elif word.casefold().lstrip("-") not in _ON:
            names.append(("--remove", word[1:]) if word.startswith("-") else (option, word.removeprefix("+")))
    if not names and option == "--remove":
        names = [(option, "NAME")]
    if not names or not all(name for _, name in names):
        return None
    return [*(ids or ["ID"]), *(part for pair in names for part in pair)]


def favourites_meant(words: list[str]) -> list[str] | None:
    """`49 off` is `49 --remove`, `49 on` is `49`, `boats` is `--query boats`."""
    if (split := _ids_split(words)) != words:
        return favourites_meant(split) or split
    ids = [word for word in words if word.isdecimal()]
    others = {word.casefold().lstrip("-") for word in words if not word.isdecimal()}
    if others and not ids and not others & (_OFF | _ON) and not any(word.startswith("-") for word in words):
        return ["--query", " ".join(words)]
    if not others or not others <= _OFF | _ON:
        return None
    return [*(ids or ["ID"]), *(["--remove"] if others & _OFF else [])]


def _ids_split(words: list[str]) -> list[str]:
    """`1,2` is `1 2`."""
    return [part for word in words for part in (word.split(",") if re.fullmatch(r"\d+(,\d+)+", word) else [word])]


def exports_meant(words: list[str]) -> list[str] | None:
    """`boat /out` and `/out boat` are `boat --to /out`: a first or last word that is like a folder."""
    if any(word == "--to" or word.startswith("--to=") for word in words):
        return None
    plain = [word for word in words if word not in ("-o", "-to", "to", "--out", "--output", "--dest", "--into")]
    if not plain:
        return ["TEXT", "--to", "FOLDER"]
    last = plain[-1]
    if len(plain) > 1 and (_is_like_folder(last) or is_folder(last) or plain != words):
        return [*plain[:-1], "--to", last]
    if len(plain) > 1 and _is_like_folder(plain[0]):
        return [*plain[1:], "--to", plain[0]]
    return [*plain, "--to", "FOLDER"]


def _is_like_folder(word: str) -> bool:
    return os.sep in word or "/" in word or word.startswith((".", "~"))


def searches_meant(words: list[str]) -> list[str] | None:
    """`delete NAME` is `--delete NAME`; a name alone is to be searched for."""
    if len(words) > 1 and words[0].casefold().lstrip("-") in _OFF:
        return [part for word in words[1:] for part in ("--delete", word)]
    return ["..", "query", "--saved", words[0]] if len(words) == 1 and not words[0].startswith("-") else None


def lists_meant(words: list[str]) -> list[str] | None:
    """Tags after `tags` are to be searched for; with ids they are to be given: `add beach 49`."""
    if any(word.isdecimal() or word.casefold().lstrip("-") in _OFF | _ON for word in words):
        made = tags_meant([word.lstrip("-") for word in words])
        return ["..", "tag", *made] if made else None
    return ["..", "query", *(f"tag:{word}" for word in words)] if words and not words[0].startswith("-") else None


def left_marks_meant(words: list[str]) -> list[str] | None:
    """`move 49` is `49 --move`; `delete all` is `--all --delete`."""
    options = [f"--{word}" for word in words if word in ("move", "delete", "all")]
    return [word for word in words if f"--{word}" not in options] + options if options else None


def likes_meant(words: list[str]) -> list[str] | None:
    """`--like photo.jpg` is `--image photo.jpg`: the value is a file, and no id."""
    made = list(words)
    for place, (option, value) in enumerate(itertools.pairwise(words)):
        if option == "--like" and not value.isdecimal() and is_file(value):
            made[place] = "--image"
    return made if made != words else None


def saves_meant(words: list[str]) -> list[str] | None:
    """`red boats` lacks the name: `NAME "red boats"`."""
    return ["NAME", *words] if len(words) == 1 and not words[0].startswith("-") else None
