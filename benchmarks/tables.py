"""Puts what a benchmark prints where a document says it belongs.

    python benchmarks/tables.py NAME [--document docs/benchmarks.md] -- COMMAND...

Runs COMMAND and writes what it printed on stdout between `<!-- bench:NAME -->` and `<!-- /bench -->` of the document,
under a line with the date, the machine and the versions. What the document says around the markers stays, and nothing
is written when the command fails. A document without these markers is named and left as it is. BENCH_MACHINE in the
environment replaces what is found out about the machine.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
# Those whose version a number may depend on; what is not installed is left out.
PACKAGES = (
    "torch",
    "open_clip_torch",
    "pillow",
    "simplejpeg",
    "numpy",
    "numba",
    "openvino",
    "faiss-gpu",
    "faiss-cpu",
    "hnswlib",
    "usearch",
    "qdrant-edge-py",
    "ray",
)
END = "<!-- /bench -->"


class NoSection(Exception):
    """A document has no such markers, or half of them."""


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column to the left, numbers to the right."""
    lines = [f"| {' | '.join(headers)} |", f"|{'|'.join(['---', *['---:'] * (len(headers) - 1)])}|"]
    return "\n".join([*lines, *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)])


def replaced(text: str, name: str, body: str) -> str:
    """`text` with `body` between the markers of `name`, and every other character as it was.

    Raises:
        NoSection: `text` has not exactly one opening marker of that name, or no closing one before the next opening.
    """
    begin = f"<!-- bench:{name} -->"
    if text.count(begin) != 1:
        raise NoSection(f"{begin} is there {text.count(begin)} times; it has to be there once")
    before, after = text.split(begin)
    inside, end, rest = after.partition(END)
    if not end or "<!-- bench:" in inside:
        raise NoSection(f"{begin} has no {END} after it")
    return f"{before}{begin}\n{body.strip()}\n{END}{rest}"


def machine() -> str:
    """This machine in words: cores, processor, half-precision instructions, memory."""
    given = os.environ.get("BENCH_MACHINE")
    if given:
        return given
    try:
        said = Path("/proc/cpuinfo").read_text()
    except OSError:
        said = ""
    found = re.search(r"^model name\s*:\s*(.+)$", said, re.M)
    flags = [word for flag, word in (("avx512_bf16", "AVX-512 BF16"), ("amx_bf16", "AMX")) if flag in said.split()]
    extra = f" with {', '.join(flags)}" if flags else ""
    return f"{os.cpu_count()} cores of {found[1] if found else platform.machine()}{extra}{_memory()}"


def _memory() -> str:
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return ""
    return f", {size / 2**30:.0f} GiB"


def versions(names: Iterable[str] = PACKAGES) -> str:
    """Python's version and those of packages that are installed."""
    said = [f"Python {platform.python_version()}"]
    for name in names:
        try:
            said.append(f"{name} {version(name).partition('+')[0]}")
        except PackageNotFoundError:
            continue
    return ", ".join(said)


def section(command: Sequence[str], printed: str) -> str:
    """What goes between the markers: what was run where and when, and what it printed."""
    body = printed.strip()
    if not any(line.startswith("|") for line in body.splitlines()):
        body = f"```\n{body}\n```"
    words = ["python" if Path(word).name.startswith("python") else word for word in command]
    for place, word in enumerate(words):
        if Path(word).is_absolute():  # where things lie on this machine is nobody's business
            words[place] = Path(word).name
            body = body.replace(word, words[place])
    return f"`{shlex.join(words)}`, {date.today().isoformat()}: {machine()}; {versions()}.\n\n{body}"


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.option("--document", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=DOCUMENT)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def main(name: str, document: Path, command: tuple[str, ...]) -> None:
    """Run COMMAND and write what it prints into the document's section NAME."""
    begin = f"<!-- bench:{name} -->"
    is_there = begin in document.read_text(encoding="utf-8")
    try:
        if is_there:
            replaced(document.read_text(encoding="utf-8"), name, "")  # before minutes of work, not after
        else:
            click.echo(f"{document.name} has no {begin}: what comes is printed only", err=True)
    except NoSection as error:
        raise click.ClickException(f"{document}: {error}") from error
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            click.echo(line, nl=False)
            lines.append(line)
    if process.returncode:
        click.echo(f"Error: {shlex.join(command)} ended with {process.returncode}; nothing was written.", err=True)
        sys.exit(process.returncode)
    if is_there:
        text = replaced(document.read_text(encoding="utf-8"), name, section(command, "".join(lines)))
        document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
