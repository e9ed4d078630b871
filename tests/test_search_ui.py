"""What a search promises, and what the command line prints."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import browser
import models
import numpy as np
import pytest
from PIL import Image

from indexer.encoder import Encoder
from search_ui import words
from search_ui.encoders import Encoders
from search_ui.query import MAX_PICTURE_BYTES, Query, QueryError
from search_ui.searcher import Searcher, best, fuse
from store.errors import SpaceError
from store.library import Library


def draw(path: Path, seed: int, size: tuple[int, int] = (96, 64)) -> bytes:
    """A picture of coloured blocks, each seed another."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).save(path, quality=95)
    return path.read_bytes()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(12):
        draw(folder / f"{seed:02}.jpg", seed)
    return folder


@pytest.fixture
def path(tmp_path: Path, photos: Path, tiny_space: str) -> Path:
    browser.add(tmp_path / "library", photos, tiny_space)
    return tmp_path / "library"


@pytest.fixture
def searcher(path: Path) -> Searcher:
    return Searcher(Library.open(path), Encoders(offline=True))


def names(searcher: Searcher, query: Query) -> list[str]:
    return [hit.photo.display for hit in searcher.search(query).hits]


def ids_by_name(searcher: Searcher) -> dict[str, int]:
    return {photo.display: photo.content_id for photo in searcher.recent(500)}


# -- queries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "nothing to search for"),
        ({"text": " \n\t "}, "nothing to search for"),
        ({"text": "boat", "k": 0}, "1 to 500"),
        ({"text": "boat", "k": 501}, "501 were asked for"),
        ({"image": bytes(MAX_PICTURE_BYTES + 1)}, "the limit is 25 MB"),
        ({"text": "x" * 1_000_000}, "1000000 characters"),
    ],
)
def test_a_query_that_cant_be_searched_says_why(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(QueryError, match=said):
        Query(**arguments)  # type: ignore[arg-type]


# -- searching ------------------------------------------------------------------------------------------------------


def test_a_picture_of_the_library_finds_itself_first(searcher: Searcher, photos: Path) -> None:
    for name in ("00.jpg", "07.jpg"):
        result = searcher.search(Query(image=(photos / name).read_bytes(), k=3))
        assert result.hits[0].photo.display == name
        assert result.hits[0].score == 1
        assert result.hits[0].parts == {"picture": result.hits[0].score}
        assert result.total == 12


def test_a_picture_saved_anew_finds_its_original_first(searcher: Searcher, photos: Path) -> None:
    again = io.BytesIO()
    Image.open(photos / "05.jpg").save(again, "PNG")
    assert names(searcher, Query(image=again.getvalue(), k=1)) == ["05.jpg"]


def test_more_like_this_needs_no_model(path: Path) -> None:
    class NoModel(Encoders):
        def get(self, space: object) -> Encoder:
            raise AssertionError("a model was loaded")

    searcher = Searcher(Library.open(path), NoModel())
    ids = ids_by_name(searcher)
    query = Query(like=ids["03.jpg"], k=12)
    assert not searcher.needs_model(query)
    assert searcher.needs_model(Query(text="boat"))
    hits = searcher.search(query).hits
    assert hits[0].photo.display == "03.jpg"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len(hits) == 12


def test_a_picture_is_first_even_among_near_duplicates_and_with_one_hit(searcher: Searcher) -> None:
    for content_id in ids_by_name(searcher).values():
        assert searcher.search(Query(like=content_id, k=1)).hits[0].photo.content_id == content_id


def test_the_score_of_one_term_is_its_cosine(searcher: Searcher) -> None:
    result = searcher.search(Query(text="a red boat", k=12))
    text = searcher.encoders.get(searcher.space()).encode_texts(["a red boat"])[0]
    index = searcher.library.vectors.get(searcher.space().id)
    ids = np.asarray([hit.photo.content_id for hit in result.hits], np.int64)
    np.testing.assert_allclose([hit.score for hit in result.hits], index.vectors_of(ids) @ text, atol=1e-5)
    assert result.space == searcher.space().name


def test_combined_terms_are_ordered_by_the_mean_of_standardised_cosines(searcher: Searcher) -> None:
    like = ids_by_name(searcher)["04.jpg"]
    both = searcher.search(Query(text="a red boat", like=like, k=12)).hits
    cosines = np.asarray([[hit.parts["text"], hit.parts["like"]] for hit in both])
    z = (cosines - cosines.mean(axis=0)) / cosines.std(axis=0)
    np.testing.assert_allclose([hit.score for hit in both], z.mean(axis=1), atol=0.02)
    assert [hit.score for hit in both] == sorted((hit.score for hit in both), reverse=True)


def test_fused_scores_obey_each_term_though_one_is_far_larger() -> None:
    text = np.asarray([0.10, 0.11, 0.30, 0.12], np.float32)
    picture = np.asarray([0.90, 0.50, 0.85, 0.40], np.float32)
    assert fuse(np.stack([text, picture])).argmax() == 2
    # The last but one suits the text by far and the picture well; cosines as they are would let the picture decide.
    text, picture = np.asarray([0.10, 0.11, 0.30, 0.12], np.float32), np.asarray([0.91, 0.5, 0.7, 0.4], np.float32)
    assert np.stack([text, picture]).mean(axis=0).argmax() == 0
    assert fuse(np.stack([text, picture])).argmax() == 2
    # A term to which all are the same decides nothing.
    assert fuse(np.stack([text, np.full(4, 0.7, np.float32)])).argmax() == 2


def test_equal_scores_are_ordered_by_id_also_at_the_edge() -> None:
    ids = np.asarray([9, 3, 7, 1, 5], np.int64)
    scores = np.asarray([1, 1, 2, 1, 0], np.float32)
    assert ids[best(ids, scores, 3)].tolist() == [7, 1, 3]
    assert ids[best(ids, scores, 50)].tolist() == [7, 1, 3, 9, 5]


def test_the_same_search_gives_the_same_hits(searcher: Searcher) -> None:
    query = Query(text="a red boat", like=ids_by_name(searcher)["02.jpg"], k=7)
    first, second = searcher.search(query), searcher.search(query)
    assert first.hits == second.hits


def test_missing_photos_never_come_up(searcher: Searcher, path: Path, photos: Path, tiny_space: str) -> None:
    ids = ids_by_name(searcher)
    (photos / "06.jpg").unlink()
    browser.add(path, photos, tiny_space)
    for query in (Query(text="boat", k=20), Query(like=ids["06.jpg"], k=20), Query(text="boat", like=ids["00.jpg"])):
        result = searcher.search(query)
        assert "06.jpg" not in [hit.photo.display for hit in result.hits]
        assert len(result.hits) == result.total == 11
    assert "06.jpg" not in ids_by_name(searcher)


def test_what_is_committed_later_is_found_without_opening_anew(
    searcher: Searcher, path: Path, photos: Path, tiny_space: str
) -> None:
    assert len(names(searcher, Query(text="boat"))) == 12
    data = draw(photos / "new.jpg", 99)
    browser.add(path, photos, tiny_space)
    assert len(names(searcher, Query(text="boat"))) == 13
    assert names(searcher, Query(image=data, k=1)) == ["new.jpg"]
    assert searcher.recent(1)[0].display == "new.jpg"


def test_another_default_space_is_picked_up(searcher: Searcher, path: Path, photos: Path, other_space: str) -> None:
    before = searcher.search(Query(text="boat")).space
    browser.add(path, photos, other_space)
    after = searcher.search(Query(text="boat", k=12))
    assert before != after.space
    assert searcher.encoders.get(searcher.space()).model.dim == 48
    assert len(after.hits) == 12


def test_a_model_that_changed_in_its_place_is_refused(tmp_path: Path, photos: Path) -> None:
    folder = tmp_path / "mine"
    browser.add(tmp_path / "library", photos, models.clip_like(folder))
    models.clip_like(folder, seed=7)
    searcher = Searcher(Library.open(tmp_path / "library"), Encoders(offline=True))
    with pytest.raises(SpaceError, match="is not the one this library was indexed with"):
        searcher.search(Query(text="boat"))
    assert searcher.search(Query(like=ids_by_name(searcher)["00.jpg"])).hits[0].photo.display == "00.jpg"


def test_words_in_a_space_of_pictures_only(tmp_path: Path, photos: Path) -> None:
    browser.add(tmp_path / "library", photos, models.picture_only(tmp_path / "pictures"))
    searcher = Searcher(Library.open(tmp_path / "library"), Encoders(offline=True))
    assert names(searcher, Query(image=(photos / "03.jpg").read_bytes()))[0] == "03.jpg"
    with pytest.raises(SpaceError, match="knows pictures but no words"):
        searcher.search(Query(text="boat"))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (Query(like=10**15), "There is no picture 1000000000000000"),
        (Query(image=b"GIF89a nonsense"), "can't be read"),
        (Query(image=b""), "can't be read: the file is empty"),
        (Query(text="word " * 390), "tokens"),
    ],
)
def test_errors_are_one_sentence(searcher: Searcher, query: Query, said: str) -> None:
    with pytest.raises((QueryError, SpaceError), match=said) as error:
        searcher.search(query)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not browser.DEMO_MODEL.exists(), reason="the demo model is not there")
def test_the_demo_model_finds_what_words_name_and_combined_terms_obey_both(tmp_path: Path) -> None:
    from indexer.demo.pictures import write_pictures

    photos = tmp_path / "demo"
    pictures = {picture.path: picture for picture in write_pictures(photos, 60, 0, (320, 240))}
    browser.add(tmp_path / "library", photos, "demo")
    searcher = Searcher(Library.open(tmp_path / "library"), Encoders(offline=True))
    assert searcher.space().name == "demo"
    found = 0
    for path, picture in list(pictures.items())[:20]:
        first = searcher.search(Query(text=picture.captions[0], k=3)).hits
        found += path in [hit.photo.display for hit in first]
    assert found >= 16, "a caption finds its picture among the first three"
    like = searcher.recent(1)[0].content_id
    words_only = searcher.search(Query(text="a red boat", k=60)).hits
    like_only = searcher.search(Query(like=like, k=60)).hits
    both = searcher.search(Query(text="a red boat", like=like, k=60)).hits
    for name, alone in (("text", words_only), ("like", like_only)):
        top = {hit.photo.content_id for hit in both[:10]}
        mean = np.mean([hit.score for hit in alone])
        assert np.mean([hit.score for hit in alone if hit.photo.content_id in top]) > mean, name


# -- words ----------------------------------------------------------------------------------------------------------


def test_facts_in_words(searcher: Searcher) -> None:
    photo = searcher.recent(1)[0]
    assert words.facts(photo)[0][0] == "Size"
    assert words.size(999) == "999 bytes"
    assert words.size(1_500_000) == "1.5 MB"
    assert words.size(250_000_000) == "250 MB"
    assert words.count(1, "picture") == "1 picture"
    assert words.count(1200, "picture") == "1,200 pictures"


# -- the command line -----------------------------------------------------------------------------------------------


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "search_ui", *map(str, arguments)], cwd=browser.ROOT, text=True, capture_output=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment}, check=False, encoding="utf-8",
    )  # fmt: skip


def test_query_prints_scores_and_paths(path: Path, photos: Path) -> None:
    done = run("query", "--library", path, "--image", photos / "08.jpg", "-k", "3")
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0] == ["1.0000", str(photos / "08.jpg")]
    assert len(lines) == 3
    assert "3 of 12 pictures" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no file names that are not text")
def test_json_lines_parse_and_keep_any_path(path: Path, photos: Path, tiny_space: str) -> None:
    shutil.copy(photos / "00.jpg", os.fsencode(photos) + b"/caf\xe9\n.jpg")
    draw(photos / "déjà vu.jpg", 50)
    (photos / "00.jpg").unlink()
    browser.add(path, photos, tiny_space)
    done = run("query", "a red boat", "--json", "-k", "500", SIGHTLINE_LIBRARY=str(path), PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["rank"] for record in records] == list(range(1, 14))
    assert {"déjà vu.jpg", "01.jpg"} <= {record.get("path") for record in records}
    odd = next(record for record in records if "path_b64" in record)
    assert (odd["path_b64"], odd["root"]) == ("Y2Fm6QouanBn", str(photos))
    assert "absolute_b64" in odd
    first = records[0]
    assert first["parts"] == {"text": first["score"]}
    assert (first["width"], first["height"], first["format"]) == (96, 64, "JPEG")
    plain = run("query", "a red boat", "-k", "500", "--library", path)
    assert len(plain.stdout.splitlines()) == 13
    assert r"caf\xe9\u000a.jpg" in plain.stdout


def test_what_cant_run_exits_2_with_one_sentence(path: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    for arguments, said in (
        (("query", "boat", "--library", tmp_path / "nowhere"), "There is no library in"),
        (("query", "--library", path), "nothing to search for"),
        (("query", "boat", "-k", "0", "--library", path), "1 to 500"),
        (("query", "--image", broken, "--library", path), "can't be read"),
        (("query", "--image", tmp_path / "none.jpg", "--library", path), "does not exist"),
        (("--library", tmp_path, "--port", "70000"), "70000"),
    ):
        done = run(*arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert done.stdout == ""
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_early_is_no_error(path: Path) -> None:
    command = f"{sys.executable} -m search_ui query boat -k 500 --library {path} | head -0; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=browser.ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 141, done.stderr  # 128 + SIGPIPE, as the indexer says it
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, search_ui.__main__ as m\n"
        "try: m.main(['--help'])\n"
        "except SystemExit as e: assert not e.code\n"
        "print([n for n in ('torch', 'streamlit', 'sqlalchemy', 'numpy') if n in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=browser.ROOT, text=True, capture_output=True, check=False)
    assert done.stderr.strip() == "[]"
    assert "describing them" in done.stdout
