"""The Library page at a glance: what there is, what is done or behind, and the next sensible thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final, Literal

import streamlit as st

from search_ui.runtime.folder_input import Presence
from sightline.humanize import ago, count, size
from store.tables.records import Counts, RootState, SpaceState

FRESH: Final = timedelta(hours=1)
"""For so long after a check a folder is taken to hold nothing new."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next sensible thing: its button, why, and for a model which one, as `--space` takes it."""

    what: Literal["add", "index", "model", "failures"]
    label: str
    why: str
    model: str = ""


def next_step(
    roots: Sequence[RootState], there: Mapping[int, Presence], held: Sequence[SpaceState], behind: Mapping[int, int],
    failed: int,
) -> Step:  # fmt: skip
    """Return the next sensible thing to do with a library that is at rest.

    Args:
        roots: its folders.
        there: whether each is there now, by its id.
        held: its models, that of searches first.
        behind: how many pictures each model has not seen, by its id.
        failed: how many files could not be read.
    """
    present = [root for root in roots if there[root.id] == "there"]
    lagging = next((space for space in held if behind.get(space.id)), None)
    if not roots:
        return Step("add", "Add a folder", "Nothing is indexed yet.")
    if present and lagging is not None:
        pictures = count(behind[lagging.id], "picture")
        return Step("model", f"Bring {lagging.name} up to date", f"The model {lagging.name} is {pictures} behind.",
                    lagging.model)  # fmt: skip
    checked = [root.last_walked_at for root in present]
    if present and not all(checked):
        return Step("index", "Index what is new", "The last scan was not finished.")
    oldest = min((each for each in checked if each), default=None)
    if oldest is not None and datetime.now(UTC) - datetime.fromisoformat(oldest) > FRESH:
        return Step("index", "Index what is new", f"Checked {ago(oldest)}.")
    if failed:
        return Step("failures", f"Look at {count(failed, 'unreadable file')}", "Everything else is indexed.")
    return Step(
        "add", "Add a folder", "Everything is indexed." if present else "No folder of the library is there now."
    )


def figures(counts: Counts, folders: int, models: int, disk: int, behind: int) -> None:
    """Draw the numbers of a library, and a bar of what is done, behind and unreadable.

    Args:
        counts: of the library.
        folders: how many there are.
        models: likewise.
        disk: bytes that the library takes.
        behind: pictures that the model of searches has not seen.
    """
    shown = (
        (f"{counts.pictures:,}", "picture" if counts.pictures == 1 else "pictures"),
        (f"{folders:,}", "folder" if folders == 1 else "folders"),
        (f"{models:,}", "model" if models == 1 else "models"),
        (size(disk), "on disk"),
    )
    cells = "".join(f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>" for value, name in shown)
    parts = (
        ("done", counts.pictures - behind, f"{counts.pictures - behind:,} done"),
        ("behind", behind, f"{behind:,} behind"),
        ("failed", counts.failed, f"{counts.failed:,} unreadable"),
    )
    bars = "".join(f'<i class="lib-{name}" style="flex-grow:{part}"></i>' for name, part, _ in parts if part)
    words = "".join(f'<span class="lib-{name}">{escape(text)}</span>' for name, part, text in parts if part)
    if counts.missing:
        words += f"<span>{count(counts.missing, 'file')} missing</span>"
    if counts.photos > counts.pictures:
        words += f"<span>in {count(counts.photos, 'file')}, copies included</span>"
    st.html(
        f'<dl class="lib-figures">{cells}</dl><div class="lib-glance" aria-hidden="true">{bars}</div>'
        f'<div class="lib-glance-words">{words}</div>'
    )
