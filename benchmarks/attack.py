"""All attacks that were tried on Sightline, again: which of them it holds against.

    python benchmarks/attack.py [--only WORDS] [--list]

Each row of attacks.toml is an attack and the tests that try it. They run in one go of pytest. A row is held when each
of its tests ran and passed; one that was skipped or is not there is not held. Prints a Markdown table, and ends with 1
when a row is not held.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import click
from tables import table

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Attack:
    """A row: what is tried, and the tests that try it, as `tests/FILE.py::test_name`."""

    name: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Tried:
    """What came of a test: how many cases ran and passed, the seconds, and what went wrong."""

    passed: int
    seconds: float
    wrong: tuple[str, ...]


def attacks() -> list[Attack]:
    """The rows of attacks.toml in order."""
    listed = tomllib.loads((Path(__file__).parent / "attacks.toml").read_text(encoding="utf-8"))["attack"]
    return [Attack(row["name"], tuple(row["tests"])) for row in listed]


def tried(report: Path) -> dict[str, Tried]:
    """What came of each test, from a report of pytest in the form of JUnit; cases of one test together."""
    found: dict[str, Tried] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        file = case.get("classname", "").replace(".", "/")
        name = f"{file}.py::{case.get('name', '').partition('[')[0]}"
        wrong = tuple(kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None)
        before = found.get(name, Tried(0, 0.0, ()))
        seconds = before.seconds + float(case.get("time", "0"))
        found[name] = Tried(before.passed + (not wrong), seconds, before.wrong + wrong)
    return found


def verdict(attack: Attack, found: dict[str, Tried]) -> tuple[bool, str]:
    """Whether an attack is held against, and in words how many cases were tried or what went wrong."""
    wrong: list[str] = []
    cases = 0
    for test in attack.tests:
        came = found.get(test)
        name = test.partition("::")[2]
        if came is None:
            wrong.append(f"{name}: did not run")
            continue
        cases += came.passed
        wrong += [f"{name}: {kind}" for kind in dict.fromkeys(came.wrong)]
        if not came.passed and not came.wrong:
            wrong.append(f"{name}: no case")
    return not wrong, "; ".join(wrong) or f"{cases}"


def run(tests: Iterable[str], report: Path) -> None:
    """Run tests, each once, and write what came of them."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "", "--junit-xml", str(report), "-o", "junit_family=xunit1"]
    done = subprocess.run([*command, *dict.fromkeys(tests)], cwd=ROOT, stdout=sys.stderr)
    if not report.exists():
        raise SystemExit(f"pytest ended with {done.returncode} and left no report")


@click.command()
@click.option("--only", metavar="WORDS", default="", help="Rows whose name has these words.")
@click.option("--list", "listed", is_flag=True, help="Print the rows and their tests, and run nothing.")
def main(only: str, listed: bool) -> None:
    """Print a Markdown table; exit 1 when an attack is not held against."""
    rows = [attack for attack in attacks() if only.lower() in attack.name.lower()]
    if not rows:
        raise SystemExit(f"No attack is called {only!r}.")
    if listed:
        for attack in rows:
            print(attack.name, *(f"  {test}" for test in attack.tests), sep="\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        run((test for attack in rows for test in attack.tests), report)
        found = tried(report)
    lines, broke = [], 0
    for attack in rows:
        held, words = verdict(attack, found)
        broke += not held
        seconds = sum(found[test].seconds for test in attack.tests if test in found)
        lines.append([attack.name, "held" if held else "**broke**", words, f"{seconds:.1f}"])
    print(f"{len(rows) - broke} of {len(rows)} held.\n")
    print(table(["attack", "verdict", "cases", "seconds"], lines))
    sys.exit(1 if broke else 0)


if __name__ == "__main__":
    main()
