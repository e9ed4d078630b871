"""Options that say which library is meant, and which services beyond its folder it uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
_META: Final = "sightline.services"


def _note(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    context.meta[f"{_META}.{parameter.name}"] = value


def library_options(
    then: Callable[[click.Context, click.Parameter, Path | None], Any], **options: Any
) -> Callable[[_Command], _Command]:
    """The options --library, --vectors and --thumbnails, as one decorator.

    Args:
        then: the callback of --library: it gets the folder of the library, see `store.remote.folder_of`; None where
            none of the three was given.
        **options: of --library, as click takes them; `help` among them.
    """

    def folder(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
        vectors, thumbnails = (context.meta.get(f"{_META}.{name}") for name in ("vectors", "thumbnails"))
        if value is None and vectors is None and thumbnails is None:
            return then(context, parameter, None)
        from store.paths import default_library  # help and version need none of it
        from store.remote import folder_of

        given = default_library() if value is None else value
        path = folder_of(given, vectors, thumbnails)
        if path.exists() and not path.is_dir():
            raise click.BadParameter(f"{path} is a file, not a folder.", ctx=context, param=parameter)
        return then(context, parameter, path)

    def decorate(command: _Command) -> _Command:
        own = {name for each in getattr(command, "__click_params__", ()) for name in each.opts}
        # Both are read before --library, whatever their order.
        thumbnails = click.option(
            "--thumbnails", metavar="URL", default=None, is_eager=True, expose_value=False, callback=_note,
            help="Where thumbnails and previews are kept, as s3://BUCKET/FOLDER; `local`: in the library's folder. "
            "Default: as before, at first `local`.",
        )  # fmt: skip
        for option in (
            thumbnails,
            click.option(
                "--vectors", metavar="URL", default=None, is_eager=True, expose_value=False, callback=_note,
                help="A Qdrant server, as http://HOST:6333, that searches the vectors; `edge` for its engine in this "
                "process, `local` for Sightline's own. Default: as before, at first `local`.",
            ),
            click.option("--library", "library_path", metavar="DIR|URL", callback=folder, **options),
        ):  # fmt: skip
            # `backup` has had a flag of this name for longer.
            command = command if "--thumbnails" in own and option is thumbnails else option(command)
        return command

    return decorate
