"""Documentation is a test subject: what it says is what there is."""

from __future__ import annotations

import ast
import os
import plistlib
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import scripts
import yaml
from PIL import Image
from support import ROOT

from indexer.commands import cli as indexer_cli
from search_ui.__main__ import cli as search_cli
from sightline.models.presets import EVERYDAY, PRESETS

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_of_commands_is_what_help_says() -> None:
    made = scripts.load("docs/make_commands.py").text()
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == made, "run python docs/make_commands.py"


@pytest.mark.parametrize("group", [indexer_cli, search_cli])
def test_every_command_and_option_says_what_it_is_for(group: object) -> None:
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        assert command.help, name
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{name} --{parameter.name}"


def test_the_readme_names_every_command_exit_code_and_make_target() -> None:
    for name in indexer_cli.commands:
        assert name == "index" or f"python -m indexer {name}" in README or f"sightline {name}" in README, name
    for name in search_cli.commands:
        assert f"python -m search_ui {name}" in README or f"sightline {name}" in README, name
    for code in (0, 1, 2, 75):
        assert f"\n| {code} |" in README
    assert "130, 143" in README
    for target in ("make demo", "make test", "make check", "make demo-index", "make install", "make bench"):
        assert target in README


def test_the_tables_of_models_are_the_code() -> None:
    """`python docs/make_models.py` writes them."""
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert scripts.load("docs/make_models.py").text(page) == page, "run python docs/make_models.py"
    for preset in PRESETS.values():
        assert f"| `{preset.name}`" in page, preset.name


def test_the_readme_is_short_and_names_every_everyday_model() -> None:
    assert len(README.splitlines()) <= 150
    for preset in EVERYDAY:
        assert f"\n| `{preset.name}` |" in README
    assert f"lists {len(PRESETS) - len(EVERYDAY)} more" in README


def test_the_glossary_names_modules_that_exist() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:store|sightline|indexer|search_ui)/[a-z_/]+(?:\.py)?)`", glossary)
    assert len(named) > 40
    for module in named:
        assert (ROOT / module).exists(), module


def test_links_in_the_documents_lead_somewhere() -> None:
    outside = [*ROOT.glob("*.md"), *(ROOT / "findings").glob("*.md")]
    for document in [*outside, *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_there_is_a_small_picture_of_every_page_at_three_widths() -> None:
    shown = (ROOT / "docs" / "screenshots.md").read_text(encoding="utf-8")
    pictures = sorted((ROOT / "docs").glob("page*.webp"))
    widths: dict[str, set[int]] = {}
    for path in pictures:
        assert f"({path.name})" in shown, path.name
        assert path.stat().st_size <= 150_000, path.name
        with Image.open(path) as image:
            widths.setdefault(re.sub(r"-\d+$", "", path.stem), set()).add(image.width)
    assert {"page", "page-photo", "page-library", "page-duplicates", "page-map", "page-compare"} <= set(widths)
    assert all(each == {390, 768, 1400} for each in widths.values())


def test_the_changelog_and_the_citation_have_the_version_that_is_built() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"\n## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_there_is_a_glossary_and_a_readme_that_can_be_read_in_one_go() -> None:
    assert (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").count("\n| ") > 30
    assert len(README.splitlines()) <= 150


def test_every_make_target_that_help_lists_is_one_and_is_documented() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    listed = set(re.findall(r"^([a-z-]+):.*##", makefile, re.M))
    (phony,) = re.findall(r"^\.PHONY:((?:.*\\\n)*.*)", makefile, re.M)
    assert listed <= set(phony.replace("\\", " ").split())
    documents = "".join(
        path.read_text(encoding="utf-8") for path in [ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]
    )
    missing = [name for name in sorted(listed - {"help", "clean"}) if f"make {name}" not in README + documents]
    assert not missing


def test_what_ci_runs_are_make_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in [ROOT / ".ci" / "run", *(ROOT / ".github" / "workflows").glob("*.yml")]:
        for target in re.findall(r"(?:^|run: )make ([a-z-]+)", path.read_text(encoding="utf-8"), re.M):
            assert re.search(rf"^{target}:", makefile, re.M), f"{path.name}: make {target}"


@pytest.mark.parametrize("folder", ["store", "sightline", "sightline_cli", "indexer", "search_ui"])
def test_modules_have_at_most_350_lines(folder: str) -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert not {str(path): count for path, count in lines.items() if count > 350}


@pytest.mark.parametrize("folder", ["store", "sightline", "indexer", "search_ui", "benchmarks"])
def test_docstrings_begin_with_a_line_of_at_most_100_characters(folder: str) -> None:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    seen, wrong = 0, []
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            docstring = ast.get_docstring(node) if isinstance(node, documented) else None
            if docstring:
                seen += 1
                first = docstring.splitlines()[0]
                if len(first) > 100 or not first.endswith("."):
                    wrong.append(f"{path.relative_to(ROOT)}: {first}")
    assert seen > 50
    assert not wrong


def test_every_finding_has_the_form_that_its_readme_asks_for() -> None:
    for script in (ROOT / "findings").glob("*.sh"):
        text = script.read_text(encoding="utf-8")
        assert text.startswith("#!/usr/bin/env bash\n# "), script.name
        for part in ("# Expected: ", "# Seen with ", "set -euo pipefail", "mktemp -d", "trap ", "-m venv", "=="):
            assert part in text, f"{script.name}: {part}"


def test_the_pins_name_no_host_and_cover_what_is_needed() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "http" not in re.sub("aiohttp|httpcore|httpx", "", pins)
    names = {line.split("==")[0].lower().replace("_", "-") for line in pins.splitlines() if "==" in line}
    wanted = re.findall(r'^  "([A-Za-z0-9_-]+)[>=]', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    missing = {name.lower().replace("_", "-") for name in wanted} - names - {"faiss-cpu"}
    assert not missing


def test_the_container_publishes_on_loopback_and_runs_as_nobody_special() -> None:
    compose = (ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")
    assert re.findall(r'"([^"]*:8501:8501)"', compose) == ["127.0.0.1:8501:8501"]
    assert ":/photos:ro" in compose
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER sightline", dockerfile, re.M)
    assert "HEALTHCHECK" in dockerfile
    assert {"AS cpu", "AS gpu"} <= set(re.findall(r"AS (?:cpu|gpu)", dockerfile))


def test_the_compose_file_has_a_cpu_and_a_gpu_profile() -> None:
    services = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert {name: service["profiles"] for name, service in services.items()} == {
        "index": ["cpu"], "page": ["cpu"], "index-gpu": ["gpu"], "page-gpu": ["gpu"],
    }  # fmt: skip
    for name, service in services.items():
        assert service["build"]["target"] == ("gpu" if name.endswith("-gpu") else "cpu")
        assert ("deploy" in service) == name.endswith("-gpu")
        assert service["healthcheck"]["disable"] if name.startswith("index") else "healthcheck" not in service


def test_the_units_that_the_page_on_watching_shows_are_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "watch.md").read_text(encoding="utf-8")
    (plist,) = re.findall(r"```xml\n(.*?)```", page, re.S)
    assert plistlib.loads(plist.encode())["ProgramArguments"][1:] == ["watch"]
    (unit,) = re.findall(r"```ini\n(.*?)```", page, re.S)
    assert "ExecStart=%h/.local/bin/sightline watch\n" in unit
    if shutil.which("systemd-analyze") is None:
        return
    path = tmp_path / "sightline-watch.service"
    path.write_text(unit.replace("%h/.local/bin/sightline", "/bin/true"))
    checked = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "--generators=no", "verify", str(path)],
        capture_output=True, text=True, check=False, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert checked.returncode == 0 and "sightline-watch" not in checked.stderr, checked.stderr
