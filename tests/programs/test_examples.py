"""Examples are run: every block of docs/python-api.md prints what it says, and the notebook finds what was planted."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

GUIDE = ROOT / "docs" / "python-api.md"
NOTEBOOK = ROOT / "examples" / "clean_a_data_set.ipynb"


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a document: language and text."""
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
        yield found[1], found[2]


def printed(source: str, names: dict[str, Any], what: str) -> str:
    """What Python code prints when it is run with these names."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(source, what, "exec"), names)
    return output.getvalue()


@pytest.mark.slow
def test_the_python_guide_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIGHTLINE_LIBRARY", raising=False)
    names: dict[str, Any] = {}
    said = ""
    ran = 0
    for language, text in [*blocks(GUIDE.read_text(encoding="utf-8")), ("", "")]:
        if language == "text":
            assert said.rstrip() == text.rstrip()
            said = ""
            continue
        assert not said, f"this is printed, and the guide does not show it: {said}"
        if language == "bash":
            _, *arguments = shlex.split(text)
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        elif language == "python":
            ran += 1
            said = printed(text, names, f"{GUIDE.name}, block {ran}")
    assert ran > 15


@pytest.mark.slow
def test_the_notebook_finds_the_planted_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") for cell in cells)
    names: dict[str, Any] = {}
    said = ""
    for cell in cells:
        if cell["cell_type"] == "code":
            said += printed("".join(cell["source"]), names, f"{NOTEBOOK.name}, cell {cell['id']}")
    for fault, planted in names["planted"].items():
        found = names["found"][fault]
        assert planted
        assert len(found & planted) >= 0.75 * len(planted), (fault, said)
        assert len(found & planted) >= 0.75 * len(found), (fault, said)
    assert "'name': 'check'" in said
