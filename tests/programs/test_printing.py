"""What commands print drives no terminal, and what they write as CSV is no formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import indexing
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support import ROOT

from indexer.commands import run as index
from search_ui.__main__ import main
from sightline.csv_cells import guarded
from sightline.records import csv_line
from store.printing import json_text, printable

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such file names")

# A title for the window, a colour by one character, the other direction of writing, a line of its own, a bell, a tag.
EVIL = "\x1b]0;owned\x07\x9b31m\u202egnp.exe\u2028\r\x08\U000e0041"
DRIVES = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def driving(text: str) -> list[str]:
    """The characters of an output that could drive a terminal."""
    return [char for char in text if char not in "\n\t" and unicodedata.category(char) in DRIVES]


@pytest.fixture
def library(tmp_path: Path, tiny_space: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of hostile names, with marks and texts that another program wrote into its database."""
    photos = tmp_path / f"photos{EVIL}"
    photos.mkdir()
    for number, name in enumerate((f"a{EVIL}.png", "=cmd.png", "plain.png")):
        Image.new("RGB", (60, 40), (80 * number, 60, 90)).save(photos / name)
    (photos / f"broken{EVIL}.jpg").write_bytes(b"\xff\xd8\xff no picture")
    path = tmp_path / "library"
    indexing.add(path, photos, tiny_space)
    database = sqlite3.connect(path / "library.sqlite")
    with database:
        for place in (
            "failures.reason", "roots.display", "spaces.name", "photos.display", "contents.title", "contents.remark",
            "contents.camera_model",
        ):  # fmt: skip
            table, column = place.split(".")
            database.execute(f"UPDATE {table} SET {column} = coalesce({column}, '') || ?", (EVIL,))
    database.close()
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return path


Said = Callable[..., tuple[int, str]]


@pytest.fixture
def said(library: Path, capfd: pytest.CaptureFixture[str]) -> Said:
    """Run a command in this process; gives its exit code and all that it printed."""

    def call(*arguments: str | Path, program: str = "search") -> tuple[int, str]:
        given_ = [str(argument) for argument in arguments]
        capfd.readouterr()
        if program == "search":
            with pytest.raises(SystemExit) as ended:
                main(given_)
            code = int(ended.value.code or 0)
        else:
            code = index(given_)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out + err

    return call


@linux
def test_nothing_that_commands_print_drives_the_terminal(library: Path, said: Said, tmp_path: Path) -> None:
    photos = next(path for path in tmp_path.iterdir() if path.name.startswith("photos"))
    picture = next(path for path in photos.iterdir() if path.name.startswith("a\x1b"))
    marks, codes = tmp_path / "marks.json", []
    searching: list[tuple[str | Path, ...]] = [
        ("query", "--all"), ("query", "--all", "--json"), ("query", "--all", "--explain"), ("query", f"tag:{EVIL}"),
        ("query", f"x{EVIL}", "--explain"), ("query", f"name:*{EVIL}", "--json"), ("query", f"({EVIL}"),
        ("query", "--saved", f"no{EVIL}"), ("query", "--image", f"no{EVIL}.png"), ("query", f"--no{EVIL}"),
        ("query", "--image", picture, "-k", "1"), ("query", f"folder:{EVIL}", "--all"),
        ("tag", "1", "--add", f"best{EVIL}"), ("tag", "1", "2", "--add", "=1+1"), ("tags",), ("tags", "--json"),
        ("save", f"boats{EVIL}", f"boats {EVIL}"), ("save", "plain", f"boats name:*{EVIL}*"), ("searches",),
        ("searches", "--json"), ("searches", "--delete", f"no{EVIL}"), ("favourite", "1"),
        ("export-marks", "-"), ("export-marks", marks), ("import-marks", marks), ("import-marks", f"no{EVIL}"),
        ("left-marks",), ("left-marks", "--json"), ("label", f"cat{EVIL},dog"), ("label", f"cat{EVIL},dog", "--json"),
        ("export", "--to", tmp_path / f"out{EVIL}", "--all", "--dry-run"),
        ("export", "--to", photos, "--all", "--dry-run"),
        ("export", "--to", tmp_path / f"out{EVIL}", "--all"), (f"command{EVIL}",),
    ]  # fmt: skip
    for arguments in searching:
        code, text = said(*arguments)
        assert driving(text) == [], arguments
        codes.append(code)
    indexing_: list[tuple[str | Path, ...]] = [
        ("status",), ("status", "--json"), ("failures",), ("failures", "--json"), ("failures", "--remarks"),
        ("spaces",), ("spaces", "--json"), ("spaces", "--find", f"no{EVIL}"), ("verify",), ("verify", "--files"),
        ("index", photos, "--dry-run"), ("index", tmp_path / f"no{EVIL}"), ("index", photos), ("index", photos, "-v"),
        ("forget", tmp_path / f"no{EVIL}"), ("forget", photos, "--dry-run"), (f"command{EVIL}",), (f"--no{EVIL}",),
        ("forget", photos),
    ]  # fmt: skip
    for arguments in indexing_:
        code, text = said(*arguments, program="index")
        assert driving(text) == [], arguments
        codes.append(code)
    assert codes.count(0) > 25, codes


@linux
def test_a_foreign_marks_file_drives_no_terminal(said: Said, tmp_path: Path) -> None:
    said("save", "boats", "red boats")
    said("export-marks", tmp_path / "marks.json")
    data = json.loads((tmp_path / "marks.json").read_text())
    data["tags"] = {f"best{EVIL}": [f"{EVIL}", "ab" * 32]}
    data["set_aside"] = [{"root": f"/x{EVIL}", "path": f"y{EVIL}", "hash": "ab" * 32}]
    (tmp_path / "marks.json").write_text(json.dumps(data))
    code, text = said("import-marks", tmp_path / "marks.json")
    assert (driving(text), code > 0) == ([], True)


@linux
def test_every_failed_file_is_one_line_whatever_its_name_and_reason(library: Path, said: Said) -> None:
    database = sqlite3.connect(library / "library.sqlite")
    with database:
        database.execute("UPDATE failures SET reason = ?", ("one\nread\t/etc/two\tno",))
    database.close()
    code, text = said("failures", program="index")
    assert code == 0
    assert len(text.splitlines()) == 1
    assert text.count("\t") == 2


@linux
@pytest.mark.parametrize("form", ["--paths", "--csv", "--json", "-0"])
def test_a_terminal_gets_names_it_can_show_and_a_program_gets_the_names(library: Path, form: str) -> None:
    import pty

    options = [form] if form != "-0" else ["--paths", "-0"]
    command = [sys.executable, "-m", "search_ui", "query", "--all", *options]
    piped = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    assert (EVIL.encode() in piped) == (form != "--json")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, cwd=ROOT, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the terminal is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    assert driving(shown.decode().replace("\r\n", "\n").replace("\0", "")) == []
    assert b"owned" in shown


def test_json_is_the_same_value() -> None:
    value: dict[str, Any] = {"a": EVIL, "b": ["\x00\x1f\x7f\x85", "ü🌊", "\u200d"], "c\u202e": None, "\ud800": 1.5}
    for indent in (None, 1):
        text = json_text(value, indent)
        assert json.loads(text) == value
        assert driving(text) == []
    assert "ü🌊" in json_text(value)
    assert printable("ü🌊 a\nb") == "ü🌊 a\\u000ab"


# -- CSV --------------------------------------------------------------------------------------------------------------

FORMULAS = [
    "=1+1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "\ufeff=1", "\u200b-1", "\x00=1",
    "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20A", "\u22121+1", "\ufe631", "\tplain", "\rplain",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_compute_begins_with_an_apostrophe(text: str) -> None:
    row = next(csv.reader(io.StringIO(csv_line(["a", text, -1]), newline="")))
    assert (row[0], row[1][0], row[1].replace("'", ""), row[2]) == ("a", "'", text, "-1")
    assert next(csv.reader(io.StringIO(csv_line([text], raw=True), newline=""))) == [text]


def test_where_cells_are_parted_otherwise_none_of_them_is_computed() -> None:
    assert guarded("a;=1+1") == "a;'=1+1"
    assert guarded("a; -1\t@b") == "a;' -1\t'@b"
    assert guarded("=a;b;+c") == "'=a;b;'+c"


@pytest.mark.parametrize("value", [-1, -0.5, None, True, "", "a=b", "a-b", "/photos/=a.jpg", "'=1", "2020-01-01", "ü"])
def test_numbers_and_plain_texts_stay(value: object) -> None:
    assert guarded(value) == value


@given(st.text(alphabet=st.sampled_from("=+-@;\t\r\n \u200b\uff1da,\"'"), max_size=12))
def test_no_cell_of_any_text_begins_as_a_formula(text: str) -> None:
    line = csv_line([1, text, "x"])
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(line, newline=""), delimiter=separator):
            for cell in row:
                assert cell.lstrip(" \t\r\n\u200b")[:1] not in tuple("=+-@\uff1d"), (line, separator)


@linux
def test_csv_of_commands_has_no_formulas_unless_it_is_asked_for(library: Path, said: Said) -> None:
    said("tag", "1", "--add", "=1+1")
    database = sqlite3.connect(library / "library.sqlite")
    with database:
        database.execute("UPDATE contents SET title = '@SUM(1)', longitude = -1.5, latitude = -2.5")
    database.close()
    for options, before in (((), "'"), (("--raw",), "")):
        code, text = said("query", "--all", "--csv", *options)
        rows = list(csv.DictReader(io.StringIO(text.rsplit("\n", 2)[0], newline="")))
        assert code == 0
        assert {row["title"] for row in rows} == {f"{before}@SUM(1)"}
        assert {row["tags"] for row in rows} == {"", f"{before}=1+1"}
        assert {row["longitude"] for row in rows} == {"-1.5"}, "a number is no formula"
        code, text = said("label", "=a,dog", "--csv", "--top", "2", *options)
        rows = list(csv.DictReader(io.StringIO(text.rsplit("\n", 2)[0], newline="")))
        assert f"{before}=a" in {row["label"] for row in rows}
    assert said("query", "--all", "--raw")[0] == 2
    assert said("label", "a,b", "--raw")[0] == 2
