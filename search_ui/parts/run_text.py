"""Texts about runs of the indexer: progress and results. Plain text; the caller escapes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from search_ui.runtime.index_runs import Run
from sightline.humanize import count
from sightline.lost_marks import in_words
from sightline.run_words import PHASES, counted, of_bytes
from store.library import Library
from store.progress import Progress
from store.tables import library_reports
from store.tables.records import RootState

STARTING: Final = "Starting to index"
VERIFYING: Final = "Verifying the library"
# Phases that count pictures.
_COUNTING: Final = ("indexing", "thumbnails")
# With fewer pictures done the time left can't be estimated: the first ones wait for much that others do not.
ENOUGH: Final = 20


def heading(progress: Progress) -> str:
    """Return what a run is doing, and how much of it is done."""
    phase = PHASES[progress.phase]
    if progress.phase == "downloading":
        return ", ".join(filter(None, (phase, of_bytes(progress))))
    if progress.phase not in _COUNTING or not progress.done:
        return phase
    if progress.total is None:
        return f"{phase}: {count(progress.done, 'picture')} so far"
    return f"{phase}: {progress.done:,} of {count(progress.total, 'picture')}"


def details(progress: Progress) -> str:
    """Return the speed of a run, its failures, and the time left; empty at the beginning."""
    parts = []
    if progress.phase in _COUNTING and progress.rate > 0 and progress.done:
        parts.append(f"{progress.rate:.{0 if progress.rate >= 10 else 1}f} pictures/s")
        if progress.total is not None and progress.done >= ENOUGH:
            parts.append(f"{duration((progress.total - progress.done) / progress.rate)} left")
    if progress.failed:
        parts.append(f"{progress.failed:,} unreadable")
    return " · ".join(parts)


def share(progress: Progress) -> float | None:
    """Return how much of a run is done, 0 to 1; None where that is not known yet."""
    if progress.total is None or progress.phase in ("looking", "loading"):
        return None
    return min(1.0, progress.done / progress.total) if progress.total else 1.0


def duration(seconds: float) -> str:
    """Return a rough time: `12 seconds`, `about 3 minutes`, `about 2 hours`."""
    seconds = max(0.0, seconds)
    if seconds < 90:
        return count(round(seconds), "second")
    minutes = round(seconds / 60)
    return f"about {minutes} minutes" if minutes < 90 else f"about {count(round(minutes / 60), 'hour')}"


def summary(of: Mapping[str, Any]) -> str:
    """Return what a run did, from its summary: `1 new, 4 duplicates, 2 unreadable`."""
    text = counted(of)
    if of.get("marks_left"):
        pictures = count(of["marks_left"], "marked picture")
        text += f". {pictures} changed; the marks stayed with the old version, which `left-marks` lists"
    if of.get("marks_file"):
        text += f". All marks as they were before are in {of['marks_file']}"
    if of.get("not_in_space"):
        text += (
            f". Searches use the old model: the new one has not seen {count(of['not_in_space'], 'picture')} of the "
            "library yet"
        )
    for space in of.get("behind", []):
        if not (of.get("not_in_space") and space["name"] in of.get("spaces", [])):
            text += f". The model {space['name']} is behind by {count(space['pictures'], 'picture')}: {space['reason']}"
    if of.get("caches"):
        text += f". {count(sum(of['caches'].values()), 'folder')} of other programs, bins and caches, left out"
    if of.get("unmatched"):
        text += f". Left nothing out: {', '.join(of['unmatched'])}"
    return text


def outcome(run: Run) -> str:
    """Return how a run ended, in a sentence or two."""
    if run.state == "failed":
        return f"It failed. {_reason(run)}"
    if run.state == "stopped":
        did = f" Until then: {summary(run.results[-1])}." if run.results and run.what != "verify" else ""
        return f"Stopped. What was done is kept; index again to go on from there.{did}"
    if run.what == "verify":
        wrong = [finding for finding in run.results if finding.get("state") == "wrong"]
        repaired = [finding for finding in run.results if finding.get("state") == "repaired"]
        if wrong:
            return f"Verified: {count(len(wrong), 'part')} of the library must be repaired; below is how."
        return "Verified: all is well." + (f" {count(len(repaired), 'part')} repaired." if repaired else "")
    done = f"Done: {summary(run.results[-1])}." if run.results else "Done."
    if photos := sum(doubt["photos"] for doubt in run.doubted):
        done += f" {count(photos, 'missing file')} {'was' if photos == 1 else 'were'} not forgotten, because "
        done += f"{count(len(run.doubted), 'whole folder')} may be on a drive that is not mounted."
    return done


def is_mendable(run: Run) -> bool:
    """Whether a check that changed nothing found something wrong."""
    found = {finding.get("state") for finding in run.results}
    return run.what == "verify" and "wrong" in found and not run.repairs


def _reason(run: Run) -> str:
    errors = [line.removeprefix("Error: ") for line in run.log if line.startswith("Error: ")]
    if errors:
        return errors[-1]
    return run.log[-1] if run.log else f"The indexer ended with code {run.code} and no message."


def forgets(library: Library, roots: Sequence[RootState]) -> str:
    """Return what pruning these roots would do, with the numbers."""
    of = library_reports.prunable(library.catalog, [root.id for root in roots])
    text = f"{count(of.photos, 'file')} missing from {count(len(roots), 'folder')} will be forgotten. "
    if not of.pictures:
        text += "Every picture of them is still in another place, so none goes from the library. "
    else:
        text += f"{count(of.pictures, 'picture')} of them {'is' if of.pictures == 1 else 'are'} in no other place and "
        text += f"{'goes' if of.pictures == 1 else 'go'} from the library. "
    if of.losses:
        text += f"Lost for good with them: {in_words(of.losses)}. All marks are first written to a file beside the "
        text += "library, marks-before-DATE.json, which `import-marks` reads. "
    else:
        text += "No tag, favourite or other mark is lost. "
    text += "The folders are checked first: files that are back by then stay, and so do those of folders in them that "
    return text + "are gone or empty as a whole, which may be a drive's."
