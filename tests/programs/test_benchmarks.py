"""The benchmarks run, at sizes that say nothing about speed, and write where the documents say and nowhere else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import models
import numpy as np
import pytest
import scripts
from PIL import ExifTags, Image
from support import DEMO, ROOT

from store.vectors.policy import DEFAULT

TEXT = "# Before\n\n<!-- bench:one -->\nold\n<!-- /bench -->\nbetween\n<!-- bench:two -->\n<!-- /bench -->\nafter\n"


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """A benchmark's command line."""
    name, *options = map(str, words)
    command = [sys.executable, f"benchmarks/{name}.py", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def printed(*words: object) -> str:
    """What a benchmark that ends well prints on stdout."""
    done = run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "document.md"
    path.write_text(TEXT, encoding="utf-8")
    return path


def write(document: Path, name: str, code: str) -> subprocess.CompletedProcess[str]:
    return run("tables", name, "--document", document, "--", sys.executable, "-c", code)


def test_a_table_replaces_what_lies_between_its_markers_and_nothing_else(document: Path) -> None:
    assert write(document, "one", "print('| a |'); print('|---|'); print('| né |')").returncode == 0
    text = document.read_text(encoding="utf-8")
    before, after = TEXT.split("old\n")
    assert text.startswith(before) and text.endswith(after)
    inside = text[len(before) : -len(after)]
    assert inside.endswith("\n\n| a |\n|---|\n| né |\n")
    assert re.search(r"\d{4}-\d\d-\d\d: .*cores.*Python 3\.", inside)
    assert str(Path(sys.executable).parent) not in inside
    assert write(document, "one", "print('| b |')").returncode == 0
    assert "né" not in document.read_text(encoding="utf-8")


def test_no_table_says_where_things_lie_on_the_machine(document: Path, tmp_path: Path) -> None:
    code = "import sys; print(f'| pictures of {sys.argv[1]} |')"
    done = run("tables", "one", "--document", document, "--", sys.executable, "-c", code, tmp_path / "photos")
    assert done.returncode == 0
    text = document.read_text(encoding="utf-8")
    assert "| pictures of photos |" in text and str(tmp_path) not in text


def test_nothing_is_written_when_the_benchmark_fails_or_the_place_is_not_clear(document: Path) -> None:
    failed = write(document, "two", "print('| a |'); raise SystemExit(3)")
    assert failed.returncode == 3 and "nothing was written" in failed.stderr
    document.write_text(TEXT.replace("<!-- /bench -->\nbetween", "between"), encoding="utf-8")
    broken = document.read_text(encoding="utf-8")
    unclear = write(document, "one", "print('| a |')")
    assert unclear.returncode and "<!-- bench:one --> has no <!-- /bench -->" in unclear.stderr
    assert document.read_text(encoding="utf-8") == broken


def test_a_size_without_a_place_in_the_document_is_measured_and_printed(document: Path) -> None:
    done = write(document, "three", "print('| a |')")
    assert done.returncode == 0 and "| a |" in done.stdout
    assert "<!-- bench:three -->" in done.stderr
    assert document.read_text(encoding="utf-8") == TEXT


def test_every_table_that_make_writes_has_its_place() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    names = re.findall(r"\$\(WRITE\) ([a-z0-9-]+) --", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert len(names) > 8
    tables = scripts.load("benchmarks/tables.py")
    for name in [*names, "scale-1000000", "scale-10000000"]:
        assert tables.replaced(text, name, "") != text or f"<!-- bench:{name} -->" in text


def test_indexing_is_measured(photos: Path, tiny_space: str) -> None:
    said = printed("index", photos, "--space", tiny_space, "--rounds", 1, "--precision", "fp32")
    assert "24 pictures" in said and "fp32" in said


def test_indexing_pictures_that_nothing_can_be_compared_with_is_measured(tmp_path: Path, tiny_space: str) -> None:
    Image.new("L", (40, 30), 90).save(tmp_path / "grey.png")
    said = printed("index", tmp_path, "--space", tiny_space, "--rounds", 1, "--precision", "fp32")
    assert "No picture is upright and RGB" in said and "| fp32 |" in said


def test_a_folder_without_pictures_is_not_measured_and_named(tmp_path: Path, tiny_space: str) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    done = run("index", tmp_path, "--space", tiny_space, "--rounds", 1)
    assert done.returncode == 1 and f"None of the 1 files in {tmp_path} is a picture" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.nightly
def test_encoding_on_a_cluster_is_measured_beside_one_process(photos: Path) -> None:
    pytest.importorskip("ray", reason="a cluster is of Ray")
    said = printed("cluster", "encode", "--folder", photos, "--space", "demo", "--rounds", 1)
    assert "24 pictures" in said and re.search(r"^\| Ray, 2 workers / 1 worker \| [\d.]+ \| 1\.7 \|$", said, re.M)


def test_decoding_on_a_gpu_is_measured(photos: Path) -> None:
    pytest.importorskip("torchcodec", reason="torchcodec is made for Linux only")
    text = printed("gpu_jpeg", photos, "--device", "cpu", "--rounds", 1)
    assert re.search(
        r"^\| cores \| \d+ \| [\d.]+ \| 0% \|\n\| with the GPU \| \d+ \| [\d.]+ \| \d+% \|", text, re.MULTILINE
    )


def test_searching_is_measured() -> None:
    said = printed("search", "--sizes", 500, "--dims", 32, "--repeat", 2)
    assert "| 500 | 32 | one term | exact |" in said


@pytest.mark.parametrize(("limit", "tier"), [(500, "exact"), (499, "compressed")])
def test_whole_searches_are_measured_and_their_tier_is_named(limit: int, tier: str) -> None:
    said = printed("search", "--sizes", 500, "--dims", 32, "--repeat", 2, "--searcher", "--exact-rows", limit)
    assert f"| 500 | 32 | one term | {tier} |" in said and "| 500 | 32 | one, 50% kept | exact |" in said


def test_the_catalogue_is_measured_and_no_plan_reads_a_table() -> None:
    said = printed("catalog", "--rows", 3000, "--rounds", 1)
    assert re.search(r"^\| `ext:jpg` \| 2,\d{3} \|", said, re.M)


def test_writing_is_measured() -> None:
    said = printed("writing", "--rows", 300, "--batch", 100, "--rounds", 1)
    assert len(re.findall(r"^\| .*(commit|executemany|add_all)`? \|", said, re.M)) == 3


@pytest.mark.slow
def test_what_a_run_costs_besides_encoding_is_measured() -> None:
    said = printed("running", "--files", 100, "--pictures", 512, "--rounds", 1)
    assert re.search(r"^\| `status` \| \d\.\d\d s \| under", said, re.M)
    assert re.search(r"^\| that, over the bare walk \| [\d.]+; less the run over one file -?[\d.]+ \|", said, re.M)
    assert re.search(r"^\| writing a picture at 5,120 over one at 512 \| [\d.]+ \|", said, re.M)


def test_growth_is_measured_in_both_tiers() -> None:
    said = printed("growth", "--size", 10_000, "--dim", 32, "--change", 20, "--rounds", 1)
    assert re.findall(r"^\| (exact|compressed) \| (replace|add|open) \|", said, re.M) == [
        (tier, what) for tier in ("exact", "compressed") for what in ("replace", "add", "open")
    ]


def is_upright(path: Path) -> bool:
    """Whether a picture is to be shown as it is stored: open_clip's transform turns none."""
    with Image.open(path) as image:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1)) == 1


@pytest.mark.nightly
@pytest.mark.timeout(900)  # five processes that import torch
def test_the_peers_that_are_here_encode_the_same_pictures_to_the_same_vectors(tmp_path: Path) -> None:
    for picture in [path for path in sorted(DEMO.rglob("*.jpg")) if is_upright(path)][:3]:
        shutil.copy(picture, tmp_path)
    done = run("peers", tmp_path, "--rounds", 1, "--times", 2, "--model", "ViT-S-32-alt")
    assert done.returncode == 0, done.stderr
    assert "rclip is left out; --install" in done.stderr
    assert "6 pictures" in done.stdout
    rows = [line for line in done.stdout.splitlines() if re.match(r"\| (Sightline|DataLoader)", line)]
    assert len(rows) == 2
    assert all(float(row.split("|")[-2]) > 0.99 for row in rows)


@pytest.mark.slow
def test_at_scale_exact_answers_are_right_and_what_does_not_fit_is_said(tmp_path: Path) -> None:
    names = ("Sightline, exact", "Sightline, compressed", "IVF, one bit", "IndexFlatIP", "IndexHNSWFlat")
    engines = [word for name in names for word in ("--engine", name)]
    said = printed("scale", "--sizes", 3000, "--dim", 64, "--queries", 8, "--rounds", 1, "--seconds", 0.2, *engines,
                   "--memory", 0.001, "--scratch", tmp_path)  # fmt: skip
    assert re.search(r"\| IndexHNSWFlat \| not run: would need 0\.0 GB of memory", said)
    said = printed("scale", "--sizes", 3000, "--dim", 64, "--queries", 8, "--rounds", 1, "--seconds", 0.2, *engines,
                   "--memory", 2, "--scratch", tmp_path)  # fmt: skip
    for name in ("Sightline, exact", "IndexFlatIP"):
        assert f"| {name} | **1.000** | 1.000 |" in said
    assert "| Sightline, compressed | **" in said
    assert "| IVF, one bit, 1/8 of the lists, candidates / 5 | **" in said
    assert "| IndexHNSWFlat, ef 256 | **" in said


def test_inverted_lists_find_what_exact_search_finds_where_all_of_them_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = scripts.load("benchmarks/scale_lists.py")
    data = scripts.load("benchmarks/scale_data.py").make(tmp_path, 3000, 64, 8)
    monkeypatch.setattr(lists, "DEFAULT", replace(DEFAULT, subset_rows=100))
    engine = lists.Lists(64)
    (tmp_path / "index").mkdir()
    engine.build(data, tmp_path / "index")
    engine.open(tmp_path / "index")
    asked = data.questions
    engine.set(lists.Setting(1, 1))
    for kind in ("text", "picture"):
        for query, best in zip(asked[kind], asked[f"{kind}-truth"], strict=True):
            assert set(engine.search(query)) == set(best)
    for share in (0.005, 0.2):
        for query, best in zip(asked["text"], asked[f"truth-{share}"], strict=True):
            assert set(engine.filtered(query, asked[f"kept-{share}"])) == set(best)
    engine.set(lists.Setting(64, 1))
    found = [set(engine.search(query)) for query in asked["text"]]
    assert found != [set(best) for best in asked["text-truth"]]


def test_inverted_lists_find_what_is_added_and_forget_what_is_removed(tmp_path: Path) -> None:
    lists = scripts.load("benchmarks/scale_lists.py")
    data = scripts.load("benchmarks/scale_data.py").make(tmp_path, 2000, 64, 4)
    engine = lists.Lists(64)
    (tmp_path / "index").mkdir()
    engine.build(data, tmp_path / "index")
    engine.open(tmp_path / "index")
    engine.set(lists.Setting(8, 1))
    more = data.questions["extra"].astype(np.float32)
    ids = np.arange(2001, 2001 + len(more))
    engine.add(ids, more)
    assert [engine.search(row)[0] for row in more[:5]] == ids[:5].tolist()
    engine.remove(ids)
    assert all(engine.search(row).max() <= 2000 for row in more[:5])


def test_curves_show_every_index_at_every_size_it_ran_at() -> None:
    def measured(milliseconds: float) -> dict[str, object]:
        text = {"median": milliseconds / 1e3, "recall": 0.99}
        return {"seconds": 1.0, "memory": 1e6, "variants": {"0": {"text": text}}}

    every = {"1000": {"ours": measured(1), "<theirs>": measured(2)}, "10000": {"ours": measured(10), "<theirs>": {}}}
    drawn = ElementTree.fromstring(scripts.load("benchmarks/curves.py").draw(every))
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}circle"))) == 3 * 3
    texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text and text.startswith("<theirs>") for text in texts)


@pytest.mark.slow
def test_maps_and_duplicates_are_measured() -> None:
    said = printed("views", "--sizes", 200, "--dim", 32, "--rounds", 1)
    row = next(line for line in said.splitlines() if line.startswith("| 200 |"))
    assert 0.9 < float(row.split("|")[-2]) <= 1


@pytest.mark.nightly
@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc")
def test_cold_starts_are_measured_against_another_tree(tmp_path: Path) -> None:
    for picture in sorted(DEMO.rglob("*.jpg"))[:2]:
        shutil.copy(picture, tmp_path)
    said = printed("cold", tmp_path, "--base", ROOT, "--rounds", 1, "--model", "ViT-S-32-alt",
                   "--only", "facts", "--only", "status")  # fmt: skip
    rows = re.findall(r"^\| (.+): (processor, s|memory, MB) \| [\d,.]+ \| [\d,.]+ \| \*\*([\d.]+)\*\* \|", said, re.M)
    assert len(rows) == 4 and all(0.2 < float(ratio) < 5 for *_, ratio in rows), said


@pytest.mark.slow
def test_pictures_like_a_picture_are_counted_beside_timm_and_faiss(tmp_path: Path) -> None:
    models.picture_only(tmp_path / "model")
    told = printed("alike", tmp_path / "model", DEMO, "--at", 3, "--precision", "fp32")
    assert told.startswith("24 photos; in the library 24\n")
    beside, ours = (float(each) for each in re.findall(r"P@3 (0\.\d+)", told))
    assert ours == pytest.approx(beside, abs=0.03)
    assert float(told.split()[-1]) > 0.9


def test_qdrants_engine_and_our_own_find_the_same_and_are_asked_in_one_run(tmp_path: Path) -> None:
    text = printed("cluster", "vectors", "--sizes", 3000, "--queries", 4, "--rounds", 1, "--scratch", tmp_path)
    assert text.startswith("3,000 vectors of 512 numbers")
    asked = [line.split(" | ") for line in text.splitlines() if re.match(r"\| (texts|pictures)", line)]
    assert [row[1] for row in asked] == ["sightline", "qdrant", "qdrant by its graph"] * (len(asked) // 3)
    assert {row[2] for row in asked if "best" not in row[0]} == {"1.000"}
