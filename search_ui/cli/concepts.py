"""The commands for concepts: words that are taught by pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from search_ui.cli.options import (
    complete_concept,
    complete_space,
    echo,
    filled_searcher,
    json_option,
    library_option,
    offline_option,
    write_lines,
)
from sightline_cli.mistakes import Command
from store.printing import json_text


def _ids(context: click.Context, parameter: click.Parameter, given: Sequence[str]) -> list[int]:
    """The ids in lists of them with commas between."""
    for value in given:
        if not re.fullmatch(r"\s*[1-9]\d{0,17}\s*(,\s*[1-9]\d{0,17}\s*)*", value, re.ASCII):
            raise click.BadParameter(
                f"{value!r} is no list of ids, as in 12,40,7. `query --json` gives the ids of pictures."
            )
    return [int(part) for value in given for part in value.split(",")]


def _taught(words: list[str]) -> list[str] | None:
    """`teach boat 1 2` is `teach boat --like 1,2`."""
    names = [word for word in words if not word.startswith("-") and not re.fullmatch(r"[\d,]+", word)]
    ids = [word for word in words if re.fullmatch(r"[\d,]+", word)]
    if any(word.startswith("-") for word in words) or len(names) > 1:
        return None
    return [*(names or ["NAME"]), "--like", ",".join(ids) or "ID,ID,ID"]


@click.command(cls=Command, meant=_taught)
@click.argument("name", shell_complete=complete_concept)
@click.option("--like", "examples", multiple=True, callback=_ids, metavar="IDS",
              help="Pictures that show it: ids with commas between; may be given again.")  # fmt: skip
@click.option("--unlike", "others", multiple=True, callback=_ids, metavar="IDS",
              help="Pictures that do not show it.")  # fmt: skip
@click.option("--without", multiple=True, callback=_ids, metavar="IDS",
              help="Pictures that shall teach it no more.")  # fmt: skip
@click.option("--space", metavar="NAME", shell_complete=complete_space,
              help="The model that learns it now; without it that of searches. Others learn it in "
              "the first search with them.")  # fmt: skip
@json_option
@library_option
@offline_option
def teach(
    name: str, examples: Sequence[int], others: Sequence[int], without: Sequence[int], space: str | None, as_json: bool
) -> None:
    """Teach the word NAME by pictures, or teach it more: `query concept:NAME` then finds such pictures.

    It takes three examples at least; eight are better, and so are counter-examples that look alike.
    """
    if not examples and not others and not without:
        raise click.UsageError("There is nothing to learn from: give --like IDS, --unlike IDS or --without IDS.")
    from sightline import concepts

    record = concepts.teach(filled_searcher(), name, examples, others, without=without, space=space)
    if as_json:
        write_lines([json_text(record)])
    for line in _lines(record):
        echo(line, err=True)
    if record["note"]:
        echo(f"Kept, but not learnt: {record['note']}", err=True)


@click.command("concepts", cls=Command)
@click.option("--delete", "deleted", multiple=True, metavar="NAME", shell_complete=complete_concept,
              help="Delete this one; may be given again. Its pictures stay.")  # fmt: skip
@json_option
@library_option
def list_concepts(deleted: Sequence[str], as_json: bool) -> None:
    """List the words that were taught, and how sure each model is of them: `name<TAB>how sure` lines."""
    from sightline import concepts
    from sightline.humanize import count
    from sightline.query.types import QueryError

    searcher = filled_searcher()
    for name in deleted:
        if not concepts.forget(searcher, name):
            raise QueryError(f"There is no concept {name!r}. `concepts` lists them.")
    if deleted:
        echo(f"{count(len(deleted), 'concept')} deleted", err=True)
        return
    found = concepts.listed(searcher)
    if as_json:
        write_lines(json_text(record) for record in found)
    else:
        write_lines(line.replace(": ", "\t", 1) for record in found for line in _lines(record))
    if not found:
        echo("There are no concepts yet. python -m search_ui teach NAME --like ID,ID,ID makes one.", err=True)


def _lines(record: Mapping[str, Any]) -> list[str]:
    """How sure each model is of a concept, a line for each."""
    name = record["name"]
    if not record["spaces"]:
        given = f"{len(record['examples'])} examples, {len(record['counter_examples'])} counter-examples"
        return [f"{name}: {given}; no model has learnt it yet"]
    return [f"{name}: {each['sure']} ({each['space']})" for each in record["spaces"]]


COMMANDS: Final = (teach, list_concepts)
