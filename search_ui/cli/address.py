"""The command that prints the address of the page with the token in it, or the header for programs."""

from __future__ import annotations

from typing import Final

import click

from search_ui.cli.options import echo, library_option, port_option, write_lines
from sightline_cli.mistakes import Command


@click.command(cls=Command)
@library_option
@port_option
@click.option("--header", is_flag=True, help="Print the header that programs send: Authorization: Bearer TOKEN.")
@click.option("--new", is_flag=True, help="Make another token first. Servers take it when they are started again.")
def address(port: int, header: bool, new: bool) -> None:
    """Print the address of the page, with the token that lets a browser in."""
    from search_ui.server.tokens import renew, token_of
    from store.paths import default_library

    library = default_library()
    token = renew(library) if new else token_of(library)
    write_lines([f"Authorization: Bearer {token}" if header else f"http://127.0.0.1:{port}/?token={token}"])
    if new:
        echo("Made another token. Servers take it when they are started again.", err=True)


COMMANDS: Final = (address,)
