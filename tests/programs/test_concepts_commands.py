"""Words are taught, listed and deleted on the command line, and a search finds them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

from search_ui.cli.options import complete_concept


def call(library: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "search_ui", *arguments, "--library", str(library)],
        cwd=ROOT, text=True, capture_output=True, check=False,
    )  # fmt: skip


def test_a_word_is_taught_found_taught_more_and_deleted(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    shutil.copytree(drawn / "library", library)
    lines = call(library, "query", "a red boat", "--json", "-k", "60").stdout.splitlines()
    ids = [str(json.loads(line)["id"]) for line in lines]
    few = call(library, "teach", "ours", "--like", ids[0], "--unlike", f"{ids[-1]}, {ids[-2]}")
    assert (few.returncode, "at least 3 examples; 'ours' would have 1" in few.stderr) == (2, True)
    done = call(library, "teach", "ours", "--like", ",".join(ids[:3]), "--like", ids[3], "--unlike", ",".join(ids[-3:]))
    assert done.returncode == 0
    assert done.stderr.startswith("ours: 4 examples, 3 counter-examples: held-out accuracy ")
    told = json.loads(call(library, "concepts", "--json").stdout)
    assert told["examples"] == sorted(map(int, ids[:4]))
    assert told["spaces"][0]["space"] == "demo"
    assert call(library, "concepts").stdout == done.stderr.replace(": ", "\t", 1)
    found = call(library, "query", "concept:ours", "--json")
    assert {json.loads(line)["id"] for line in found.stdout.splitlines()} >= set(map(int, ids[:4]))
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(library))
    assert complete_concept(None, None, "OU") == ["ours"]  # type: ignore[arg-type]
    assert "Did you mean concept:ours?" in call(library, "query", "concept:our").stderr
    assert "is no list of ids" in call(library, "teach", "ours", "--like", "boat").stderr
    typed = subprocess.run(
        [sys.executable, "-m", "search_ui", "teach", "ours", "1,2,3"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert "To do that: python -m search_ui teach ours --like 1,2,3" in typed.stderr
    assert "nothing to learn from" in call(library, "teach", "ours").stderr
    assert call(library, "teach", "ours", "--without", ids[3], "--json").stdout.startswith('{"name": "ours"')
    assert call(library, "concepts", "--delete", "OURS").stderr == "1 concept deleted\n"
    assert "no concept 'ours'" in call(library, "concepts", "--delete", "ours").stderr
    assert "There are no concepts yet" in call(library, "concepts").stderr
