"""What the program does is the same on each set-up: where facts and vectors lie changes no answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import postgres
import pytest

import sightline
from sightline.query.parser import parse
from store.library import Library
from store.qdrant.engine import QdrantEngine
from store.remote import EDGE, Remote, write

TOLERANCE: Final = 5e-5
"""Cosines may differ by so much."""

FILTERS: Final = (
    "date:2022", "date:2021-06..2023-02", "date:..2020-07-13", "folder:2019-summer-brighton", "folder:*kyoto",
    "name:img", "name:*_000?.*", "ext:jpg", "camera:halden", 'camera:"halden p2"', "lens:24-70mm", "width:>=160",
    "height:100..150", "size:>6kB", "orientation:landscape,square", "rating:>=1", "label:red", "keyword:sea",
    "person:ann", "title:boat", "caption:boat", "text:boat", "iso:>=100", "aperture:<2.8", "exposure:1/250", "focal:50",
    "place:kyoto", "country:japan", "region:england", "town:brighton", "near:50.8,-0.15,60", "tag:best",
    "favourite:yes", "folder:*kyoto name:img -ext:png", "-folder:*kyoto -tag:best",
)  # fmt: skip
QUERIES: Final = (
    "boat", "red boat -night", "boat date:2022..", "kite | house", "boat^0.4 sunset", "like:{one}", "like:{one} -boat",
    "like:{one} OR like:{other}", "boat -folder:*kyoto", "boat tag:best", "boat dedup:off sort:date", "-boat",
)  # fmt: skip


@dataclass(frozen=True)
class Setup:
    """A library of the drawn pictures, and its folder."""

    name: str
    folder: Path

    def names(self) -> dict[int, str]:
        """What a picture is known by on every set-up: ids may differ."""
        with Library.open(self.folder) as library:
            ids = library.catalog.matching(()).tolist()
            return {id_: photo.path.decode() for id_, photo in library.catalog.photos(ids).items()}


def _remote(name: str, folder: Path) -> Remote:
    database = postgres.new_database(with_tables=True) if "postgres" in name else None
    return Remote(database=database, vectors=None if name.endswith("local") else EDGE)


def _made(name: str, folder: Path, photos: Path) -> Setup:
    folder.mkdir()
    write(folder, _remote(name, folder))
    with sightline.Library(folder) as library:
        assert library.index([photos], space="demo")["added"] == 60
        paths = {record["path"]: record["id"] for record in library.photos()}
        chosen = sorted(paths)
        library.tag([paths[path] for path in chosen[::4]], "best")
        library.favourite([paths[path] for path in chosen[::5]])
    return Setup(name, folder)


@pytest.fixture(scope="module")
def usual(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """SQLite, and Sightline's own vectors."""
    return _made("sqlite, local", tmp_path_factory.mktemp("usual") / "library", drawn / "photos")


@pytest.fixture(scope="module", params=["sqlite, qdrant", "postgres, local", "postgres, qdrant"])
def other(request: pytest.FixtureRequest, drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """Another one."""
    return _made(request.param, tmp_path_factory.mktemp("other") / "library", drawn / "photos")


def _plain(value: Any, names: Mapping[int, str]) -> Any:
    """A record with pictures by path, without what is measured anew each time."""
    if isinstance(value, Mapping):
        left_out = {"seconds", "generation", "id", "root", "absolute", "query", "understood"}
        return {name: _plain(each, names) for name, each in value.items() if name not in left_out}
    if isinstance(value, list | tuple):
        return [_plain(each, names) for each in value]
    return pytest.approx(value, abs=1e-3) if isinstance(value, float) else value


def test_each_filter_and_its_negation_keep_the_same_pictures(usual: Setup, other: Setup) -> None:
    names, own_names = usual.names(), other.names()
    with Library.open(usual.folder) as right, Library.open(other.folder) as library:
        engine = library.vectors.get(library.catalog.default_space_id() or 0)
        kept = 0
        for text in FILTERS:
            for negated in ("", "-"):
                if negated and " " in text:
                    continue
                filters = parse(f"{negated}{text}").filters
                expected = {names[id_] for id_ in right.catalog.matching(filters).tolist()}
                found = library.catalog.matching(filters)
                assert {own_names[id_] for id_ in found.tolist()} == expected, text
                if isinstance(engine, QdrantEngine):
                    passing = engine.passing(filters)
                    assert passing is not None and passing.tolist() == found.tolist(), text
                kept += 0 < len(expected) < len(names)
        assert library.vectors.is_current(library.catalog.default_space_id() or 0)
        assert kept > 20, "hardly any filter keeps some and not all"


def test_queries_give_the_same_bands_order_and_cosines(usual: Setup, other: Setup) -> None:
    ids = {path: id_ for id_, path in usual.names().items()}
    own_ids = {path: id_ for id_, path in other.names().items()}
    one, second = sorted(ids)[7], sorted(ids)[31]
    with sightline.Library(usual.folder) as right, sightline.Library(other.folder) as library:
        for query in QUERIES:
            expected = right.search(query.format(one=ids[one], other=ids[second]))
            found = library.search(query.format(one=own_ids[one], other=own_ids[second]))
            assert [(hit["path"], hit["band"]) for hit in found] == [(hit["path"], hit["band"]) for hit in expected], (
                query
            )
            for hit, same in zip(found, expected, strict=True):
                for part, same_part in zip(hit["parts"], same["parts"], strict=True):
                    assert part["cosine"] == pytest.approx(same_part["cosine"], abs=TOLERANCE)
            counts = ("total", "strong", "maybe", "more")
            assert {name: found.about[name] for name in counts} == {name: expected.about[name] for name in counts}


def test_marks_duplicates_labels_and_vectors_are_the_same(usual: Setup, other: Setup) -> None:
    answers = []
    for setup in (usual, other):
        names = setup.names()
        ids = {path: id_ for id_, path in names.items()}
        with sightline.Library(setup.folder) as library:
            some = sorted(ids)[3]
            answers.append(
                {
                    "tags": _plain(list(library.tags()), names),
                    "best": sorted(record["path"] for record in library.photos("tag:best")),
                    "exact": sorted(record["path"] for record in library.duplicates("exact")),
                    "near": sorted((record["path"], record["state"]) for record in library.duplicates("near")),
                    "bursts": sorted((record["path"], record["state"]) for record in library.duplicates("burst")),
                    "similar": [record["path"] for record in library.similar(ids[some])],
                    "labels": sorted((record["path"], record["label"]) for record in library.label(["boat", "kite"])),
                }
            )
            vectors = library.vectors([ids[path] for path in sorted(ids)])
            answers[-1]["vectors"] = np.asarray(vectors)
    np.testing.assert_array_equal(answers[0].pop("vectors"), answers[1].pop("vectors"))
    assert answers[1] == answers[0]


def test_saved_searches_taught_words_and_changed_marks_are_found(other: Setup) -> None:
    with sightline.Library(other.folder) as library:
        ids = {record["path"]: record["id"] for record in library.photos()}
        chosen = sorted(ids)[10:16]
        library.teach("mine", [ids[path] for path in chosen[:3]])
        assert library.search("concept:mine")[0]["path"] in set(ids)
        library.forget_concept("mine")
        library.tag([ids[path] for path in chosen], "just now")
        found = library.search('boat tag:"just now"')
        assert sorted(hit["path"] for hit in found) == chosen
        library.untag([ids[path] for path in chosen], "just now")
        assert not library.search('boat tag:"just now"')
    with Library.open(other.folder) as library:
        library.marks.save_search("boats", "boat tag:best")
        assert [(each.name, each.query) for each in library.marks.saved_searches()] == [("boats", "boat tag:best")]
        assert library.marks.delete_search("boats")
