"""An audit says "not audited" where it could not look, and a wheel's bill of materials names what it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import scripts
from support import ROOT

audit = scripts.load("tests/helpers/audit.py")
PINS = {"click": "8.5.1", "torch": "2.15.0"}


def report(*packages: dict[str, Any]) -> dict[str, Any]:
    """A report as pip-audit 2.10 writes it."""
    return {"dependencies": list(packages), "fixes": []}


def looked_up(name: str, version: str, *vulnerabilities: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": version, "vulns": list(vulnerabilities)}


def skipped(name: str, version: str) -> dict[str, Any]:
    reason = f"Dependency not found on PyPI and could not be audited: {name} ({version})"
    return {"name": name, "skip_reason": reason}


CLICK, TORCH = looked_up("click", "8.5.1"), looked_up("torch", "2.15.0")
FOUND = {"id": "PYSEC-2099-1", "aliases": ["CVE-2099-1"], "fix_versions": ["8.5.2"], "description": "..."}


def test_pins_that_were_all_looked_up_are_audited() -> None:
    assert audit.vulnerable(report(CLICK, TORCH), PINS) == []
    lines = audit.vulnerable(report(looked_up("click", "8.5.1", FOUND), TORCH), PINS)
    assert lines == ["click 8.5.1: PYSEC-2099-1 (CVE-2099-1), mended in 8.5.2"]


@pytest.mark.parametrize(
    "answers",
    [
        [CLICK, skipped("torch", "2.15.0")],
        [skipped("click", "8.5.1"), skipped("torch", "2.15.0")],
        [CLICK],
        [CLICK, looked_up("torch", "2.14.0")],
        [looked_up("click", "8.5.1", FOUND), skipped("torch", "2.15.0")],
        [],
    ],
)
def test_a_pin_that_could_not_be_looked_up_is_not_audited(answers: list[dict[str, Any]]) -> None:
    with pytest.raises(audit.NotAudited, match="of 2 pins could not be looked up"):
        audit.vulnerable(report(*answers), PINS)


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"dependencies": [{"name": "click"}]}', '{"dependencies": 3}', "no json"]
)
def test_a_report_that_is_none_is_not_audited(tmp_path: Path, text: str) -> None:
    file = tmp_path / "report.json"
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, "tests/helpers/audit.py", "pins", "--report", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("not audited: ")


def test_a_report_about_every_pin_is_judged(tmp_path: Path) -> None:
    wanted = audit.pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    file = tmp_path / "report.json"
    for found, code in (((), 0), ((FOUND,), 1)):
        packages = [looked_up(name, version, *found) for name, version in wanted.items()]
        file.write_text(json.dumps(report(*packages)), encoding="utf-8")
        command = [sys.executable, "tests/helpers/audit.py", "pins", "--report", str(file)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == code, done.stderr


def test_a_local_version_is_looked_up_as_the_release_it_was_made_from() -> None:
    text = "# pins\nTorch_X==2.15.0+cu132\n\nclick==8.5.1  # why\n"
    assert audit.pins(text) == {"torch-x": "2.15.0", "click": "8.5.1"}
    for text in ("", "# nothing\n", "click>=8\n", "click @ file:///x\n", "-r other.txt\n"):
        with pytest.raises(audit.NotAudited):
            audit.pins(text)


def test_what_bandit_finds_is_explained_one_by_one() -> None:
    pytest.importorskip("bandit", reason="bandit is there for make check")
    done = subprocess.run([sys.executable, "tests/helpers/audit.py", "code"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_exception_holds_for_what_it_counts_and_no_more() -> None:
    found = [{"test_id": "B608", "filename": "./store/a.py", "line_number": n, "issue_text": "SQL"} for n in (3, 9)]
    why = "Names of columns only; every value is bound."

    def accepted(count: int, reason: str = why) -> list[dict[str, Any]]:
        return [{"test": "B608", "reason": reason, "files": {"store/a.py": count}}]

    assert audit.unexplained(found, accepted(2)) == []
    assert audit.unexplained(found, accepted(1))[1:] == ["  store/a.py:3: SQL", "  store/a.py:9: SQL"]
    assert audit.unexplained(found[:1], accepted(2)), "one that is gone is explained no longer"
    assert audit.unexplained(found, []) and audit.unexplained(found, accepted(2, "")), "each has a reason"


def test_a_wheels_bill_of_materials_names_what_it_needs(tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx_py", reason="cyclonedx-bom is there for make wheel")
    wheel, out = tmp_path / "sightline.whl", tmp_path / "sbom.json"
    wheel.write_bytes(b"a wheel")
    subprocess.run([sys.executable, "tests/helpers/sbom.py", wheel, out], cwd=ROOT, check=True)
    text = out.read_text(encoding="utf-8")
    bill = json.loads(text)
    scopes = {part["name"].lower(): part["scope"] for part in bill["components"]}
    needed = ("torch", "pillow", "streamlit", "starlette", "markupsafe")
    assert {scopes[name] for name in needed} == {"required"}
    assert not scopes.keys() & {"pytest", "mypy", "ruff", "bandit", "mkdocs", "hypothesis", "sightline"}
    references = {part["bom-ref"] for part in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    assert {edge["ref"] for edge in bill["dependencies"]} == references
    assert "file:" not in text and str(Path(sys.prefix).parent) not in text
