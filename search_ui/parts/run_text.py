"""Runs of the indexer as words for people: how far one is, and what came of it. Plain text; who shows it escapes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from search_ui.runtime.index_runs import Run
from sightline.humanize import count
from store.progress import BOUND_BY, Phase, Progress

_PHASES: Final[Mapping[Phase, str]] = {
    "looking": "Looking for what is new",
    "loading": "Loading the model",
    "indexing": "Indexing",
    "finishing": "Finishing",
}
# The first pictures wait for much that the others do not: of fewer than this the time left can't be told.
ENOUGH: Final = 20
# What a summary counts, in the order people want to read it; without those that are 0.
_COUNTED: Final = (
    ("added", "added"), ("changed", "changed"), ("moved", "moved"), ("duplicates", "copies of others"),
    ("restored", "back again"), ("missing", "gone"), ("forgotten", "forgotten"), ("failed", "failed"),
    ("unchanged", "unchanged"),
)  # fmt: skip


def heading(progress: Progress) -> str:
    """What a run is doing, and how much of it is done."""
    phase = _PHASES[progress.phase]
    if progress.phase != "indexing" or not progress.done:
        return phase
    if progress.total is None:
        return f"{phase}: {count(progress.done, 'picture')} so far"
    return f"{phase}: {progress.done:,} of {count(progress.total, 'picture')}"


def details(progress: Progress) -> str:
    """How quick a run is, what bounds it, what failed, and the time that is left; empty before there is anything."""
    said = []
    if progress.phase == "indexing" and progress.rate > 0 and progress.done:
        said.append(f"{progress.rate:.{0 if progress.rate >= 10 else 1}f} pictures/s")
        if progress.bound_by in BOUND_BY:
            said.append(f"bound by {BOUND_BY[progress.bound_by]}")
        if progress.total is not None and progress.done >= ENOUGH:
            said.append(f"{duration((progress.total - progress.done) / progress.rate)} left")
    if progress.failed:
        said.append(f"{progress.failed:,} failed")
    return " · ".join(said)


def share(progress: Progress) -> float | None:
    """How much of a run is done, 0 to 1; None where that can't be known yet."""
    if progress.total is None or progress.phase in ("looking", "loading"):
        return None
    return min(1.0, progress.done / progress.total) if progress.total else 1.0


def duration(seconds: float) -> str:
    """A time that nobody needs to the second: `12 seconds`, `about 3 minutes`, `about 2 hours`."""
    seconds = max(0.0, seconds)
    if seconds < 90:
        return count(round(seconds), "second")
    minutes = round(seconds / 60)
    return f"about {minutes} minutes" if minutes < 90 else f"about {count(round(minutes / 60), 'hour')}"


def summary(of: Mapping[str, Any]) -> str:
    """What a run did, from its summary: `12 added, 3 failed; 12 pictures encoded in 4 seconds, 3.1 pictures/s`."""
    counted = [f"{of[name]:,} {said}" for name, said in _COUNTED if of.get(name)]
    text = ", ".join(counted) or "no pictures found"
    if of.get("encoded"):
        working = max(0.0, float(of.get("seconds", 0)) - float(of.get("loading", 0)))
        text += f"; {count(of['encoded'], 'picture')} encoded in {duration(working)}, {of.get('rate', 0):.1f} a second"
    if of.get("not_in_space"):
        text += (
            f". Searches keep to the space they use: {count(of['not_in_space'], 'picture')} of the library "
            f"{'is' if of['not_in_space'] == 1 else 'are'} not in this one yet"
        )
    return text


def outcome(run: Run) -> str:
    """How a run that is over ended, in a sentence or two."""
    if run.state == "failed":
        return f"It could not be done. {_reason(run)}"
    if run.state == "stopped":
        did = f" Until then: {summary(run.found[-1])}." if run.found and run.what != "verify" else ""
        return f"Stopped. What was done is kept; index again to go on from there.{did}"
    if run.what == "verify":
        wrong = [finding for finding in run.found if finding.get("state") == "wrong"]
        repaired = [finding for finding in run.found if finding.get("state") == "repaired"]
        if wrong:
            return f"Verified: {count(len(wrong), 'part')} of the library must be mended."
        return "Verified: all is well." + (f" {count(len(repaired), 'part')} repaired." if repaired else "")
    return f"Done: {summary(run.found[-1])}." if run.found else "Done."


def _reason(run: Run) -> str:
    errors = [line.removeprefix("Error: ") for line in run.said if line.startswith("Error: ")]
    if errors:
        return errors[-1]
    return run.said[-1] if run.said else f"The indexer ended with code {run.code} and said nothing."
