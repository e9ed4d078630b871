"""The container's recipe as it is run without an engine: what it copies is what the programs are, and nothing else."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from dockerfile import assigned, command, let_through, stages
from support import ROOT

RECIPE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
RULES = (ROOT / ".dockerignore").read_text(encoding="utf-8")


def test_the_build_is_given_the_packages_and_nothing_else_of_the_project() -> None:
    given = {str(path) for path in let_through(ROOT, RULES)}
    folders = {path.split("/")[0] for path in given if "/" in path}
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert folders == set(tomllib.load(file)["tool"]["importlinter"]["root_packages"])
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    assert given.issuperset(listed.stdout.splitlines())
    assert not [path for path in given if "__pycache__" in path]


def test_each_copy_finds_its_source_in_what_is_given() -> None:
    given = let_through(ROOT, RULES)
    steps = [words.split() for stage in stages(RECIPE) for kind, words in stage.steps if kind == "COPY"]
    sources = [source for words in steps if not words[0].startswith("--from=") for source in words[:-1]]
    assert len(sources) > 10
    assert [source for source in sources if not any(path.is_relative_to(source) for path in given)] == []


def test_the_health_check_asks_the_port_that_the_command_serves() -> None:
    (cpu,) = (stage for stage in stages(RECIPE) if stage.name == "cpu")
    steps = dict(cpu.steps)
    served = command(steps["CMD"])
    port = served[served.index("--port") + 1]
    assert steps["EXPOSE"] == port and f"http://127.0.0.1:{port}/healthz" in command(steps["HEALTHCHECK"])[-1]
    assert steps["USER"] == "sightline"


def test_the_last_rule_about_a_file_decides(tmp_path: Path) -> None:
    for name in ("a/b.py", "a/c/b.py", "a/__pycache__/b.pyc", "d/e.py", "f.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [str(path) for path in let_through(tmp_path, "*\n!a\n**/__pycache__\n")] == ["a/b.py", "a/c/b.py"]
    assert [str(path) for path in let_through(tmp_path, "a\n# words\n!a/c\n")] == ["a/c/b.py", "d/e.py", "f.txt"]


def test_an_instruction_that_is_not_known_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="ADD is not"):
        stages("FROM python:3.11-slim AS one\nADD x y\n")
    with pytest.raises(ValueError, match="ARG is not"):
        stages("ARG a=1\nFROM python:3.11-slim\n")
    assert assigned('A=/x:$PATH B="c d"', {"PATH": "/bin"}) == {"A": "/x:/bin", "B": "c d"}
