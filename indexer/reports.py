"""Output of `status`, `failures`, `spaces`, `verify`: data on stdout; with JSON, one object a line."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from indexer.messages import echo
from sightline.humanize import ago, count, size
from sightline.left_marks import left_marks_record, left_marks_text
from sightline.models.changes import split
from sightline.run_words import PHASES, counted, of_bytes
from store import progress
from store.errors import LibraryError
from store.library import Library
from store.lock import is_indexing, locked, unwritable_message
from store.paths import as_json, display, to_bytes
from store.printing import printable
from store.progress import Progress
from store.remote import has_library, shown
from store.tables import tiles
from store.tables.library_reports import remarks
from store.tables.space_choice import lacking
from store.vectors.engine import EngineFacts

if TYPE_CHECKING:
    from indexer.finding import Finding


_STATES: Final = {"running": "at work", "interrupted": "stopped before its end", "killed": "ended before its end"}
"""What a run in such a state is called."""


def _print_json(record: dict[str, Any]) -> None:
    click.echo(json.dumps(record, ensure_ascii=True))


def print_status(library: Library, as_lines: bool) -> None:
    """Totals, folders, spaces and the last run of a library."""
    with library:
        catalog = library.catalog
        default = catalog.default_space()
        counts = catalog.counts(default.id if default else None)
        roots, spaces, last = catalog.roots(), catalog.spaces(), catalog.last_run()
        behind = lacking(catalog)
        left = library.marks.left()
        cut = tiles.counts(catalog.engine)
    running, now = is_indexing(library.path), progress.read(library.path)
    if as_lines:
        _print_json(
            {
                "library": display(to_bytes(library.path)) if library.remote.database is None else shown(library.path),
                **asdict(counts),
                "indexing": running,
                "progress": None if now is None else asdict(now),
                "space": default.name if default else None,
                "roots": [{**as_json(root.path), "photos": root.photos, "missing": root.missing, "failed": root.failed,
                           "last_walked_at": root.last_walked_at, "options": root.options.to_dict()} for root in roots],
                "spaces": [{"name": space.name, "key": space.key, "dim": space.dim, "vectors": space.count,
                            "behind": behind[space.id], "index": library.vectors.facts(space.id),
                            "tiles": asdict(cut[space.id]) if space.id in cut else None} for space in spaces],
                "last_run": last,
                "left_marks": [left_marks_record(each) for each in left],
            }
        )  # fmt: skip
        return
    echo(f"Library   {shown(library.path)}{f'  (an indexer is at work on it{_far(now)})' if running else ''}")
    click.echo(
        f"Pictures  {counts.pictures} in {counts.photos} files; {counts.missing} missing, {counts.failed} failed"
    )
    for root in roots:
        checked = f"checked {ago(root.last_walked_at)}" if root.last_walked_at else "scan not finished"
        echo(f"Folder    {root.display}  {root.photos} files, {root.missing} missing, {root.failed} failed; {checked}")
        if words := root.options.in_words():
            echo(f"          walked with: {'; '.join(words)}")
    for space in spaces:
        mark = "  (active)" if default and space.id == default.id else ""
        lacks = f", {behind[space.id]} behind" if behind[space.id] else ""
        echo(f"Model     {space.name}  {space.count} pictures{lacks}{mark}")
        click.echo(f"Index     {_index(library.vectors.facts(space.id))}")
        if (own := cut.get(space.id)) is not None:
            click.echo(
                f"Tiles     {own.grid} along the shorter side; {count(own.tiles, 'tile')} of "
                f"{count(own.pictures, 'picture')}, {size(own.bytes)} in the database and as much in the index"
            )
    if last:
        echo(f"Last run  {_last_run(last)}")
        for space in (last["summary"] or {}).get("behind", []):
            echo(f"          {space['name']} stayed behind by {space['pictures']}: {space['reason']}")
    for each in left:
        echo(f"Left      {left_marks_text(each)}")


def _index(facts: EngineFacts | None) -> str:
    if facts is None:
        return "not written yet; searches make it in memory"
    on_disk, in_memory = facts["disk_bytes"] / 1e6, facts["memory_bytes"] / 1e6
    text = f"{facts['tier']}, {on_disk:,.1f} MB on the disk, {in_memory:,.1f} MB in memory"
    if (measured := facts["measured"]) is None:
        return text
    text += f"; recall@10 {measured['recall']:.3f}, {measured['milliseconds']:.1f} ms"
    return f"{text} (exact {measured['exact_milliseconds']:.1f})" if "exact_milliseconds" in measured else text


def _last_run(last: Mapping[str, Any]) -> str:
    """When a run was, in words, and what came of it."""
    state, summary = last["state"], last["summary"] or {}
    done = f": {counted(summary)}" if state == "done" else f", {_STATES.get(state, state)}"
    return f"{ago(last['finished_at'] or last['started_at'])}{done}"


def _far(now: Progress | None) -> str:
    if now is None:
        return ""
    if now.phase == "downloading":
        return f": {', '.join(filter(None, (PHASES[now.phase].lower(), of_bytes(now))))}"
    return f": {now.done} files so far" if now.total is None else f": {now.done} of {now.total} files"


def print_failures(library: Library, as_lines: bool) -> None:
    """Every failed file: stage, path and reason."""
    number = 0
    with library:
        for failure in library.catalog.failures():
            number += 1
            if as_lines:
                path = os.path.join(failure.root, failure.path)  # noqa: PTH118 - bytes, which pathlib does not take
                _print_json({**as_json(path), "stage": failure.stage, "reason": failure.reason, "size": failure.size,
                             "mtime_ns": failure.mtime_ns, "failed_at": failure.failed_at})  # fmt: skip
            else:
                path = os.path.join(failure.root, failure.path)  # noqa: PTH118 - bytes
                echo(f"{failure.stage}\t{display(path)}\t{printable(failure.reason)}")
    if not number:
        echo("No files failed: every picture could be indexed.", err=True)


def print_remarks(library: Library, as_lines: bool) -> None:
    """Every file that was indexed with a remark: path and remark."""
    number = 0
    with library:
        for path, remark in remarks(library.catalog):
            number += 1
            if as_lines:
                _print_json({**as_json(path), "remark": remark})
            else:
                echo(f"{display(path)}\t{printable(remark)}")
    if not number:
        echo("No files were indexed with a remark.", err=True)


def print_spaces(path: Path, as_lines: bool, every: bool) -> None:
    """Print the presets with their facts, all with `every`, then the spaces of a library, if any."""
    from indexer.model_table import chosen, table_lines

    held = []
    if has_library(path):
        with Library.open(path) as library:
            held = library.catalog.spaces()
    if as_lines:
        for preset in chosen(every=every):
            _print_json({"preset": True, **preset.facts()})
        for space in held:
            _print_json({"preset": False, **asdict(space)})
        return
    for line in table_lines(every=every):
        click.echo(line)
    if held:
        echo(f"\nIn the library {shown(path)}:")
    for space in held:
        side = split(space.model)[1].size
        drift = "" if side is None else f"; at {side} px, not its usual size: quality may fall"
        echo(f"  {space.name}  {space.count} pictures, from {space.model}{drift}")


def print_verification(library: Library, as_lines: bool, files: bool, repair: bool) -> int:
    """Check a library, mend it with `repair`, and print the findings. Returns the exit code.

    With `files`, compare every file with what was indexed, too.

    Raises:
        LibraryError: it is to be mended, and may not be written.
    """
    from indexer.verify import check

    if repair and library.readonly:
        raise LibraryError(unwritable_message(library.path))
    with library, locked(library.path) if repair else nullcontext(), _quiet("store"):
        findings = []
        for finding in check(library, repair=repair):
            findings.append(finding)
            _print_finding(finding, as_lines)
        if files:
            findings.append(_print_files(library, as_lines))
            _print_finding(findings[-1], as_lines)
    return 1 if any(finding.state == "wrong" for finding in findings) else 0


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Keep a logger from warning of what is printed as a finding."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _print_finding(finding: Finding, as_lines: bool) -> None:
    if as_lines:
        _print_json(asdict(finding))
    else:
        echo(f"{finding.state}\t{finding.part}\t{finding.text}")


def _print_files(library: Library, as_lines: bool) -> Finding:
    """Print the files that are not what was indexed, with a progress bar; returns the finding."""
    from indexer.finding import Finding
    from indexer.verify_files import compare

    total = library.catalog.counts().photos
    found: Counter[str] = Counter()
    shows = sys.stderr.isatty()
    with click.progressbar(
        length=total, label="Comparing files", file=sys.stderr, hidden=not shows, show_pos=True
    ) as bar:  # fmt: skip
        for finding in compare(library, bar.update):
            found[finding.state] += 1
            if as_lines:
                _print_json({"state": finding.state, "part": "file", **as_json(finding.path), "text": finding.text})
            else:
                echo(f"{finding.state}\t{display(finding.path)}\t{finding.text}")
    if not found:
        return Finding("ok", "files", f"{total} as they were indexed")
    parts = ", ".join(f"{number} {state}" for state, number in sorted(found.items()))
    return Finding("wrong", "files", f"{total} compared: {parts}. They are listed above.")
