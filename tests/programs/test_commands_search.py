"""The command line of search: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import indexing
import models
import numpy as np
import pytest
from PIL import Image
from support import ROOT

from search_ui.__main__ import main
from sightline.media.export import Exported, export
from store.library import Library

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no file names that are not text")


def draw(path: Path, seed: int, size: tuple[int, int] = (96, 64)) -> bytes:
    """A picture of coloured blocks, each seed another."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).save(path, quality=95)
    return path.read_bytes()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine pictures in two folders, two of them of one name; 00 to 07 and again 03."""
    folder = tmp_path / "photos"
    for seed in range(8):
        draw(folder / ("sea" if seed < 4 else "hills") / f"{seed:02}.jpg", seed)
    draw(folder / "hills" / "03.jpg", 8)
    return folder


@pytest.fixture
def path(tmp_path: Path, photos: Path, tiny_space: str) -> Path:
    indexing.add(tmp_path / "library", photos, tiny_space)
    return tmp_path / "library"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    raw: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.raw.decode().splitlines()

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.lines]

    @property
    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines]


Sightline = Callable[..., Done]


@pytest.fixture
def sightline(path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Sightline:
    """The command line in this process, on the test's library."""
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def call(*arguments: object, code: int = 0) -> Done:
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        done = Done(int(exit_.value.code or 0), out, err.decode())
        assert done.code == code, done.err
        assert "Traceback" not in done.err
        return done

    return call


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "search_ui", *map(str, arguments)], cwd=ROOT, text=True, capture_output=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment}, check=False, encoding="utf-8",
    )  # fmt: skip


def ids(sightline: Sightline) -> dict[str, int]:
    """Content ids by path below the root."""
    return {str(record["path"]): int(str(record["id"])) for record in sightline("query", "--all", "--json").records}


# -- query ----------------------------------------------------------------------------------------------------------


def test_what_models_can_not_do_is_told_beside_the_hits(sightline: Sightline) -> None:
    for form in ((), ("--json",), ("--paths",)):
        done = sightline("query", "three boats", *form)
        assert done.err.count("Counts are unreliable") == 1
        assert b"unreliable" not in done.raw
    assert "unreliable" not in sightline("query", "a red boat").err


def test_the_plain_listing_is_score_band_and_path(sightline: Sightline, photos: Path) -> None:
    done = sightline("query", "--image", photos / "sea" / "02.jpg", "-k", 3)
    assert len(done.rows) == 3
    score, band, first = done.rows[0]
    assert (band, first) == ("strong", str(photos / "sea" / "02.jpg"))
    assert float(score) == max(float(row[0]) for row in done.rows)
    assert re.fullmatch(r"3 of 9 pictures, \d+ match(es)?, \d+ possible, \d+ ms\n", done.err)


def test_every_form_gives_the_same_hits_in_the_same_order(sightline: Sightline) -> None:
    question = ("query", "folder:sea", "sort:name")
    plain = [row[-1] for row in sightline(*question).rows]
    assert [Path(name).name for name in plain] == ["00.jpg", "01.jpg", "02.jpg", "03.jpg"]
    records = sightline(*question, "--json").records
    assert [record["absolute"] for record in records] == plain
    assert [record["rank"] for record in records] == [1, 2, 3, 4]
    assert [record["folded"] for record in records] == [[], [], [], []]
    assert sightline(*question, "--paths").lines == plain
    assert sightline(*question, "--paths", "-0").raw == b"".join(os.fsencode(name) + b"\0" for name in plain)
    rows = list(csv.DictReader(io.StringIO(sightline(*question, "--csv").raw.decode())))
    assert [row["path"] for row in rows] == plain
    assert [(row["width"], row["format"]) for row in rows] == [("96", "JPEG")] * 4


def test_a_page_further_on_keeps_its_ranks(sightline: Sightline) -> None:
    whole = sightline("query", "--all", "sort:name", "--json").records
    assert len(whole) == 9
    assert sightline("query", "--all", "sort:name", "--json", "--offset", 6).records == whole[6:]
    some = sightline("query", "folder:photos", "sort:name", "--json", "-k", 2, "--offset", 3).records
    assert [(record["rank"], record["id"]) for record in some] == [(4, whole[3]["id"]), (5, whole[4]["id"])]


def test_no_offset_is_too_far_for_any_form(sightline: Sightline, tmp_path: Path) -> None:
    for form in ((), ("--json",), ("--csv",), ("--paths",)):
        assert len(sightline("query", "folder:sea", "--offset", 10**12, *form).raw.splitlines()) == ("--csv" in form)
        said = sightline("query", "folder:sea", "--offset", 10**23, *form, code=2).err
        assert "0<=x<=1000000000000" in said
    said = sightline("export", "folder:sea", "-k", 10**23, "--to", tmp_path / "out", code=2).err
    assert "1<=x<=1000000000000" in said


def test_a_list_that_is_empty_says_why(sightline: Sightline) -> None:
    for form in ((), ("--json",), ("--paths",)):
        done = sightline("query", "boat", "date:1999", *form)
        assert done.raw == b""
        assert len(done.err.splitlines()) == 2


def test_each_term_has_its_part_in_the_record(sightline: Sightline, photos: Path) -> None:
    own = ids(sightline)["sea/01.jpg"]
    done = sightline(
        "query", "boat", "--like", own, "--image", photos / "hills" / "05.jpg", "-house", "--json", "-k", 5
    )
    parts = done.records[0]["parts"]
    assert isinstance(parts, list)
    assert {part["term"]: part["excluded"] for part in parts if part["excluded"]} == {"-house": True}
    assert len(parts) == 4
    assert set(parts[0]) == {"term", "cosine", "score", "excluded", "box"}


def test_a_word_with_a_minus_is_no_option(sightline: Sightline) -> None:
    done = sightline("query", "boat", "-house", "-kite", "--explain")
    assert {"-house", "-kite"} <= {row[1] for row in done.rows}
    assert len(sightline("query", "-camera:sony", "-k5").rows) == 5
    assert len(sightline("query", "-k", 5, "--", "-camera:sony").rows) == 5


def test_explain_says_what_was_understood_and_needs_no_library(tmp_path: Path) -> None:
    done = run("query", "sunset", "camera:sony", "date:2023-06", "--explain", "--library", tmp_path / "nowhere")
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert {"sunset", "camera:sony", "date:2023-06"} <= {row[1] for row in rows}
    assert all(len(row) == 3 and all(row) for row in rows)
    done = run("query", "sunset", "--explain", "--json", "--library", tmp_path / "nowhere")
    assert set(json.loads(done.stdout.splitlines()[0])) == {"kind", "text", "meaning"}


@pytest.mark.parametrize(
    ("text", "place"),
    [("sunset camra:sony", "camra:sony"), ("日本 date:202x", "date:202x"), ("boat\ttag:a\x1b date:202x", "date:202x")],
)
def test_a_mistake_is_shown_with_carets_under_its_place(sightline: Sightline, text: str, place: str) -> None:
    done = sightline("query", text, code=2)
    assert done.raw == b""
    shown, carets = done.err.splitlines()[-2:]
    assert "\x1b" not in done.err
    wide = shown.replace("日本", "    ")
    marked = wide[carets.index("^") : len(carets)]
    assert marked
    assert marked in place
    assert set(carets) == {" ", "^"}


def test_a_mistake_in_a_long_text_shows_the_part_around_it(sightline: Sightline) -> None:
    done = sightline("query", "word " * 100 + "camra:sony" + " word" * 100, code=2)
    shown, carets = done.err.splitlines()[-2:]
    assert len(shown) < 160
    assert shown.startswith("  ...")
    assert shown[carets.index("^") : len(carets)] in "camra:sony"


def test_what_cant_be_asked_exits_2_with_one_sentence(sightline: Sightline, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    huge = tmp_path / "huge.jpg"
    with huge.open("wb") as file:
        file.truncate(25_000_001)
    for arguments, said in (
        (("query",), "nothing to search for"),
        (("query", " \t "), "nothing to search for"),
        (("query", "boat", "-k", 0), "0"),
        (("query", "boat", "-k", 501), "501"),
        (("query", "boat", "-k", "many"), "many"),
        (("query", "boat", "--json", "--csv"), "Use either --json or --csv."),
        (("query", "boat", "-k", 3, "--all"), "Use either --limit or --all."),
        (("query", "boat", "-0"), "--paths"),
        (("query", "--like", 10**15), "1000000000000000"),
        (("query", "--image", broken), "can't be read"),
        (("query", "--image", huge), "larger than 25 MB"),
        (("query", "--image", tmp_path / "none.jpg"), "does not exist"),
        (("query", "--saved", "nothing"), "no saved search 'nothing'"),
        (("query", "boat", "--library", tmp_path / "nowhere"), "There is no library in"),
        (("--library", tmp_path, "--port", "70000"), "70000"),
    ):
        done = sightline(*arguments, code=2)
        assert done.raw == b""
        assert said in done.err, arguments


@linux
def test_json_lines_parse_and_keep_any_path(path: Path, photos: Path, tiny_space: str) -> None:
    shutil.copy(os.fsencode(photos / "sea" / "00.jpg"), os.fsencode(photos) + b"/caf\xe9\n.jpg")
    draw(photos / "déjà vu.jpg", 50)
    (photos / "sea" / "00.jpg").unlink()
    indexing.add(path, photos, tiny_space)
    done = run("query", "--all", "--json", SIGHTLINE_LIBRARY=str(path), PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(records) == 10
    assert {"déjà vu.jpg", "sea/01.jpg"} <= {record.get("path") for record in records}
    odd = next(record for record in records if "path_b64" in record)
    assert (odd["path_b64"], odd["root"]) == ("Y2Fm6QouanBn", str(photos))
    assert "absolute_b64" in odd
    plain = run("query", "--all", "--library", path)
    assert r"caf\xe9\u000a.jpg" in plain.stdout
    table = run("query", "--all", "--csv", "--library", path)
    assert [row["path_b64"] for row in csv.DictReader(io.StringIO(table.stdout)) if not row["path"]] == [
        odd["absolute_b64"]
    ]


@linux
def test_paths_are_just_as_the_file_system_spells_them(
    sightline: Sightline, path: Path, photos: Path, tiny_space: str
) -> None:
    name = os.fsencode(photos) + b"/caf\xe9\n.jpg"
    shutil.copy(os.fsencode(photos / "sea" / "00.jpg"), name)
    (photos / "sea" / "00.jpg").unlink()
    indexing.add(path, photos, tiny_space)
    assert name in sightline("query", "--all", "--paths", "--print0").raw.split(b"\0")
    assert name + b"\n" in sightline("query", "--all", "--paths").raw


def test_a_reader_that_leaves_early_is_no_error(path: Path) -> None:
    command = f"{sys.executable} -m search_ui query --all --library {path} | head -0; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 141, done.stderr  # 128 + SIGPIPE, as the indexer says it
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


def test_help_loads_nothing_heavy() -> None:
    for arguments in (["--help"], ["query", "--help"], ["export", "--help"], ["label", "-h"], ["tag", "-h"]):
        code = (
            "import sys, search_ui.__main__ as m\n"
            f"try: m.main({arguments})\n"
            "except SystemExit as e: assert not e.code\n"
            "heavy = ('torch', 'streamlit', 'sqlalchemy', 'numpy', 'lark', 'rich')\n"
            "print([n for n in heavy if n in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=False)
        assert done.stderr.strip() == "[]", arguments
        assert "Usage: sightline" in done.stdout


# -- export ---------------------------------------------------------------------------------------------------------


def test_export_copies_all_hits_with_their_times(sightline: Sightline, photos: Path, tmp_path: Path) -> None:
    os.utime(photos / "sea" / "01.jpg", ns=(10**18, 10**18))
    done = sightline("export", "--to", tmp_path / "out" / "new", "folder:sea")
    assert done.raw == b""
    assert "4 written, 0 there already, 0 failed" in done.err
    made = sorted((tmp_path / "out" / "new").iterdir())
    assert [file.name for file in made] == ["00.jpg", "01.jpg", "02.jpg", "03.jpg"]
    for file in made:
        original = photos / "sea" / file.name
        assert file.read_bytes() == original.read_bytes()
        assert file.stat().st_mtime_ns == original.stat().st_mtime_ns
        assert not file.samefile(original)


def test_two_exports_into_one_folder_at_once_keep_every_file_whole(tmp_path: Path, tiny_space: str) -> None:
    def library_of(letter: str) -> Path:
        folder = tmp_path / letter / "photos"
        folder.mkdir(parents=True)
        for number in range(20):
            Image.new("RGB", (400, 300), (12 * number, ord(letter), 0)).save(folder / f"{number:02}.bmp")
        indexing.add(tmp_path / letter / "library", folder, tiny_space)
        return tmp_path / letter / "library"

    def run(path: Path) -> list[Exported]:
        with Library.open(path) as library:
            return list(export(library, library.catalog.photos(range(1, 21)).values(), tmp_path / "out"))

    paths = [library_of(letter) for letter in "ab"]
    with ThreadPoolExecutor(2) as pool:
        done = [each for part in pool.map(run, paths) for each in part]
    assert {each.outcome for each in done} == {"written"}
    assert all(each.target.read_bytes() == each.source.read_bytes() for each in done)
    assert len(list((tmp_path / "out").iterdir())) == 40


def test_names_that_are_taken_get_a_number_and_nothing_is_replaced(
    sightline: Sightline, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "00.jpg").write_bytes(b"mine")
    (out / "01.jpg").mkdir()
    (out / "02.jpg").symlink_to(tmp_path / "nowhere")
    done = sightline("export", "--to", out, "--all", "sort:name")
    assert "9 written" in done.err
    assert (out / "00.jpg").read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()
    for name in ("00", "01", "02"):
        assert (out / f"{name} (2).jpg").read_bytes() == (photos / "sea" / f"{name}.jpg").read_bytes()
    both = {(out / name).read_bytes() for name in ("03.jpg", "03 (2).jpg")}
    assert both == {(photos / folder / "03.jpg").read_bytes() for folder in ("sea", "hills")}
    before = sorted(out.iterdir())
    assert "0 written, 9 there already" in sightline("export", "--to", out, "--all", "sort:name").err
    assert sorted(out.iterdir()) == before


def test_a_tree_keeps_the_folders_under_the_roots_name(sightline: Sightline, photos: Path, tmp_path: Path) -> None:
    sightline("export", "--to", tmp_path / "out", "--all", "--tree")
    made = {str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*.jpg")}
    assert made == {f"photos/{file.relative_to(photos)}" for file in photos.rglob("*.jpg")}


def test_a_link_in_the_folder_leads_nothing_out_of_it(sightline: Sightline, tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    (out / "photos").mkdir(parents=True)
    elsewhere.mkdir()
    (out / "photos" / "sea").symlink_to(elsewhere)
    done = sightline("export", "--to", out, "--all", "--tree", code=1)
    assert "5 written, 0 there already, 4 failed" in done.err
    assert "leads out of the folder" in done.err
    assert list(elsewhere.iterdir()) == []


def test_links_instead_of_copies(sightline: Sightline, photos: Path, tmp_path: Path) -> None:
    for link in ("hard", "symbolic"):
        for _ in range(2):
            sightline("export", "--to", tmp_path / link, "--link", link, "folder:sea")
        made = sorted((tmp_path / link).iterdir())
        assert [file.name for file in made] == ["00.jpg", "01.jpg", "02.jpg", "03.jpg"]
        assert all(file.samefile(photos / "sea" / file.name) for file in made)
        assert all(file.is_symlink() == (link == "symbolic") for file in made)
    # A copy beside a link to the same photo is a file of its own.
    sightline("export", "--to", tmp_path / "hard", "folder:sea")
    copy = tmp_path / "hard" / "00 (2).jpg"
    assert copy.read_bytes() == (photos / "sea" / "00.jpg").read_bytes()
    assert not copy.samefile(photos / "sea" / "00.jpg")


def test_a_dry_run_names_the_files_and_writes_none(sightline: Sightline, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = sightline("export", "--to", out, "--all", "--dry-run")
    assert not out.exists()
    assert "9 would be written" in done.err
    planned = dict(done.rows)
    sightline("export", "--to", out, "--all")
    assert sorted(planned.values()) == sorted(str(file) for file in out.iterdir())
    for source, target in planned.items():
        assert Path(source).read_bytes() == Path(target).read_bytes()


@linux
def test_a_file_that_fails_is_named_and_the_rest_is_exported(
    sightline: Sightline, photos: Path, tmp_path: Path
) -> None:
    (photos / "sea" / "01.jpg").unlink()
    (photos / "sea" / "02.jpg").unlink()
    os.mkfifo(photos / "sea" / "02.jpg")
    done = sightline("export", "--to", tmp_path / "out", "folder:sea", code=1)
    assert "2 written, 0 there already, 2 failed" in done.err
    assert f"Failed: {photos / 'sea' / '01.jpg'}" in done.err
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["00.jpg", "03.jpg"]


@linux
def test_names_that_are_no_text_are_exported(
    sightline: Sightline, path: Path, photos: Path, tiny_space: str, tmp_path: Path
) -> None:
    (photos / "sea" / "00.jpg").rename(os.fsdecode(os.fsencode(photos) + b"/sea/caf\xe9.jpg"))
    indexing.add(path, photos, tiny_space)
    for _ in range(2):
        sightline("export", "--to", tmp_path / "out", "folder:sea")
    names = [os.fsencode(file.name) for file in (tmp_path / "out").iterdir()]
    assert len(names) == 4
    assert b"caf\xe9.jpg" in names


def test_an_export_into_an_indexed_folder_is_warned_of(sightline: Sightline, photos: Path) -> None:
    done = sightline("export", "--to", photos / "sea" / "best", "folder:hills", "--dry-run")
    assert f"lies in the indexed folder {photos}" in done.err
    assert "lies in" not in sightline("export", "--to", photos.parent / "out", "folder:hills", "--dry-run").err


def test_an_interrupt_leaves_no_half_file(
    sightline: Sightline, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, written = os.write, 0

    def interrupted(descriptor: int, data: bytes) -> int:
        nonlocal written
        if written == 2:
            real(descriptor, data[:4])
            raise KeyboardInterrupt
        written += 1
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", interrupted)
    done = sightline("export", "--to", tmp_path / "out", "folder:sea", code=130)
    assert "2 written" in done.err
    assert len(list((tmp_path / "out").iterdir())) == 2
    for file in (tmp_path / "out").iterdir():
        assert file.read_bytes() == (photos / "sea" / file.name).read_bytes()


def test_drives_without_hard_links_get_copies_all_the_same(
    sightline: Sightline, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "00.jpg").write_bytes(b"mine")
    assert "4 written" in sightline("export", "--to", tmp_path / "out", "folder:sea").err
    assert (tmp_path / "out" / "00.jpg").read_bytes() == b"mine"
    assert (tmp_path / "out" / "00 (2).jpg").read_bytes() == (photos / "sea" / "00.jpg").read_bytes()
    assert len(list((tmp_path / "out").iterdir())) == 5
    assert "4 failed" in sightline("export", "--to", tmp_path / "h", "folder:sea", "--link", "hard", code=1).err


def test_an_export_that_cant_begin_says_why(sightline: Sightline, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in sightline("export", "--to", tmp_path / "file", "folder:sea", code=2).err
    assert "file" in sightline("export", "--to", tmp_path / "file" / "in", "folder:sea", code=2).err
    assert "nothing to search for" in sightline("export", "--to", tmp_path / "out", code=2).err
    assert not (tmp_path / "out").exists()


# -- label ----------------------------------------------------------------------------------------------------------


def test_label_prints_label_probability_and_path(sightline: Sightline, photos: Path) -> None:
    done = sightline("label", "cat, dog", "--no-none", "--folder", "sea")
    assert {row[2] for row in done.rows} == {str(file) for file in (photos / "sea").iterdir()}
    assert {row[0] for row in done.rows} <= {"cat", "dog"}
    assert all(0.5 <= float(row[1]) <= 1 for row in done.rows)
    assert "4 pictures: " in done.err
    assert sightline("label", "cat,dog", "--filter", "date:1999").err == "0 pictures\n"


def test_labels_as_json_and_csv(sightline: Sightline) -> None:
    options = ("label", "cat,dog,car", "--filter", "folder:sea", "--top", 2, "--template", "{}", "--template", "a {}")
    records = sightline(*options, "--json").records
    assert len(records) == 4
    for record in records:
        labels = record["labels"]
        assert isinstance(labels, list)
        assert len(labels) == 2
        assert (record["label"], record["probability"]) == (labels[0]["label"], labels[0]["probability"])
        assert record["width"] == 96
    rows = list(csv.DictReader(io.StringIO(sightline(*options, "--csv").raw.decode())))
    assert [(row["rank"], int(row["id"])) for row in rows] == [
        (rank, record["id"]) for record in records for rank in ("1", "2")
    ]
    names = [guess["label"] or "none of these" for record in records for guess in record["labels"]]  # type: ignore[attr-defined]
    assert [row["label"] for row in rows] == names


def test_labels_that_cant_be_given_exit_2(sightline: Sightline, tmp_path: Path) -> None:
    for arguments, said in (
        (("label", " , "), "no labels"),
        (("label", "cat,dog,cat"), "'cat' comes 2 times"),
        (("label", "cat", "--template", "a photo"), "has no {}"),
        (("label", "cat", "--filter", "sunset"), "takes filters only"),
        (("label", "cat", "--filter", "camra:sony"), "^^^"),
        (("label", "cat", "--space", "nothing"), "nothing"),
        (("label", "cat", "--folder", ""), "folder needs a name; '' is blank"),
        (("label", "cat", "--folder", "sea", "--folder", "\udcff"), "folder takes printable text"),
        (("label", "cat,\udcff"), "'\\udcff' has half a character"),
        (("label", "cat", "--template", "{} \udcff"), "half a character"),
        (("label", "cat", "--json", "--csv"), "Use either --json or --csv."),
        (("label", "cat", "--library", tmp_path / "nowhere"), "There is no library in"),
    ):
        done = sightline(*arguments, code=2)
        assert done.raw == b""
        assert said in done.err, arguments


def test_labels_in_a_space_without_words(tmp_path: Path, photos: Path, sightline: Sightline) -> None:
    indexing.add(tmp_path / "other", photos, models.picture_only(tmp_path / "pictures"))
    assert "no words" in sightline("label", "cat", "--library", tmp_path / "other", code=2).err


# -- tags, favourites, saved searches -------------------------------------------------------------------------------


def test_tags_are_given_taken_and_listed(sightline: Sightline) -> None:
    known = ids(sightline)
    one, two = known["sea/00.jpg"], known["hills/05.jpg"]
    assert "2 pictures changed" in sightline("tag", one, two, "--add", "best", "--add", "to print").err
    sightline("tag", one, "--remove", "to print")
    assert sightline("tags").rows == [["best", "2"], ["to print", "1"]]
    assert sightline("tags", "--json").records[0] == {"tag": "best", "pictures": 2}
    found = sightline("query", "tag:best", "--json").records
    assert {record["id"]: record["tags"] for record in found} == {one: ["best"], two: ["best", "to print"]}
    rows = csv.DictReader(io.StringIO(sightline("query", 'tag:"to print"', "--csv").raw.decode()))
    assert [row["tags"] for row in rows] == ["best|to print"]


def test_all_hits_of_a_query_are_tagged(sightline: Sightline) -> None:
    assert "4 pictures changed" in sightline("tag", "--query", "folder:sea", "--add", "sea").err
    assert "5 pictures changed" in sightline("tag", "--query", "-tag:sea", "--add", "land").err
    assert sorted(sightline("tags").rows) == [["land", "5"], ["sea", "4"]]


def test_only_what_is_above_the_line_is_marked(sightline: Sightline, photos: Path) -> None:
    shutil.copy(photos / "sea" / "00.jpg", photos / "sea" / "copy.jpg")
    known = ids(sightline)
    both = 0
    for name, own in known.items():
        for order in ("", " sort:date"):
            hits = sightline("query", f"like:{own} dedup:off{order}", "--all", "--json").records
            strong = {hit["id"] for hit in hits if hit["band"] == "strong"}
            assert own in strong
            both += len(strong) < len(hits)
            sightline("tag", "--query", f"like:{own}{order}", "--add", f"near {name}{order}")
            tagged = sightline("query", f'tag:"near {name}{order}"', "--all", "--json").records
            assert {hit["id"] for hit in tagged} == strong
            sightline("favourite", "--query", f"like:{own}{order}")
            kept = sightline("query", "favourite:yes dedup:off", "--json").records
            assert {hit["id"] for hit in kept} == strong
            sightline("favourite", "--query", "favourite:yes", "--remove")
    assert both, "some query should have hits that are only near its threshold"


def test_favourites(sightline: Sightline) -> None:
    known = ids(sightline)
    sightline("favourite", known["sea/00.jpg"], known["sea/01.jpg"])
    sightline("favourite", known["sea/01.jpg"], "--remove")
    found = sightline("query", "favourite:yes", "--json").records
    assert [(record["path"], record["favourite"]) for record in found] == [("sea/00.jpg", True)]


def test_a_saved_search_is_listed_run_and_deleted(sightline: Sightline) -> None:
    sightline("save", "by the sea", "folder:sea", "-camera:sony")
    assert sightline("searches").rows == [["by the sea", "folder:sea -camera:sony"]]
    record = sightline("searches", "--json").records[0]
    assert (record["name"], record["query"]) == ("by the sea", "folder:sea -camera:sony")
    assert len(sightline("query", "--saved", "by the sea").rows) == 4
    assert len(sightline("query", "--saved", "by the sea", "name:02*").rows) == 1
    sightline("searches", "--delete", "by the sea")
    assert sightline("searches").raw == b""
    assert "^^^" in sightline("save", "wrong", "camra:sony", code=2).err
    # Kept as Sightline writes it, as the JSON interface does too.
    sightline("save", "boats", "boat", "  camera:Sony,Leica", "-people")
    assert sightline("searches").rows == [["boats", "boat -people camera:Sony,Leica"]]


def test_marks_go_to_a_file_and_come_back(sightline: Sightline, tmp_path: Path) -> None:
    known = ids(sightline)
    sightline("tag", known["sea/00.jpg"], "--add", "best")
    sightline("favourite", known["sea/01.jpg"])
    sightline("save", "sea", "folder:sea")
    file = tmp_path / "marks.json"
    sightline("export-marks", file)
    assert json.loads(sightline("export-marks", "-").raw) == json.loads(file.read_bytes())
    sightline("tag", known["sea/00.jpg"], "--remove", "best")
    sightline("favourite", known["sea/01.jpg"], "--remove")
    sightline("searches", "--delete", "sea")
    sightline("import-marks", file)
    assert sightline("tags").rows == [["best", "1"]]
    assert len(sightline("query", "favourite:yes").rows) == 1
    assert sightline("searches").rows == [["sea", "folder:sea"]]
    file.write_text("no json")
    assert "is no JSON" in sightline("import-marks", file, code=2).err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"format": "sightline-marks", "version": ' + "[" * 900 + "]" * 900 + "}", "can't be read"),
        ('{"a":' * 100_000, "nested too deeply"),
        (r'{"format": "sightline-marks", "version": 1, "tags": {"\ud800": []}, "favourites": [], "searches": []}',
         "half a character"),
        (r'{"format": "sightline-marks", "version": 1, "tags": {}, "favourites": [], "searches": [{"name": "a", '
         r'"query": "boat", "saved_at": "\ud800"}]}', "half a character"),
        (r'["\udfff"]', "half a character"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_marks_is_refused_in_a_sentence(
    sightline: Sightline, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "marks.json").write_text(text)
    done = sightline("import-marks", tmp_path / "marks.json", code=2)
    assert said in done.err
    assert len(done.err.splitlines()) == 1


def test_marks_of_pictures_that_are_not_here_are_reported(
    sightline: Sightline, tmp_path: Path, photos: Path, tiny_space: str
) -> None:
    own = ids(sightline)["sea/00.jpg"]
    sightline("tag", own, "--add", "best")
    sightline("export-marks", tmp_path / "marks.json")
    indexing.add(tmp_path / "other", photos / "hills", tiny_space)
    done = sightline("import-marks", tmp_path / "marks.json", "--library", tmp_path / "other", code=1)
    assert "marks of 1 picture not in this library" in done.err
    assert sightline("tags", "--library", tmp_path / "other").raw == b""


def test_photos_set_aside_go_to_a_file_and_come_back(
    sightline: Sightline, library: Path, tmp_path: Path, photos: Path, tiny_space: str
) -> None:
    own = ids(sightline)["sea/00.jpg"]
    with Library.open(library) as opened:
        (photo,) = opened.catalog.photos_of([own])
        opened.marks.set_aside([photo.photo_id], True)
        sightline("export-marks", tmp_path / "marks.json")
        opened.marks.set_aside([photo.photo_id], False)
        assert "1 photo marked for removal added" in sightline("import-marks", tmp_path / "marks.json").err
        assert opened.marks.set_aside_of() == {photo.photo_id}
    indexing.add(tmp_path / "other", photos / "hills", tiny_space)
    done = sightline("import-marks", tmp_path / "marks.json", "--library", tmp_path / "other", code=1)
    assert "Left out: 1 photo marked for removal, not in this library" in done.err
    assert "sea/00.jpg" in done.err


def test_a_set_that_is_gone_is_said_in_a_sentence(sightline: Sightline) -> None:
    done = sightline("query", "set:0123456789ab", code=2)
    assert "There is no selection '0123456789ab' any more: the newest 200 are kept." in done.err
    assert len(done.err.splitlines()) == 1


def test_marks_that_cant_be_set_exit_2(sightline: Sightline) -> None:
    own = ids(sightline)["sea/00.jpg"]
    for arguments, said in (
        (("tag", own), "--add NAME or --remove NAME"),
        (("tag", "--add", "best"), "no pictures to change"),
        (("tag", own, 10**9, "--add", "best"), "no picture 1000000000"),
        (("tag", "--query", "", "--add", "best"), "nothing to search for"),
        (("tag", own, "--add", " "), "tag"),
        (("favourite",), "no pictures to change"),
        (("save", "nothing"), "nothing to save"),
        (("save", "nothing", "dedup:off"), "nothing to save"),
        (("tag", "--query", "sort:name", "--add", "best"), "nothing to search for"),
        (("tag", own, "--add", "Sea", "--remove", "sea"), "added and removed at once"),
        (("tag", own, "--add", "good", "--remove", "a,b"), "comma"),
        (("tag", 0, "--add", "best"), "0 is not in the range"),
        (("searches", "--delete", "nothing"), "no saved search 'nothing'"),
    ):
        done = sightline(*arguments, code=2)
        assert said in done.err, arguments
    assert sightline("tags").raw == b""
