"""The command `label`: which of the given words suits each picture best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Literal

import click

from search_ui.cli.options import (
    check_one_form,
    check_raw,
    complete_space,
    csv_option,
    echo,
    filled_searcher,
    json_option,
    library_option,
    offline_option,
    parsed,
    raw_option,
    with_progress,
    write_lines,
)
from sightline_cli.mistakes import Command, joined
from store.printing import json_text

# Nothing heavy up here: --help answers at once.
if TYPE_CHECKING:
    from sightline.labels import Labelled
    from store.tables.filters import Filter

Form = Literal["json", "csv", "lines"]


@click.command(cls=Command, meant=lambda words: None if words else ["cat", "dog", "car"])
@click.argument("labels", nargs=-1, required=True)
@click.option(
    "--template",
    "templates",
    multiple=True,
    metavar="TEXT",
    help="The text around a label, which goes where {} is; several are averaged.  [default: what suits the model]",
)
@click.option("--filter", "filters", default="", metavar="TEXT", help='Which pictures: "date:2023 camera:sony".')
@click.option("--folder", "folders", multiple=True, metavar="NAME", help="Only pictures in folders of this name.")
@click.option("--space", metavar="NAME", shell_complete=complete_space, help="Another of the library's models.")
@click.option("--none/--no-none", "none", default=True, help="Whether a picture may be none of these.  [default: none]")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="The N best labels of each picture.",
)
@json_option
@csv_option
@raw_option
@library_option
@offline_option
def label(
    labels: Sequence[str], templates: Sequence[str], filters: str, folders: Sequence[str], space: str | None,
    none: bool, top: int, as_json: bool, as_csv: bool, raw: bool,
) -> None:  # fmt: skip
    """Say which of LABELS suits each picture best: `label<TAB>probability<TAB>path` lines.

    \b
    label cat dog car
    label "a red car,a blue car"
    """
    check_one_form(json=as_json, csv=as_csv)
    check_raw(raw, as_csv)
    from sightline import labels as zero_shot
    from sightline.humanize import count

    names = zero_shot.split_labels(",".join(labels))
    _check_labels(names, filters)
    chosen, named = filters_in(filters, folders)
    searcher = filled_searcher()
    found = zero_shot.label(
        searcher.library, searcher.encoders, searcher.space(space or named, words=True), names,
        templates=templates or None, filters=chosen, none=none, top=top,
    )  # fmt: skip
    totals: Counter[str] = Counter()
    form: Form = "json" if as_json else "csv" if as_csv else "lines"
    lines = _label_lines(with_progress(found, "labelling"), totals, form, raw=raw)
    write_lines(lines, exact=as_csv)
    most = ", ".join(f"{number} {name}" for name, number in totals.most_common(10))
    echo(f"{count(totals.total(), 'picture')}{': ' if most else ''}{most}", err=True)


def _check_labels(names: Sequence[str], filters: str) -> None:
    """Refuse filters among the labels: each picture would be said to show them or not.

    Raises:
        click.UsageError: has the right form.
    """
    from sightline.query.parser import parse
    from sightline.query.types import QueryError

    def is_filter(name: str) -> bool:
        try:
            wanted = parse(name)
        except QueryError:
            return False
        return not wanted.groups and bool(wanted.filters or wanted.space)

    found = [name for name in names if ":" in name and is_filter(name)]
    if found:
        text = " ".join([*found, *([filters] if filters else [])])
        form = joined([*(name for name in names if name not in found), "--filter", text])
        path = click.get_current_context().command_path
        raise click.UsageError(f"{found[0]!r} is a filter, not a label. To do that: {path} {form}")


def filters_in(text: str, folders: Sequence[str]) -> tuple[list[Filter], str | None]:
    """The filters of a text in the query language and of names of folders, and the space it names, if any.

    Raises:
        QueryError: the text is wrong or has words to look for, or no folder can have such a name.
    """
    from sightline.query.types import QueryError
    from store.tables.filters import Folder

    wanted = parsed(text)
    if wanted.groups:
        raise QueryError(f"{text!r} has words to look for; --filter takes filters only, as in date:2023 camera:sony.")
    try:
        named = [Folder(tuple(folders))] if folders else []
    except ValueError as error:
        raise QueryError(f"{error}") from error
    return [*wanted.filters, *named], wanted.space


def _label_lines(found: Iterable[Labelled], totals: Counter[str], form: Form, *, raw: bool) -> Iterator[str]:
    from sightline import records
    from sightline.labels import NONE_OF_THESE
    from store.paths import as_json, to_bytes, to_path

    if form == "csv":
        yield records.csv_line(("id", "rank", "label", "probability", "path", "path_b64"))
    for picture in found:
        totals[picture.best.label or NONE_OF_THESE] += 1
        photo = picture.photo
        guesses = [(guess.label, round(guess.probability, 6)) for guess in picture.guesses]
        if form == "json":
            yield json_text(records.labelled(picture))
        elif form == "csv":
            path = as_json(to_bytes(to_path(photo.root, photo.path)))
            where = (path.get("path"), path.get("path_b64"))
            for rank, (name, probability) in enumerate(guesses, 1):
                yield records.csv_line((photo.content_id, rank, name or NONE_OF_THESE, probability, *where), raw=raw)
        else:
            for name, probability in guesses:
                yield f"{name or NONE_OF_THESE}\t{probability:.4f}\t{records.shown(photo)}"


COMMANDS: Final = (label,)
