"""What SECURITY.md and docs/reliability.md promise is kept by tests that are there."""

from __future__ import annotations

import re

import pytest
from support import ROOT

DOCUMENTS = ("SECURITY.md", "docs/reliability.md")
TEST = r"tests/[\w/]+\.py::\w+"


def rows(document: str) -> list[str]:
    """The rows of the table of promises: those under a heading that ends with a column of tests."""
    found, inside = [], False
    for line in (ROOT / document).read_text(encoding="utf-8").splitlines():
        if line.startswith("|") and line.rstrip(" |").endswith("| test"):
            inside = True
        elif inside and line.startswith("|"):
            found += [] if set(line) <= set("|-: ") else [line]
        else:
            inside = False
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_promise_names_one_test_that_is_there(document: str) -> None:
    promises = rows(document)
    assert len(promises) > 15
    for row in promises:
        (name,) = re.findall(TEST, row)
        file, _, test = name.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8") if (ROOT / file).is_file() else ""
        assert f"\ndef {test}(" in text, f"{document}: {name} is not there"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_promise_is_made_twice(document: str) -> None:
    names = [name for row in rows(document) for name in re.findall(TEST, row)]
    assert len(names) == len(set(names))
