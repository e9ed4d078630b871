"""What a run did, in the lines at its end, on stderr."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from indexer.summary import Summary
from sightline.humanize import count
from sightline.run_words import counted
from sightline_cli.calls import as_called
from store.printing import printable
from store.progress import BOUND_BY
from store.remote import shown


def print_summary(stream: TextIO, summary: Summary, library: Path, *, verbose: bool) -> None:
    """The end of a run in a few lines; `verbose` adds what limited its speed."""
    told = counted(asdict(summary))
    lines = [f"{told[:1].upper()}{told[1:]}."]
    models = "model" if len(summary.spaces) == 1 else "models"
    if summary.encoded and verbose:
        lines.append(
            f"{count(summary.encoded, 'picture')} encoded in {summary.seconds - summary.loading:.1f} s "
            f"({summary.rate:.1f} pictures/s), limited by: {BOUND_BY[summary.bound_by]}; "
            f"loading the {models} took {summary.loading:.1f} s."
        )
    if summary.caches:
        number = sum(summary.caches.values())
        named = ", ".join(list(summary.caches)[:3]) + (", ..." if len(summary.caches) > 3 else "")
        lines.append(
            f"{count(number, 'folder')} of other programs, bins and caches, {'was' if number == 1 else 'were'} left "
            f"out: {named}; --caches takes them."
        )
    lines += [f"Warning: --exclude {pattern} left nothing out." for pattern in summary.unmatched]
    if summary.not_in_space:
        lines.append(
            f"Searches use the model {summary.searched_space}: {summary.spaces[0]} has not seen "
            f"{count(summary.not_in_space, 'picture')} of the library yet. Index their folders with the same --space."
        )
    elif len(summary.spaces) == 1 and summary.searched_space not in ("", *summary.spaces):
        lines.append(
            f"Words are searched with the model {summary.searched_space}, as {summary.spaces[0]} reads none: in a "
            f"query, space:{summary.spaces[0]} chooses it."
        )
    lines += [
        f"The model {space['name']} is behind by {count(space['pictures'], 'picture')}: {space['reason']}"
        for space in summary.behind
        if not (summary.not_in_space and space["name"] in summary.spaces)
    ]
    if summary.marks_left:
        changed = "1 marked picture" if summary.marks_left == 1 else f"{summary.marks_left} marked pictures"
        theirs = "its" if summary.marks_left == 1 else "their"
        lines.append(
            f"{changed} changed; {theirs} marks stayed with the old version. `status` lists them, and "
            "`python -m search_ui left-marks` moves or deletes them."
        )
    if summary.marks_file:
        lines.append(f"All marks as they were before are in {summary.marks_file}")
    if summary.not_forgotten:
        number = summary.not_forgotten
        lines.append(f"{count(number, 'missing photo')} {'was' if number == 1 else 'were'} not forgotten.")
    if summary.failed:
        lines.append("Why files failed: python -m indexer failures")
    lines.append(f"Library {shown(library)}, {models} {', '.join(summary.spaces)}.")
    stream.write(printable(as_called("\n".join(lines)), "\n") + "\n")
