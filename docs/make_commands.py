"""Write docs/commands.md from the command lines' own help: python docs/make_commands.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

TARGET = Path(__file__).parent / "commands.md"
HEAD = """# Commands

What `--help` says, of every command. Made by `python docs/make_commands.py`; a test holds the two together.

Without an installed `sightline`: `python -m indexer` takes the commands under "Index", and a folder alone;
`python -m search_ui` takes the others.
"""


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Context]]:
    """Every command of a group under its full name, the group first."""
    settings = {**group.context_settings, "terminal_width": 100, "max_content_width": 100}
    context = click.Context(group, info_name=name, **settings)
    yield name, context
    for child in group.list_commands(context):
        command = group.get_command(context, child)
        assert command is not None
        yield f"{name} {child}", click.Context(command, info_name=child, parent=context, terminal_width=100)


def text() -> str:
    """The page."""
    from sightline_cli.__main__ import cli

    parts = [HEAD]
    for title, context in commands(cli, "sightline"):
        parts.append(f"\n## {title}\n\n```text\n{context.get_help()}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
