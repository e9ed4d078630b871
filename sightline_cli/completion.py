"""The command `completion`, which prints what a shell needs to complete the words of `sightline`."""

from __future__ import annotations

from typing import Final

import click

from sightline_cli.calls import COMMAND
from sightline_cli.mistakes import Command

COMPLETE: Final = "_SIGHTLINE_COMPLETE"
"""The variable by which a shell asks for completions, as click reads it."""


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what SHELL needs to complete commands, options, tags and saved searches.

    \b
    bash   add to ~/.bashrc:   eval "$(sightline completion bash)"
    zsh    add to ~/.zshrc:    eval "$(sightline completion zsh)"
    fish   once:  sightline completion fish > ~/.config/fish/completions/sightline.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None, shell
    click.echo(made(context.find_root().command, {}, COMMAND, COMPLETE).source())
