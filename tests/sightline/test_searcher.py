"""What a search promises: which pictures, in which order, and the same ones each time."""

from __future__ import annotations

import io
from pathlib import Path

import hypothesis.strategies as st
import indexing
import models
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from PIL import Image
from support import Index

from examples import examples
from indexer.demo.draw import render
from indexer.demo.world import Scene
from sightline.models.encoder import Encoder
from sightline.models.loaded import Encoders
from sightline.models.presets import PRESETS, templates_of
from sightline.models.resolve import resolve
from sightline.query.parser import parse
from sightline.query.types import MAX_HITS, MAX_PICTURE_BYTES, Query, QueryError
from sightline.ranking.results import Hit
from sightline.ranking.term_vectors import prompts
from sightline.ranking.text_vector_cache import MAX_TEXTS, TextVectorCache
from sightline.searcher import Searcher
from store.errors import SpaceError
from store.library import Library
from store.tables.writer import Writer


def draw(path: Path, seed: int, size: tuple[int, int] = (96, 64)) -> bytes:
    """A picture of coloured blocks, each seed another."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).save(path, quality=95)
    return path.read_bytes()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "trips" / "2023").mkdir(parents=True)
    for seed in range(12):
        draw(folder / ("trips/2023" if seed % 4 == 0 else "") / f"{seed:02}.jpg", seed)
    return folder


@pytest.fixture
def path(tmp_path: Path, photos: Path, tiny_space: str) -> Path:
    indexing.add(tmp_path / "library", photos, tiny_space)
    return tmp_path / "library"


@pytest.fixture
def searcher(path: Path) -> Searcher:
    return Searcher(Library.open(path), Encoders(offline=True))


def names(searcher: Searcher, text: str, limit: int = MAX_HITS, offset: int = 0) -> list[str]:
    hits = searcher.search(parse(text), limit=limit, offset=offset).hits
    return [hit.photo.display.rsplit("/", 1)[-1] for hit in hits]


def ids_by_name(searcher: Searcher) -> dict[str, int]:
    return {photo.display.rsplit("/", 1)[-1]: photo.content_id for photo in searcher.recent(500)}


def shown(searcher: Searcher, data: bytes, limit: int = 60) -> list[Hit]:
    return list(searcher.search(parse("picture:1 dedup:off"), pictures={"1": data}, limit=limit).hits)


# -- one term -------------------------------------------------------------------------------------------------------


def test_a_picture_of_the_library_finds_itself_first(searcher: Searcher, photos: Path) -> None:
    for name in ("01.jpg", "07.jpg"):
        first = shown(searcher, (photos / name).read_bytes())[0]
        assert (first.photo.display, first.score, first.band) == (name, 1.0, "strong")
        assert [(part.term, part.cosine, part.excluded) for part in first.parts] == [("picture:1", 1.0, False)]


def test_a_picture_saved_anew_finds_its_original_first(searcher: Searcher, photos: Path) -> None:
    again = io.BytesIO()
    Image.open(photos / "05.jpg").save(again, "PNG")
    assert shown(searcher, again.getvalue())[0].photo.display == "05.jpg"


def test_more_like_this_needs_no_model(path: Path) -> None:
    class NoModel(Encoders):
        def get(self, space: object) -> Encoder:
            raise AssertionError("a model was loaded")

    searcher = Searcher(Library.open(path), NoModel())
    ids = ids_by_name(searcher)
    query = parse(f"like:{ids['03.jpg']} -like:{ids['05.jpg']} dedup:off")
    assert not searcher.needs_model(query)
    assert searcher.needs_model(parse("boat"))
    assert len(searcher.search(query).hits) == 12
    assert names(searcher, f"like:{ids['03.jpg']}")[0] == "03.jpg"


def test_a_picture_is_first_even_among_near_duplicates_and_with_one_hit(searcher: Searcher) -> None:
    for name, content_id in ids_by_name(searcher).items():
        assert names(searcher, f"like:{content_id}", limit=1) == [name]


def test_the_score_of_one_term_is_its_cosine(searcher: Searcher) -> None:
    hits = searcher.search(parse("a red boat dedup:off")).hits
    text = searcher.encoders.get(searcher.space()).encode_texts(["a red boat"])[0]
    index = searcher.library.vectors.get(searcher.space().id)
    ids = np.asarray([hit.photo.content_id for hit in hits], np.int64)
    np.testing.assert_allclose([hit.score for hit in hits], index.vectors_of(ids) @ text, atol=1e-5)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


# -- several terms --------------------------------------------------------------------------------------------------


def test_each_hit_shows_each_terms_part_as_the_query_prints_it(searcher: Searcher) -> None:
    like = ids_by_name(searcher)["02.jpg"]
    query = parse(f'a red boat "snow"^2 -people like:{like} dedup:off')
    for hit in searcher.search(query).hits:
        assert [part.term for part in hit.parts] == ["a red boat", "snow^2", "-people", f"like:{like}"]
        assert [part.excluded for part in hit.parts] == [False, False, True, False]
        assert all(-1 <= part.cosine <= 1 for part in hit.parts) and 0 <= hit.score <= 1


def test_bands_come_in_order_and_scores_fall_within_them(searcher: Searcher) -> None:
    hits = searcher.search(parse('"a red boat" OR snow -people dedup:off')).hits
    order = [("strong", "maybe", "below").index(hit.band) for hit in hits]
    assert order == sorted(order)
    for number in set(order):
        scores = [hit.score for hit, place in zip(hits, order, strict=True) if place == number]
        assert scores == sorted(scores, reverse=True)


def test_what_is_excluded_by_its_picture_sinks_below_the_threshold(searcher: Searcher) -> None:
    ids = ids_by_name(searcher)
    hits = searcher.search(parse(f"-like:{ids['04.jpg']} dedup:off")).hits
    assert len(hits) == 12
    assert hits[-1].photo.content_id == ids["04.jpg"] and hits[-1].band == "below"
    assert hits[0].band == "strong"


def test_a_lone_exclusion_has_a_score_that_falls_with_what_it_excludes(searcher: Searcher) -> None:
    ids = ids_by_name(searcher)
    hits = searcher.search(parse(f"-like:{ids['04.jpg']} dedup:off")).hits
    assert all(0 <= hit.score <= 1 for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[-1].score < 0.5 < hits[0].score


def test_either_of_two_pictures_is_enough(searcher: Searcher) -> None:
    ids = ids_by_name(searcher)
    hits = searcher.search(parse(f"like:{ids['04.jpg']} OR like:{ids['09.jpg']} dedup:off"), limit=2).hits
    assert {hit.photo.content_id for hit in hits} == {ids["04.jpg"], ids["09.jpg"]}
    assert all(hit.band == "strong" for hit in hits)


# -- filters --------------------------------------------------------------------------------------------------------


def test_filters_come_before_the_neighbours_and_the_page_is_full(searcher: Searcher) -> None:
    assert set(names(searcher, "boat folder:trips dedup:off", limit=3)) == {"00.jpg", "04.jpg", "08.jpg"}
    assert len(names(searcher, "boat -folder:trips dedup:off")) == 9
    result = searcher.search(parse("boat folder:2023 name:0[04]*"))
    assert (result.total, len(result.hits)) == (2, 2)


def test_filtered_hits_are_in_the_order_and_with_the_scores_that_they_have_without(searcher: Searcher) -> None:
    whole = searcher.search(parse("a red boat dedup:off")).hits
    part = searcher.search(parse("a red boat folder:trips dedup:off")).hits
    wanted = [hit for hit in whole if hit.photo.display.startswith("trips/")]
    assert [(hit.photo, hit.score, hit.band) for hit in part] == [(hit.photo, hit.score, hit.band) for hit in wanted]


def test_filters_alone_list_what_passes(searcher: Searcher) -> None:
    assert names(searcher, "folder:trips sort:name dedup:off") == ["00.jpg", "04.jpg", "08.jpg"]
    hit = searcher.search(parse("folder:trips")).hits[0]
    assert (hit.score, hit.band, hit.parts) == (0.0, "strong", ())


def test_a_tag_and_a_favourite_filter_at_once_and_change_no_other_query(searcher: Searcher) -> None:
    ids = ids_by_name(searcher)
    plain, before = searcher.search(parse("boat")).generation, searcher.search(parse("boat tag:best"))
    assert before.total == 0 and before.why_empty == "No pictures match these filters."
    searcher.library.marks.change([ids["03.jpg"], ids["05.jpg"]], add=["Best"])
    searcher.library.marks.favourite([ids["05.jpg"]], True)
    after = searcher.search(parse("boat tag:best dedup:off"))
    assert {hit.photo.display for hit in after.hits} == {"03.jpg", "05.jpg"}
    assert after.generation > before.generation  # pages of before and after do not fit together
    assert searcher.search(parse("boat")).generation == plain
    assert names(searcher, "tag:best favourite:yes") == ["05.jpg"]
    assert names(searcher, "tag:best favourite:no") == ["03.jpg"]


# -- order and pages ------------------------------------------------------------------------------------------------


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(1, 13), text=st.sampled_from(["boat", "boat -snow", "sort:name folder:photos", "boat sort:name"])
)
def test_pages_put_together_are_the_whole_whatever_their_size(searcher: Searcher, size: int, text: str) -> None:
    whole = list(searcher.search(parse(text), limit=MAX_HITS).hits)
    pages: list[Hit] = []
    while True:
        result = searcher.search(parse(text), limit=size, offset=len(pages))
        pages += result.hits
        assert result.more == (len(pages) < len(whole))
        if not result.more:
            break
    assert pages == whole


def test_the_same_search_gives_the_same_hits_again_and_from_another_searcher(path: Path, searcher: Searcher) -> None:
    query = parse('a red boat "snow"^2 -people')
    other = Searcher(Library.open(path), Encoders(offline=True))
    assert searcher.search(query).hits == searcher.search(query).hits == other.search(query).hits


def test_sorting_by_name_keeps_what_matches_before_what_does_not(searcher: Searcher) -> None:
    hits = searcher.search(parse("a red boat sort:name dedup:off")).hits
    above = [hit.photo.display.rsplit("/", 1)[-1] for hit in hits if hit.band != "below"]
    assert above == sorted(above)
    assert [hit.band != "below" for hit in hits] == sorted((hit.band != "below" for hit in hits), reverse=True)
    assert len(hits) == 12


def test_matches_are_what_is_above_the_threshold_and_all_that_passes_where_nothing_is_looked_for(
    searcher: Searcher,
) -> None:
    query = parse("a red boat dedup:off")
    above = [hit for hit in searcher.search(query).hits if hit.band != "below"]
    assert list(searcher.matches(query)) == above
    assert len(list(searcher.matches(parse("ext:jpg dedup:off")))) == 12


# -- near-duplicates ------------------------------------------------------------------------------------------------


def test_versions_of_a_picture_take_one_place_and_unfold(tmp_path: Path, photos: Path) -> None:
    for quality in (60, 75):
        Image.open(photos / "07.jpg").save(photos / f"07 at {quality}.jpg", quality=quality)
    indexing.add(tmp_path / "library", photos, "demo")
    searcher = Searcher(Library.open(tmp_path / "library"), Encoders(offline=True))
    ids = ids_by_name(searcher)
    versions = {ids[name] for name in ("07.jpg", "07 at 60.jpg", "07 at 75.jpg")}
    for text in (f"like:{ids['07.jpg']}", "a red boat", "name:07"):
        folded = searcher.search(parse(text)).hits
        assert versions in [{hit.photo.content_id, *hit.folded} for hit in folded], text
        apart = searcher.search(parse(f"{text} dedup:off")).hits
        assert not any(hit.folded for hit in apart)
        assert len(folded) + sum(len(hit.folded) for hit in folded) == len(apart) >= 3


def test_what_a_hit_stands_for_does_not_depend_on_the_page_it_is_on(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(5):
        draw(folder / f"{seed}.jpg", seed)
        Image.open(folder / f"{seed}.jpg").save(folder / f"z{seed}.jpg", quality=80)
    indexing.add(tmp_path / "library", folder, "demo")
    searcher = Searcher(Library.open(tmp_path / "library"), Encoders(offline=True))
    for text in ("sort:name ext:jpg", "a red boat"):
        whole = list(searcher.search(parse(text)).hits)
        single = [searcher.search(parse(text), limit=1, offset=at).hits[0] for at in range(len(whole))]
        assert single == whole and any(hit.folded for hit in whole)
    assert list(searcher.matches(parse("sort:name ext:jpg"))) == list(searcher.search(parse("sort:name ext:jpg")).hits)


# -- libraries that change ------------------------------------------------------------------------------------------


def test_missing_photos_never_come_up(searcher: Searcher, path: Path, photos: Path, tiny_space: str) -> None:
    ids = ids_by_name(searcher)
    (photos / "06.jpg").unlink()
    indexing.add(path, photos, tiny_space)
    for text in ("boat", f"like:{ids['06.jpg']}", f"boat like:{ids['01.jpg']}", "name:*.jpg", "boat name:*.jpg"):
        result = searcher.search(parse(f"{text} dedup:off"))
        assert "06.jpg" not in [hit.photo.display for hit in result.hits]
        assert len(result.hits) == result.total == 11
    assert "06.jpg" not in ids_by_name(searcher)


def test_lists_that_are_being_read_survive_a_prune(
    searcher: Searcher, path: Path, photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.ranking.page._CHUNK", 3)  # as if they were long
    ids = ids_by_name(searcher)
    lists = [searcher.matches(parse(f"{text} sort:name dedup:off")) for text in ("ext:jpg", f"-like:{ids['06.jpg']}")]
    first = [next(hits).photo.display for hits in lists]
    for name in ("10.jpg", "11.jpg"):
        (photos / name).unlink()
    assert index(photos, "--library", path, "--prune").code == 0
    assert searcher.search(parse("boat dedup:off")).total == 10
    for hits, name in zip(lists, first, strict=True):
        rest = [hit.photo.display for hit in hits]
        assert name not in rest and not {"10.jpg", "11.jpg"} & set(rest[2:])  # the first three were read before
    assert len(rest) + len(first) > 3


def test_what_is_committed_later_is_found_without_opening_anew(
    searcher: Searcher, path: Path, photos: Path, tiny_space: str
) -> None:
    assert len(names(searcher, "boat dedup:off")) == 12
    data = draw(photos / "new.jpg", 99)
    indexing.add(path, photos, tiny_space)
    assert len(names(searcher, "boat dedup:off")) == 13
    assert shown(searcher, data)[0].photo.display == "new.jpg"
    assert searcher.recent(1)[0].display == "new.jpg"


def test_the_space_is_the_default_one_or_the_one_named(
    searcher: Searcher, path: Path, photos: Path, other_space: str
) -> None:
    before = searcher.search(parse("boat")).space
    indexing.add(path, photos, other_space)
    after = searcher.search(parse("boat")).space
    assert before != after
    assert searcher.encoders.get(searcher.space()).model.dim == 48
    assert searcher.search(parse(f'boat space:"{before}"')).space == before
    with pytest.raises(QueryError, match=r"has no model 'none such'; it has "):
        searcher.search(parse('boat space:"none such"'))


def test_a_model_that_changed_in_its_place_is_refused(tmp_path: Path, photos: Path) -> None:
    folder = tmp_path / "mine"
    indexing.add(tmp_path / "library", photos, models.clip_like(folder))
    models.clip_like(folder, seed=7)
    searcher = Searcher(Library.open(tmp_path / "library"), Encoders(offline=True))
    with pytest.raises(SpaceError, match="is not the one this library was indexed with"):
        searcher.search(parse("boat"))
    assert names(searcher, f"like:{ids_by_name(searcher)['01.jpg']}")[0] == "01.jpg"


def test_words_in_a_space_of_pictures_only(tmp_path: Path, photos: Path) -> None:
    indexing.add(tmp_path / "library", photos, models.picture_only(tmp_path / "pictures"))
    searcher = Searcher(Library.open(tmp_path / "library"), Encoders(offline=True))
    assert shown(searcher, (photos / "03.jpg").read_bytes())[0].photo.display == "03.jpg"
    with pytest.raises(SpaceError, match="knows pictures but no words"):
        searcher.search(parse("boat"))


def test_a_library_of_one_picture_or_of_one_burst_can_be_searched(tmp_path: Path) -> None:
    scene = Scene("boat", "red", 2, "water", "sunset", 7)
    picture = render(scene, 320, 240)
    for count in (1, 24):
        folder = tmp_path / f"{count}"
        folder.mkdir()
        for number in range(count):
            picture.save(folder / f"{number}.jpg", quality=95 - number)
        indexing.add(tmp_path / f"library {count}", folder, "demo")
        searcher = Searcher(Library.open(tmp_path / f"library {count}"), Encoders(offline=True))
        result = searcher.search(parse("two red boats at sunset dedup:off"))
        assert (result.strong, result.total) == (count, count)
        assert searcher.search(parse("-boat dedup:off")).strong == 0
        assert searcher.search(parse("a green bicycle at night dedup:off")).strong == 0
        assert names(searcher, "name:0.jpg") == ["0.jpg"]


def test_a_space_without_a_vector_says_so(searcher: Searcher, other_space: str) -> None:
    Writer(searcher.library.catalog.engine).add_space(resolve(other_space).identity())
    name = searcher.library.catalog.spaces()[-1].name
    fresh = Searcher(searcher.library, searcher.encoders)
    result = fresh.search(parse(f'width:>1 space:"{name}"'))
    assert result.why_empty is not None and f"python -m indexer FOLDER --space {other_space}" in result.why_empty


def test_words_searched_for_once_need_no_model_ever_after(path: Path, searcher: Searcher) -> None:
    words = parse("red boat OR snow template:off")
    assert searcher.needs_model(words)
    before = [(hit.photo.content_id, hit.score) for hit in searcher.search(words).hits]
    later = Searcher(Library.open(path), Encoders(offline=True))
    assert not later.needs_model(words)
    assert [(hit.photo.content_id, hit.score) for hit in later.search(words).hits] == before
    assert not later.encoders.ready(later.space())
    assert later.needs_model(parse('red boat OR snow template:"a photo of {}"')), "within a prompt it is another text"
    for kept in (path / "vectors").glob("*.text"):
        assert b"boat" not in kept.read_bytes() + kept.name.encode()
        kept.write_bytes(kept.read_bytes()[:-4])
    damaged = Searcher(Library.open(path), Encoders(offline=True))
    assert damaged.needs_model(words)
    assert [(hit.photo.content_id, hit.score) for hit in damaged.search(words).hits] == before


def test_no_more_texts_are_cached_than_the_limit_by_much(tmp_path: Path) -> None:
    texts, vector = TextVectorCache(tmp_path / "texts", readonly=False), np.eye(1, 4, dtype=np.float32)[0]
    for number in range(MAX_TEXTS + 500):
        texts.put("space", f"text {number}", vector)
    kept = len(list((tmp_path / "texts").iterdir()))
    assert MAX_TEXTS <= kept < MAX_TEXTS + 200
    assert texts.get("space", f"text {MAX_TEXTS + 499}", 4) is not None
    assert texts.get("space", "text 0", 4) is None
    assert texts.get("other", f"text {MAX_TEXTS + 499}", 4) is None


def test_the_null_queries_are_encoded_once_for_a_library(path: Path, searcher: Searcher) -> None:
    searcher.search(parse("boat"))
    kept = list((path / "vectors").glob("nulls-*"))
    assert len(kept) == 1
    kept[0].write_bytes(b"damaged")
    other = Searcher(Library.open(path), Encoders(offline=True))
    assert other.search(parse("boat")).hits == searcher.search(parse("boat")).hits
    assert kept[0].stat().st_size > 1000


# -- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing to search for"),
        ("dedup:off", "nothing to search for"),
        ("like:1000000000000000", "There is no picture 1000000000000000"),
        ("picture:gone", "'gone' is not here any more"),
        ("word " * 390, "tokens"),
    ],
)
def test_errors_are_one_sentence(searcher: Searcher, text: str, said: str) -> None:
    with pytest.raises((QueryError, SpaceError), match=said) as error:
        searcher.search(parse(text))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"GIF89a nonsense", "can't be read"),
        (b"", "can't be read: the file is empty"),
        (bytes(MAX_PICTURE_BYTES + 1), "the limit is 25 MB"),
    ],
)
def test_pictures_that_cant_be_searched_with_say_why(searcher: Searcher, data: bytes, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        shown(searcher, data)


@pytest.mark.parametrize(("limit", "offset", "said"), [(0, 0, "1 to 500"), (501, 0, "501 were"), (5, -1, "0 or more")])
def test_pages_out_of_range_say_what_is_in_range(searcher: Searcher, limit: int, offset: int, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        searcher.search(parse("boat"), limit=limit, offset=offset)


def test_an_order_alone_is_that_of_the_whole_library(searcher: Searcher) -> None:
    every = searcher.library.catalog.matching(())
    for order in ("name", "date"):
        result = searcher.search(parse(f"sort:{order} dedup:off"), limit=500)
        assert [hit.photo.content_id for hit in result.hits] == searcher.library.catalog.ordered(every, order).tolist()
        assert (result.total, result.why_empty) == (len(every), None)


def test_an_empty_query_is_told_apart_from_one_that_finds_nothing(searcher: Searcher) -> None:
    with pytest.raises(QueryError, match="nothing to search for"):
        searcher.search(Query())
    assert searcher.search(parse("width:>100000")).why_empty == "No pictures match these filters."


# -- prompts --------------------------------------------------------------------------------------------------------


def test_prompts_go_around_short_english_texts_unless_the_query_says_otherwise() -> None:
    usual = ("a photo of a {}",)
    assert prompts("boat", None, usual) == ("boat", "a photo of a boat")
    assert prompts("two red boats at sunset", None, usual) == ("two red boats at sunset",)
    assert prompts("Boot für drei", None, usual) == ("Boot für drei",)
    assert prompts("boat", "off", usual) == prompts("boat", None, ()) == ("boat",)
    assert prompts("two red boats", "a drawing of {}", usual) == ("a drawing of two red boats",)
    assert prompts("{} {}", None, usual) == ("{} {}", "a photo of a {} {}")


def test_a_template_in_the_query_is_what_the_text_is_put_into(searcher: Searcher) -> None:
    put = searcher.search(parse('boat template:"a drawing of a {}" dedup:off')).hits
    typed = searcher.search(parse("a drawing of a boat dedup:off")).hits
    plain = searcher.search(parse("boat template:off dedup:off")).hits
    assert [(hit.photo, hit.score) for hit in put] == [(hit.photo, hit.score) for hit in typed]
    assert [hit.score for hit in put] != [hit.score for hit in plain]


def test_spaces_are_used_to_the_prompts_of_their_presets() -> None:
    assert templates_of("light") == templates_of(PRESETS["light"].model) == ("a photo of a {}",)
    assert templates_of("demo") == templates_of("local-dir:/anywhere") == ()
