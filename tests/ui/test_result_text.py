"""What the page says about pictures and results, in words."""

from __future__ import annotations

from pathlib import Path

import indexing

from search_ui.parts import result_text
from sightline import humanize
from sightline.models.loaded import Encoders
from sightline.searcher import Searcher
from store.library import Library


def test_facts_in_words(tmp_path: Path, photos: Path, tiny_space: str) -> None:
    indexing.add(tmp_path / "library", photos, tiny_space)
    photo = Searcher(Library.open(tmp_path / "library"), Encoders(offline=True)).recent(1)[0]
    assert result_text.facts(photo)[0][0] == "Size"
    assert humanize.size(999) == "999 bytes"
    assert humanize.size(1_500_000) == "1.5 MB"
    assert humanize.size(250_000_000) == "250 MB"
    assert humanize.count(1, "picture") == "1 picture"
    assert humanize.count(1200, "picture") == "1,200 pictures"


def test_dates_are_said_as_far_as_they_are_known() -> None:
    said = {"1978": "1978", "1978-07": "July 1978", "1978-07-04": "4 July 1978", "1978-07-04T10:20": "4 July 1978"}
    assert {text: humanize.date(text) for text in said} == said
    assert humanize.date(None) == humanize.date("soon") == ""
