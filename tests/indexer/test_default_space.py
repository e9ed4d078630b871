"""Which space searches use: one without words never takes words away."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import models
import pytest
from support import Index

from indexer.commands import run
from sightline import Library as PublicLibrary
from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.query.types import QueryError
from sightline.searcher import Searcher
from store.library import Library
from store.remote import DATABASE


@pytest.fixture(scope="module")
def wordless(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A space without text."""
    return models.picture_only(tmp_path_factory.mktemp("timm") / "wordless")


def default(library: Path) -> str:
    """The address of the model that searches use."""
    with Library.open(library) as opened:
        space = opened.catalog.default_space()
        assert space is not None
        return space.model


def part_of(photos: Path) -> Path:
    """A folder in it that does not hold all."""
    return min(photos.rglob("*.jpg")).parent


def test_a_space_of_pictures_only_does_not_become_the_default_beside_one_with_text(
    photos: Path, index: Index, library: Path, tiny_space: str, wordless: str
) -> None:
    index(photos)
    run = index(photos, space=wordless)
    assert (run.encoded, run.not_in_space) == (24, 0)
    assert default(library) == tiny_space


def test_a_space_of_pictures_only_does_not_become_the_default_where_the_one_with_text_lacks_pictures(
    photos: Path, index: Index, library: Path, tiny_space: str, wordless: str
) -> None:
    index(part_of(photos))
    index(photos, space=wordless)
    assert default(library) == tiny_space


def test_a_space_of_pictures_only_is_the_default_where_there_is_no_other(
    photos: Path, index: Index, library: Path, tiny_space: str, wordless: str
) -> None:
    index(photos, space=wordless)
    assert default(library) == wordless
    index(part_of(photos), space=tiny_space)
    assert default(library) == wordless  # the one with text lacks pictures that can be found now
    index(photos, space=tiny_space)
    assert default(library) == tiny_space


def test_the_complete_space_with_text_that_was_last_asked_for_is_the_default(
    photos: Path, index: Index, library: Path, tiny_space: str, other_space: str
) -> None:
    index(photos)
    index(photos, space=other_space)
    assert default(library) == other_space
    index(photos)
    assert default(library) == tiny_space


def test_a_run_that_changes_nothing_leaves_the_generation(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    with Library.open(library) as opened:
        before = opened.catalog.generation()
    index(photos)
    with Library.open(library) as opened:
        assert opened.catalog.generation() == before


def test_words_are_searched_in_the_space_that_reads_them_and_the_answer_says_so(
    photos: Path, index: Index, library: Path, tiny_space: str, wordless: str
) -> None:
    index(photos, space=wordless)
    index(part_of(photos), space=tiny_space)
    with Library.open(library) as opened:
        names = [space.name for space in opened.catalog.spaces()]
        seen = opened.catalog.spaces()[1].count
        searcher = Searcher(opened, Encoders(offline=True))
        found = searcher.search(parse("boat"))
        assert (found.space, found.total) == (names[1], seen)
        assert found.note is not None and f"{seen} of 24 pictures" in found.note and names[0] in found.note
        for text in ("width:>1", "like:1"):
            assert (searcher.search(parse(text)).space, searcher.search(parse(text)).note) == (names[0], None)
        named = searcher.search(parse(f'like:1 space:"{names[1]}"'))
        assert (named.space, named.note) == (names[1], None)
    with PublicLibrary(library, offline=True) as public:
        assert "space" in public.search("boat").about and public.search("boat").about["note"] is not None
        assert public.encode_texts("boat").shape == (1, 32)
        assert public.label(["boat", "tree"]).about["space"] == names[1]
        assert public.similar(1).about["space"] == names[0]


def test_a_run_says_truly_which_model_words_are_searched_with(
    photos: Path, index: Index, library: Path, tiny_space: str, wordless: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def said(folder: Path, space: str) -> str:
        capfd.readouterr()
        assert run([str(folder), "--library", str(library), "--space", space]) == 0
        return capfd.readouterr().err

    index(photos, space=wordless)
    with Library.open(library) as opened:
        hidden = max(opened.catalog.matching([]))
    part = said(part_of(photos), tiny_space)
    assert "search" not in part and f"{Path(tiny_space).name} is behind by 22 pictures" in part
    assert f"Words are searched with the model {Path(tiny_space).name}, as wordless reads none" in said(
        photos, wordless
    )
    with Library.open(library) as opened:
        searcher = Searcher(opened, Encoders(offline=True))
        with pytest.raises(QueryError, match=f"has not seen the picture {hidden} yet"):
            searcher.search(parse(f"boat like:{hidden}"))


def test_a_library_whose_default_lost_its_words_is_mended_when_it_is_opened(
    photos: Path, index: Index, library: Path, tiny_space: str, wordless: str
) -> None:
    index(photos)
    index(photos, space=wordless)
    with sqlite3.connect(library / DATABASE) as connection:  # as the version before left it
        connection.execute("UPDATE library SET default_space_id = 2")
        for table in ("looks", "tile_grids", "tiles", "concepts", "concept_pictures"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DROP INDEX ix_spaces_fingerprint")
        for table, column in (
            ("library", "looks_due"), ("library", "checksums_due"), ("library", "unchecked_pictures"),
            ("library", "thumbnails"),
            ("spaces", "fingerprint"), ("vectors", "checksum"), ("roots", "identity"), ("roots", "watched"),
        ):  # fmt: skip
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute("PRAGMA user_version = 6")
    assert default(library) == tiny_space
