"""The options of the command line that say where files are read and encoded."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final

import click

_ADDRESS: Final = re.compile(r"ray|ray://[^/\s]+:\d+")

_OPTIONS: Final = (
    click.option(
        "--on",
        default=None,
        metavar="CLUSTER",
        help="Read and encode on a Ray cluster: ray://HOST:PORT; ray is the one that RAY_ADDRESS names, else one of "
        "this machine for this run. Default: in this process.",
    ),
    click.option(
        "--on-workers",
        type=click.IntRange(1, 10_000),
        default=None,
        metavar="N",
        help="With --on: how many workers, each with the models in its memory. Default: as many as there is room for.",
    ),
    click.option(
        "--on-cpus",
        type=click.IntRange(1, 1_024),
        default=None,
        metavar="N",
        help="With --on: cores of each worker. Default: up to 4; with GPUs an equal share of the cores, up to 16.",
    ),
    click.option(
        "--stall-seconds",
        type=click.FloatRange(1, 86_400),
        default=None,
        metavar="N",
        help="With --on: seconds without a file that was read, after which the run gives up. Default: 900.",
    ),
)


def on_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which is given them as `on`, an `OnRay`, or None."""

    @functools.wraps(command)
    def called(
        *values: Any, on: str | None, on_workers: int | None, on_cpus: int | None, stall_seconds: float | None,
        **named: Any,
    ) -> Any:  # fmt: skip
        if on is None:
            given = {"--on-workers": on_workers, "--on-cpus": on_cpus, "--stall-seconds": stall_seconds}
            for name, value in given.items():
                if value is not None:
                    raise click.UsageError(
                        f"{name} is for runs on a cluster: say which, as in --on ray {name} {value}."
                    )
            return command(*values, on=None, **named)
        if not _ADDRESS.fullmatch(on):
            raise click.BadParameter(f"{on!r} is no cluster. Say ray, or ray://HOST:PORT.", param_hint="--on")
        if named.get("decode_on") == "gpu":
            raise click.UsageError("--decode-on gpu is for runs in this process. Leave it out, or --on.")
        from indexer.options import OnRay  # help needs nothing of it

        stall = {} if stall_seconds is None else {"stall_seconds": stall_seconds}
        return command(*values, on=OnRay(on, on_workers, on_cpus, offline=named["offline"], **stall), **named)

    for option in reversed(_OPTIONS):
        called = option(called)
    return called
