"""What a mistyped command line says: the right form, in one sentence, on stderr, and the exit code is 2."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import indexing
import pytest
from PIL import Image
from support import ROOT

import sightline
from indexer.commands import cli as indexer
from indexer.commands import run as run_indexer
from search_ui.__main__ import cli as search_ui
from search_ui.__main__ import main as run_search_ui
from sightline.query.parser import parse
from sightline_cli import mistakes
from sightline_cli.__main__ import cli as one_command
from sightline_cli.__main__ import main as run_sightline
from store.library import Library

Printed = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def _as_kind_as_before(monkeypatch: Patch) -> None:
    """The indexer's commands run in this process, which goes on after them."""
    monkeypatch.setenv("SIGHTLINE_NICE", "0")


def said(arguments: Sequence[object], capsys: Printed, *, code: int = 2) -> str:
    """What `sightline` says on stderr; it prints nothing else."""
    with pytest.raises(SystemExit) as exit_:
        run_sightline([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert (exit_.value.code or 0) == code, err
    assert out == ""
    return err


MISTAKES = [
    # Words are searched for, quoted for the shell.
    (["dog"], "sightline query dog"),
    (["red boat", "-k", "5"], "sightline query 'red boat' -k 5"),
    (["dog's", "house"], """sightline query 'dog'"'"'s' house"""),
    # Commands that are nearly right, or called otherwise.
    (["statsu"], "sightline status"),
    (["stats"], "sightline status"),
    (["qurey", "dog"], "sightline query dog"),
    (["search", "red boat"], "sightline query 'red boat'"),
    (["find", "boat", "--json"], "sightline query boat --json"),
    (["scan", "photos"], "sightline index photos"),
    (["errors"], "sightline failures"),
    (["models"], "sightline spaces"),
    (["check"], "sightline verify"),
    (["repair"], "sightline verify --repair"),
    (["favorite", "49"], "sightline favourite 49"),
    (["export-mark", "x.json"], "sightline export-marks x.json"),
    (["help"], "sightline --help"),
    (["help", "query"], "sightline query --help"),
    (["version"], "sightline --version"),
    # Arguments that belong to an option.
    (["tag", "49", "beach"], "sightline tag 49 --add beach"),
    (["tag", "beach", "49"], "sightline tag 49 --add beach"),
    (["tag", "49", "50", "sea side", "beach"], "sightline tag 49 50 --add 'sea side' --add beach"),
    (["tag", "49", "add", "beach"], "sightline tag 49 --add beach"),
    (["tag", "49", "+beach"], "sightline tag 49 --add beach"),
    (["tag", "49", "-beach"], "sightline tag 49 --remove beach"),
    (["tag", "49", "remove", "beach"], "sightline tag 49 --remove beach"),
    (["favourite", "49", "off"], "sightline favourite 49 --remove"),
    (["favourite", "49", "50", "--off"], "sightline favourite 49 50 --remove"),
    (["favourite", "49", "on"], "sightline favourite 49"),
    (["export", "q", "/out"], "sightline export q --to /out"),
    (["export", "red", "boat", "./out"], "sightline export red boat --to ./out"),
    (["export", "boat", "-o", "out"], "sightline export boat --to out"),
    (["export", "boat", "--output", "out"], "sightline export boat --to out"),
    (["export", "boat"], "sightline export boat --to FOLDER"),
    (["save", "red boats"], "sightline save NAME 'red boats'"),
    (["searches", "delete", "boats"], "sightline searches --delete boats"),
    (["index"], "sightline index ./photos"),
    (["save", "boats"], "sightline save NAME boats"),
    (["searches", "boats"], "sightline query --saved boats"),
    (["tags", "sea"], "sightline query tag:sea"),
    (["left-marks", "move", "3"], "sightline left-marks 3 --move"),
    (["left-marks", "delete", "all"], "sightline left-marks --delete --all"),
    (["query", "--like", __file__], f"sightline query --image {__file__}"),
    (["tags", "sea", "sand"], "sightline query tag:sea tag:sand"),
    (["tags", "add", "sea", "3"], "sightline tag 3 --add sea"),
    (["status", "/"], "sightline status"),
    (["verify", "repair", "--json"], "sightline verify --json --repair"),
    (["spaces", "fast"], "sightline spaces"),
    # The contrary is never offered.
    (["untag", "49", "beach"], "sightline tag 49 --remove beach"),
    (["untag"], "sightline tag ID --remove NAME"),
    (["unfavourite", "49"], "sightline favourite 49 --remove"),
    (["tag", "49", "-add", "beach"], "sightline tag 49 --add beach"),
    (["tag", "49,50", "--add", "beach"], "sightline tag 49 50 --add beach"),
    (["favourites"], "sightline query favourite:yes"),
    (["favourites", "49"], "sightline favourite 49"),
    (["favourite", "boats"], "sightline favourite --query boats"),
    # In another order.
    (["boat", "query"], "sightline query boat"),
    (["/", "index"], "sightline index /"),
    (["export", "/out", "boat"], "sightline export boat --to /out"),
    (["exprot", "boat", "/out"], "sightline export boat --to /out"),
    (["--limit", "5", "boat"], "sightline query --limit 5 boat"),
    (["-people"], "sightline query -people"),
    (["/", "--port", "8600"], "sightline --port 8600 /"),
    (["/", "/tmp"], "sightline index / /tmp"),
    (["--space", "demo", "/"], "sightline index --space demo /"),
    (["-V"], "sightline --version"),
    (["label"], "sightline label cat dog car"),
    (["label", "cat", "dog", "date:2023"], "sightline label cat dog --filter date:2023"),
    (["query", "boat", "--to", "x"], "sightline export"),
    # Options.
    (["query", "boat", "--explan"], "'--explain'"),
    (["index", "/", "--model", "fast"], "'--space'"),
    (["query", "boat", "--max", "3"], "'--limit'"),
    (["label", "cat", "--count", "3"], "'--top'"),
    (["query", "boat", "--picture", "a.jpg"], "'--image'"),
    (["verify", "--fix"], "'--repair'"),
    (["backup", "x", "--overwrite"], "'--replace'"),
    (["query", "boat", "-k", "3", "--all"], "Use either --limit or --all."),
]


@pytest.mark.parametrize(("arguments", "right"), MISTAKES, ids=lambda value: " ".join(value)[:60])
def test_a_mistake_gets_the_right_form(
    arguments: list[str],
    right: str,
    capsys: Printed,
    monkeypatch: Patch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "none"))
    error = said(arguments, capsys).partition("Error: ")[2].rstrip()
    assert right in error
    assert re.search(rf"{re.escape(right)}[.?]?$", error, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (["statsu"], "python -m indexer status"),
        (["stats", "--json"], "python -m indexer status --json"),
        (["query", "boat"], "python -m search_ui query boat"),
        (["search", "boat"], "python -m search_ui query boat"),
        (["help", "verify"], "python -m indexer verify --help"),
        (["red boat", "-k", "5"], "python -m search_ui query 'red boat' -k 5"),
        (["photos-that-are-not-there"], "There is no folder"),
    ],
    ids=lambda value: " ".join(value)[:60],
)
def test_the_indexer_alone_says_it_too(
    arguments: list[str],
    right: str,
    capsys: Printed,
    tmp_path: Path,
    monkeypatch: Patch,
) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "none"))
    assert run_indexer(arguments) == 2
    assert right in capsys.readouterr().err


def test_a_folder_that_is_there_is_no_mistake(tmp_path: Path, monkeypatch: Patch) -> None:
    (tmp_path / "stats").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run_indexer(["stats", "--dry-run", "--library", str(tmp_path / "library"), "--space", "demo"]) == 0


def test_a_folder_after_a_command_that_takes_none_is_its_library_if_it_is_one(tmp_path: Path, capsys: Printed) -> None:
    Library.create(tmp_path / "kept").close()
    assert f"sightline status --json --library {tmp_path}/kept" in said(["status", tmp_path / "kept", "--json"], capsys)


@pytest.mark.parametrize("given", ["status", "statsu"])
def test_the_pages_program_alone_names_the_other(given: str, capsys: Printed) -> None:
    with pytest.raises(SystemExit):
        run_search_ui([given], program="python -m search_ui")
    assert "Did you mean: python -m indexer status" in capsys.readouterr().err


def test_searches_that_are_offered_can_be_read() -> None:
    for name, *words in filter(None, mistakes._COMMANDS.values()):
        if name == "query":
            parse(" ".join(words))


def test_commands_that_are_named_elsewhere_are_there() -> None:
    for program, group in (("python -m indexer", indexer), ("python -m search_ui", search_ui)):
        assert set(mistakes._ELSEWHERE[program]) <= set(group.commands)
    # Both are called `export`; see `sightline_cli.calls.is_of_library`, and tests/programs/test_moving_commands.py.
    assert set(indexer.commands) & set(search_ui.commands) == {"export"}
    assert {*indexer.commands, *search_ui.commands} < set(one_command.commands)


@pytest.mark.parametrize("name", ["", *one_command.commands])
def test_every_command_says_its_version(name: str, capsys: Printed) -> None:
    with pytest.raises(SystemExit) as exit_:
        run_sightline([*name.split(), "--version"])
    assert not exit_.value.code
    assert capsys.readouterr().out == f"Sightline, version {sightline.__version__}\n"
    if name in indexer.commands:
        assert run_indexer([name, "--version"]) == 0


def test_nothing_prints_the_help_of_the_indexer(capsys: Printed) -> None:
    assert run_indexer([]) == 0
    assert "Usage: python -m indexer" in capsys.readouterr().out


# -- what succeeds, and what is empty ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, tiny_space: str) -> Path:
    """A library of three pictures."""
    folder = tmp_path_factory.mktemp("filled")
    (folder / "photos").mkdir()
    for number in range(3):
        Image.new("RGB", (40, 30), (80 * number, 40, 0)).save(folder / "photos" / f"{number}.png")
    indexing.add(folder / "library", folder / "photos", tiny_space)
    return folder / "library"


def ran(arguments: Sequence[object], capsys: Printed, *, code: int = 0) -> tuple[str, str]:
    """What `sightline` prints on stdout and stderr."""
    with pytest.raises(SystemExit) as exit_:
        run_sightline([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert (exit_.value.code or 0) == code, err
    return out, err


def test_what_succeeds_says_so_in_one_line_and_what_is_empty_too(
    filled: Path, tmp_path: Path, capsys: Printed, monkeypatch: Patch
) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(filled))
    marks = tmp_path / "marks.json"
    for arguments, line in (
        (["tags"], "There are no tags yet. sightline tag ID --add NAME gives one."),
        (["searches"], "There are no saved searches yet. sightline save NAME TEXT makes one."),
        (["left-marks"], "No marks stayed with an old version of a picture."),
        (["failures"], "No files failed: every picture could be indexed."),
        (["failures", "--remarks"], "No files were indexed with a remark."),
        (["tag", 1, 2, "--add", "sea"], "2 pictures changed"),
        (["favourite", 1], "1 picture changed"),
        (
            ["save", "sea side", "tag:sea"],
            "Saved the search 'sea side'. To search for it: sightline query --saved 'sea side'",
        ),
        (
            ["export-marks", marks],
            f"Exported 1 tag of 2 pictures, 1 favourite, 1 saved search, 0 photos marked for removal to {marks}",
        ),
        (["import-marks", marks], "0 tags, 0 favourites, 0 saved searches, 0 photos marked for removal added"),
        (["searches", "--delete", "sea side"], "1 saved search deleted"),
        (["tag", 1, 2, "--remove", "sea"], "2 pictures changed"),
        (["favourite", 1, "--remove"], "1 picture changed"),
    ):
        assert ran(arguments, capsys) == ("", f"{line}\n"), arguments


def test_words_that_are_too_long_for_a_path_are_words(filled: Path, capsys: Printed, monkeypatch: Patch) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(filled))
    words = " ".join(["boat"] * 60)
    assert words in ran(["query", "--explain", words], capsys)[0]
    assert "query" in said([words], capsys)
    assert run_indexer([words]) == 2
    with pytest.raises(SystemExit):
        run_search_ui([words], program="python -m search_ui")
    assert "too long" not in capsys.readouterr().err


def test_hits_of_filters_alone_have_no_score_and_no_band(filled: Path, capsys: Printed, monkeypatch: Patch) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(filled))
    photos = [str(filled.parent / "photos" / f"{number}.png") for number in range(3)]
    out, err = ran(["query", "ext:png", "sort:name"], capsys)
    assert out.splitlines() == photos
    assert err == "3 pictures\n"
    out, err = ran(["query", "ext:png", "sort:name", "-k", 2], capsys)
    assert err == "2 of 3 pictures\n"
    header, *rows = ran(["query", "ext:png", "sort:name", "--csv"], capsys)[0].splitlines()
    assert header.split(",")[:5] == ["rank", "id", "score", "band", "path"]
    assert [row.split(",")[2:5] for row in rows] == [["", "", photo] for photo in photos]
    out, _ = ran(["query", "boat"], capsys)
    assert all(re.match(r"-?\d\.\d{4}\t(strong|maybe|below)\t/", line) for line in out.splitlines())


def test_what_is_read_otherwise_than_meant_has_a_note(
    filled: Path, capsys: Printed, monkeypatch: Patch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(filled))
    _, err = ran(["query", "ext:png", "boat", "-json", "--explain"], capsys)
    assert err == "Note: -json excludes pictures of 'json'. The option is --json.\n"
    _, err = ran(["query", "-n", "5", "boat", "--explain"], capsys)
    assert err == "Note: -n excludes pictures of 'n'. The number of pictures is -k N.\n"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.jpg").touch()
    _, err = ran(["query", "a b.jpg", "--explain"], capsys)
    assert err == "Note: a b.jpg is looked for as words. To search with the picture: --image 'a b.jpg'\n"


@pytest.mark.parametrize("labels", [["cat", "dog", "car"], ["cat,dog,car"], ["cat,", "dog,", "car"]], ids=str)
def test_labels_are_words_or_a_list(labels: list[str], filled: Path, capsys: Printed, monkeypatch: Patch) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(filled))
    out, _ = ran(["label", *labels, "--no-none", "--top", 3, "--json"], capsys)
    (first, *_) = (json.loads(line) for line in out.splitlines())
    assert {each["label"] for each in first["labels"]} == {"cat", "dog", "car"}


@pytest.mark.parametrize("command", [["query", "boat"], ["export", "boat", "--to", "out"]], ids=lambda it: it[0])
def test_a_picture_that_cant_be_read_is_named_with_the_reason(
    command: list[str],
    filled: Path,
    tmp_path: Path,
    capsys: Printed,
    monkeypatch: Patch,
) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(filled))
    monkeypatch.chdir(tmp_path)
    good, bad = filled.parent / "photos" / "1.png", tmp_path / "notes.jpg"
    bad.write_text("no picture")
    error = said([*command, "--image", good, "--image", bad], capsys)
    assert re.search(rf"The picture {re.escape(str(bad))} can't be read: \w", error)


@pytest.mark.parametrize(
    "command",
    [["query", "boat"], ["query", "ext:jpg"], ["query", "--all", "--json"], ["label", "cat"],
     ["export", "boat", "--to", "o"], ["tag", "1", "--add", "sea"], ["favourite", "1"]],
    ids=" ".join,
)  # fmt: skip
def test_an_empty_library_says_the_command_to_run(
    command: list[str], tmp_path: Path, capsys: Printed, monkeypatch: Patch
) -> None:
    empty = tmp_path / "my library"
    Library.create(empty).close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(empty))
    error = said(command, capsys)
    assert "has no pictures yet" in error
    assert f"sightline index ./photos --library '{empty}'" in error


def test_times_are_words_on_a_terminal_and_iso_with_a_zone_in_json(
    filled: Path, capsys: Printed, monkeypatch: Patch
) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(filled))
    out, _ = ran(["status"], capsys)
    assert re.search(r"Folder .*; checked just now", out)
    assert re.search(r"Last run  just now: 3 new", out)
    assert not re.search(r"\d{4}-\d\d-\d\dT", out)
    told = json.loads(ran(["status", "--json"], capsys)[0])
    for stamp in (told["last_run"]["started_at"], told["roots"][0]["last_walked_at"]):
        assert datetime.fromisoformat(stamp).tzinfo is not None


# -- one command ------------------------------------------------------------------------------------------------------


def test_one_command_has_both_programs_behind_it(tmp_path: Path, tiny_space: str, capsys: Printed) -> None:
    photos, library = tmp_path / "photos", tmp_path / "library"
    photos.mkdir()
    Image.new("RGB", (40, 30)).save(photos / "a.png")
    _, err = ran(["--library", library, "index", photos, "--space", tiny_space], capsys)
    assert "1 new." in err
    (photos / "b.jpg").write_bytes(b"no picture")
    _, err = ran(["index", photos, "--library", library], capsys, code=1)
    assert "Why files failed: sightline failures" in err
    assert ran(["query", "--all", "--library", library], capsys)[0].splitlines() == [str(photos / "a.png")]


def complete(words: str, **environment: str) -> list[str]:
    """What bash is told to complete."""
    code = "from sightline_cli.__main__ import main; main()"
    asked = {"_SIGHTLINE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **asked, **environment}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_shells_complete_commands_options_and_what_the_library_has(filled: Path) -> None:
    with Library.open(filled) as library:
        library.marks.save_search("wide", "ext:png")
        (space,) = library.catalog.spaces()
    assert complete("sightline sta") == ["status"]
    assert complete("sightline exp") == ["export", "export-marks"]
    assert complete("sightline query --exp") == ["--explain"]
    here = {"SIGHTLINE_LIBRARY": str(filled)}
    assert complete("sightline query --saved w", **here) == ["wide"]
    assert complete(f"sightline label --space {space.name[:2]}", **here) == [space.name]
    assert complete("sightline query --saved w", SIGHTLINE_LIBRARY="/nowhere") in ([], [""])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_what_a_shell_reads(shell: str, capsys: Printed) -> None:
    out, _ = ran(["completion", shell], capsys)
    assert f"_SIGHTLINE_COMPLETE={shell}_complete" in out


def test_the_desktop_entry_is_valid_and_opens_the_page(tmp_path: Path, capsys: Printed, monkeypatch: Patch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    program = tmp_path / "an $odd 100% place" / "sightline"
    program.parent.mkdir()
    program.touch()
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    text, _ = ran(["desktop-entry"], capsys)
    _, err = ran(["desktop-entry", "--install"], capsys)
    entry, icon = (
        tmp_path / "applications" / "sightline.desktop",
        tmp_path / "icons/hicolor/scalable/apps/sightline.svg",
    )
    assert err == f"Sightline is in the menu of programs: {entry}\n"
    assert entry.read_text() == text
    assert icon.read_text().startswith("<svg")
    lines = dict(line.split("=", 1) for line in text.splitlines()[1:])
    assert text.startswith("[Desktop Entry]\n")
    assert {"Type", "Name", "Exec", "Icon", "Terminal", "Categories"} <= set(lines)
    # Unescaped as a value, then as a quoted argument, then its codes, as the specification has it.
    value = lines["Exec"].replace("\\\\", "\\")
    quoted, _, rest = value.removeprefix('"').rpartition('"')
    assert re.sub(r'\\(["`$\\])', r"\1", quoted).replace("%%", "%") == str(program)
    assert rest == " --browser"
    if validator := shutil.which("desktop-file-validate"):
        subprocess.run([validator, entry], check=True)
    ran(["desktop-entry", "--remove"], capsys)
    assert not entry.exists()
    assert not icon.exists()


def test_help_of_the_one_command_loads_nothing_heavy() -> None:
    for arguments in (["--help"], ["index", "--help"], ["query", "--help"], ["status", "-h"], ["--version"]):
        code = (
            "import sys, sightline_cli.__main__ as m\n"
            f"try: m.main({arguments})\n"
            "except SystemExit as e: assert not e.code\n"
            "heavy = ('torch', 'streamlit', 'sqlalchemy', 'numpy', 'lark', 'rich', 'huggingface_hub')\n"
            "print([n for n in heavy if n in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=False)
        assert done.stderr.strip() == "[]", arguments
