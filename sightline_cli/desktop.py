"""The command `desktop-entry`: Sightline in the menu of programs of a Linux desktop."""

from __future__ import annotations

import os
import re
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from sightline_cli.calls import COMMAND
from sightline_cli.mistakes import Command

_ENTRY: Final = """[Desktop Entry]
Type=Application
Version=1.5
Name=Sightline
GenericName=Picture search
Comment=Find your own pictures by describing them, or by showing one
Exec={command} --browser
Icon={icon}
Terminal=true
Categories=Graphics;Photography;Viewer;
Keywords=photos;pictures;images;search;duplicates;
"""


@click.command("desktop-entry", cls=Command)
@click.option("--install", is_flag=True, help="Write it, and the icon, where your desktop finds them.")
@click.option("--remove", is_flag=True, help="Remove both.")
def desktop_entry(install: bool, remove: bool) -> None:
    """Print a desktop entry that opens the page, for the menu of programs of a Linux desktop.

    The page runs in a terminal window: closing that stops it.
    """
    if install and remove:
        raise click.UsageError("Use either --install or --remove.")
    data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    entry = data / "applications" / "sightline.desktop"
    icon = data / "icons" / "hicolor" / "scalable" / "apps" / "sightline.svg"
    if remove:
        entry.unlink(missing_ok=True)
        icon.unlink(missing_ok=True)
        click.echo(f"Removed {entry}", err=True)
    elif install:
        for target in (entry, icon):
            target.parent.mkdir(parents=True, exist_ok=True)
        icon.write_bytes(files("sightline_cli").joinpath("sightline.svg").read_bytes())
        entry.write_text(_text(), encoding="utf-8")
        click.echo(f"Sightline is in the menu of programs: {entry}", err=True)
    else:
        click.echo(_text(), nl=False)


def _text() -> str:
    return _ENTRY.format(command=_quoted(_program()), icon="sightline")


def _program() -> str:
    """The command `sightline` of this environment, in full: a desktop has another search path than a shell."""
    beside = Path(sys.executable).with_name(COMMAND)
    return str(beside) if beside.exists() else shutil.which(COMMAND) or COMMAND


def _quoted(word: str) -> str:
    """Quote an argument of `Exec` (Desktop Entry Specification 1.5, "The Exec key")."""
    if re.fullmatch(r"[\w@+=:,./-]+", word, re.ASCII):
        return word
    escaped = re.sub(r'([\\"`$])', r"\\\1", word)
    # The value of a key is unescaped once more, and a percent sign begins a code.
    return '"' + escaped.replace("\\", "\\\\").replace("%", "%%") + '"'
