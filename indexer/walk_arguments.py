"""The options of the command line that say how folders are walked, and which their roots keep."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import click

from store.walk_options import WalkChoice
from store.wildcards import MAX_WILDCARDS

MAX_PATTERN: Final = 1_000
"""Characters of one pattern."""

_OPTIONS: Final = (
    click.option(
        "--exclude",
        multiple=True,
        metavar="GLOB",
        help="Leave out names, or paths from the folder where it holds a /, that match. May be repeated; takes the "
        "place of what was excluded before.",
    ),
    click.option("--no-exclude", is_flag=True, help="Leave out nothing by its name any more."),
    click.option("--hidden/--no-hidden", default=None, help="Take what has a name that starts with a dot, too."),
    click.option(
        "--follow-symlinks/--no-follow-symlinks",
        default=None,
        help="Follow links to files and folders; loops are walked once.",
    ),
    click.option(
        "--caches/--no-caches",
        default=None,
        help="Take recycle bins, and caches and thumbnails of other programs, too.",
    ),
)


def walk_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which is given them as `walk`, a `WalkChoice`."""

    @functools.wraps(command)
    def called(
        *values: Any, exclude: tuple[str, ...], no_exclude: bool, hidden: bool | None, follow_symlinks: bool | None,
        caches: bool | None, **named: Any,
    ) -> Any:  # fmt: skip
        if exclude and no_exclude:
            raise click.UsageError("--exclude and --no-exclude were both given. Leave one out.")
        if not all(pattern.strip().strip("/") for pattern in exclude):
            raise click.UsageError("--exclude was given an empty pattern. Give a name, or --no-exclude.")
        for pattern in exclude:
            if len(pattern) > MAX_PATTERN or pattern.count("*") > MAX_WILDCARDS:
                raise click.UsageError(
                    f"--exclude takes up to {MAX_PATTERN:,} characters and {MAX_WILDCARDS} stars in a pattern; "
                    f"{pattern[:40]!r}... has {len(pattern):,} and {pattern.count('*')}. Give a shorter one."
                )
        chosen = exclude if exclude or no_exclude else None
        return command(*values, walk=WalkChoice(chosen, hidden, follow_symlinks, caches), **named)

    for option in reversed(_OPTIONS):
        called = option(called)
    return called
