"""What the page says about pictures and results, in words."""

from __future__ import annotations

from pathlib import Path

import browser

from search_ui import words
from search_ui.encoders import Encoders
from search_ui.searcher import Searcher
from store.library import Library


def test_facts_in_words(tmp_path: Path, photos: Path, tiny_space: str) -> None:
    browser.add(tmp_path / "library", photos, tiny_space)
    photo = Searcher(Library.open(tmp_path / "library"), Encoders(offline=True)).recent(1)[0]
    assert words.facts(photo)[0][0] == "Size"
    assert words.size(999) == "999 bytes"
    assert words.size(1_500_000) == "1.5 MB"
    assert words.size(250_000_000) == "250 MB"
    assert words.count(1, "picture") == "1 picture"
    assert words.count(1200, "picture") == "1,200 pictures"
