"""The choice of a model: what each is good for, its download, and how long indexing may take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from search_ui.parts.messages import caption
from search_ui.parts.run_text import duration
from search_ui.runtime.estimates import MEGABITS, download_seconds, indexing_seconds, is_here, recommended
from sightline.humanize import count, size
from sightline.models.presets import EVERYDAY, OTHERS, PICTURES, PRESETS, Preset
from store.tables.records import SpaceState

_GOOD_FOR: Final = {
    "fast": "Good results, quickly, in many languages",
    "balanced": "Better results for four times the work, in many languages. Suits a graphics card",
    "best": "The best results, in many languages. Wants a graphics card",
    "english": "The best results for English. Wants a graphics card",
    "light": "The smallest download. Fair results, in English",
    "demo": "For trying Sightline out: it knows the drawn demo pictures only",
}
# Pictures that times are told for where it is not known how many there are.
SOME: Final = 1_000
_MORE: Final = "more"  # what the first choice holds where the second one decides; no model is named so


def choose(key: str, held: Sequence[SpaceState], *, has_default: bool, pictures: int = SOME) -> None:
    """Draw the choice: the models of the library, the presets of everyday, and one for all others.

    Args:
        key: of the widget.
        held: the models of the library.
        has_default: whether the first choice is to go on with those; in a library without any, the recommended one.
        pictures: how many are to be indexed.
    """
    own = {space.model: space for space in held if space.count}
    options: dict[str, tuple[str, str]] = {}
    if has_default and own:
        names = ", ".join(space.name for space in own.values())
        options[""] = ("Current model" if len(own) == 1 else "All models of the library", names)
    options |= {model: (space.name, "In this library") for model, space in own.items()}
    presets = [each for each in EVERYDAY if each.name not in own and each.model not in own]
    for preset in sorted(presets, key=lambda each: each.name != recommended()):
        note = " (recommended)" if preset.name == recommended() and not own else ""
        options[preset.name] = (preset.name + note, about(preset, pictures))
    more = [each for each in (*OTHERS, *PICTURES) if each.name not in own]
    options[_MORE] = ("Another model", f"{len(more)} more: with words, or for pictures only")
    st.radio(
        "Model", list(options), key=key, format_func=lambda each: options.get(each, (each, ""))[0],
        captions=[text for _, text in options.values()],
    )  # fmt: skip
    if st.session_state.get(key) == _MORE:
        _choose_more(f"{key}_more", [each.name for each in more], pictures)


def chosen(key: str) -> str | None:
    """Return what is chosen by now, as `--space` takes it; None for the models of the library."""
    first = st.session_state.get(key)
    return (st.session_state.get(f"{key}_more") if first == _MORE else first) or None


def _choose_more(key: str, names: Sequence[str], pictures: int) -> None:
    """Draw the choice among all other presets, those that know words first."""
    kinds = {True: "with words", False: "pictures only"}
    st.selectbox(
        "Which one", names, key=key, width=560,
        format_func=lambda each: f"{each}: {kinds[PRESETS[each].has_text]}, {PRESETS[each].licence}",
    )  # fmt: skip
    preset = PRESETS[st.session_state[key]]
    finds = "" if preset.has_text else " It finds what looks alike; words need another model beside it."
    caption(f"{_sentence(about(preset, pictures))}{finds}")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def about(preset: Preset, pictures: int) -> str:
    """Return what a model is for, what it downloads, and how long that and the indexing may take here."""
    purpose = _GOOD_FOR.get(preset.name) or preset.purpose
    indexing = f"{_rough(indexing_seconds(preset, pictures))} for {count(pictures, 'picture')} on this computer"
    if is_here(preset):
        return f"{purpose}. Nothing to download. Very roughly {indexing}."
    download = f"{size(preset.download * 1_000_000)} to download once, {_rough(download_seconds(preset))}"
    return f"{purpose}. {download} at {MEGABITS:.0f} Mbit/s; then very roughly {indexing}."


def _rough(seconds: float) -> str:
    return "a minute" if seconds < 90 else duration(seconds).removeprefix("about ")
