"""Words are taught from a selection, searched from the panel, improved and deleted."""

from __future__ import annotations

import pytest
from browser import box, violations
from pages import names, tiles
from playwright.sync_api import Page, expect

from search_ui.parts.concept_group import concept_group, is_asked, named, toggled
from sightline.query.parser import parse
from sightline.searcher import Searcher
from store.tables.concepts import Concept


def first(searcher: Searcher, count: int, text: str) -> list[int]:
    return [hit.photo.content_id for hit in searcher.search(parse(text)).hits[:count]]


def known(searcher: Searcher, name: str) -> Concept:
    found = searcher.library.concepts.find(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "concept:a"), ("boat", "boat concept:a"), ("boat concept:A", "boat"), ("-concept:a boat", "boat"),
        ("concept:a OR boat", "boat"), ("concept:a^2 concept:b", "concept:b"),
    ],
)  # fmt: skip
def test_a_click_asks_for_a_word_or_no_longer(before: str, after: str) -> None:
    assert str(toggled(parse(before), "a")) == str(parse(after))
    assert is_asked(parse(before), "A") is (after != before + " concept:a" and after != "concept:a")
    assert is_asked(toggled(parse(before), "a"), "a") is not is_asked(parse(before), "a")


def test_the_panel_has_every_word_with_its_examples(searcher: Searcher) -> None:
    assert concept_group(searcher.library, parse("boat"))["values"] == []
    searcher.library.concepts.teach("quick", first(searcher, 4, "a boat"))
    (value,) = concept_group(searcher.library, parse("-concept:QUICK"))["values"]
    assert (value["text"], value["count"], value["said"]) == ("concept:quick", 4, "4 examples")
    assert (value["on"], value["off"]) == (False, True)
    searcher.library.concepts.forget("quick")
    assert [named(parse(text)) for text in ("boat", "concept:a boat", "concept:a concept:b")] == [None, "a", None]


def pick(page: Page, *places: int) -> None:
    for place in places:
        page.locator(".tile .open").nth(place).press("Space")


@pytest.mark.browser
def test_a_word_is_taught_found_in_the_panel_and_improved(page: Page, searcher: Searcher) -> None:
    page.goto("/?q=a boat")
    tiles(page, names(searcher, "a boat"))
    dialog = page.get_by_role("dialog")
    for count in (2, 4):
        pick(page, count - 2, count - 1)
        expect(page.locator(".picked")).to_have_text(f"{count} selected")
        page.get_by_role("button", name="Teach").click()
        expect(dialog.get_by_label("Word")).to_have_count(1)  # no longer that of before, beside it
        dialog.get_by_label("Word").fill("ours-boat")
        dialog.get_by_role("button", name="Save").click()
        if count == 2:
            expect(dialog.get_by_role("alert")).to_contain_text("at least 3 examples; 'ours-boat' would have 2")
            page.keyboard.press("Escape")
            expect(dialog).to_have_count(0)
    expect(dialog.get_by_text("4 examples: held-out accuracy")).to_be_visible()
    dialog.get_by_role("button", name="Search for ours-boat").click()
    expect(dialog).to_have_count(0)
    tiles(page, names(searcher, "concept:ours-boat"))
    expect(box(page)).to_have_value("concept:ours-boat")
    assert set(known(searcher, "ours-boat").examples) == set(first(searcher, 4, "a boat"))
    # The last of them is none: the word is suggested, as it is asked for.
    page.locator(".tile .open").last.press("Space")
    page.get_by_role("button", name="Teach").click()
    expect(dialog.get_by_label("Word")).to_have_value("ours-boat")
    dialog.get_by_text("Counter-examples").click()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("1 counter-example: held-out")).to_be_visible()
    assert violations(page) == []
    assert len(known(searcher, "ours-boat").counter_examples) == 1
    page.keyboard.press("Escape")
    tiles(page, names(searcher, "concept:ours-boat"))
    page.get_by_role("button", name="Filters").click()
    word = page.get_by_role("list", name="Taught words").get_by_role("button", name="ours-boat")
    expect(word).to_have_attribute("aria-pressed", "true")
    word.click()
    expect(word).to_have_attribute("aria-pressed", "false")
    page.goto("/?q=a boat")
    tiles(page, names(searcher, "a boat"))
    pick(page, 0)
    page.get_by_role("button", name="Teach").click()
    dialog.get_by_label("Word").fill("OURS-BOAT")
    dialog.get_by_label("Word").press("Enter")
    dialog.get_by_role("button", name="Delete this word").click()
    expect(dialog).to_have_count(0)
    assert searcher.library.concepts.find("ours-boat") is None
