"""Plain words: what an earlier version said in a language of its own stands nowhere that a person reads."""

from __future__ import annotations

import ast
import re

import pytest
from support import ROOT

# Phrases that were replaced, as a person would have read them.
REPLACED = (
    r"what needs none of it works meanwhile", r"matches this clearly", r"pass the filters, in", r"passes the filters\.",
    r"more that match less", r"all but the suggestions", r"superfluous", r"does not say copy", r"by what they show",
    r"on the earth", r"what is alike lies", r"since the whole was laid out", r"at the very same one", r"how alike: ",
    r"room on the disk", r"what it said", r"take away", r"searches use it", r"what suits this machine",
    r"the one that searches use", r"looked through \d", r"walked not to its end", r"bound by the", r"look among",
    r"can't both be followed", r"set aside (all|what|the rest)",
)  # fmt: skip
WORDS = re.compile("|".join(REPLACED), re.IGNORECASE)


def texts(folder: str) -> list[str]:
    """The texts of a program: constants that are no docstring."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        documents = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        found += [
            f"{path.relative_to(ROOT)}: {node.value}"
            for node in nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents
        ]
    return found


@pytest.mark.parametrize("folder", ["search_ui", "indexer", "sightline"])
def test_programs_say_nothing_in_the_words_that_were_replaced(folder: str) -> None:
    assert [text for text in texts(folder) if WORDS.search(text)] == []


def test_components_and_documents_use_the_same_words() -> None:
    wrong = []
    for path in [
        ROOT / "README.md", *(ROOT / "docs").glob("page*.md"), *(ROOT / "search_ui" / "components").rglob("*.js"),
    ]:  # fmt: skip
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if WORDS.search(line) and not line.lstrip().startswith("//"):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line}")
    assert wrong == []


def test_the_pages_say_model_and_not_space() -> None:
    # `space:` is the query language's, and `--space` an option's name.
    spoken = re.compile(r"\b(the|a|this|that|another|each|every|of|in) spaces?\b(?!:)", re.IGNORECASE)
    assert [text for text in texts("search_ui") if spoken.search(text.split(": ", 1)[1])] == []
