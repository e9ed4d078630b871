"""`verify` finds whatever was planted in a library, and changes nothing; `verify --repair` mends it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from searching import vectors_of
from support import Index, Outcome

from store.files import sweep_temporaries
from store.library import Library


def findings(outcome: Outcome) -> dict[str, dict[str, str]]:
    return {found["part"]: found for found in map(json.loads, filter(None, outcome.out.splitlines()))}


def states(outcome: Outcome) -> set[str]:
    return {found["state"] for found in findings(outcome).values()}


def changed(library: Path, *statements: str, given: tuple[Any, ...] = ()) -> None:
    with sqlite3.connect(library / "library.sqlite") as database:
        for statement in statements:
            database.execute(statement, given)
    database.close()


def asked(library: Path, query: str) -> Any:
    database = sqlite3.connect(library / "library.sqlite")
    try:
        return database.execute(query).fetchone()[0]
    finally:
        database.close()


def everything(library: Path) -> dict[str, bytes]:
    """Every file but SQLite's own notes of who reads, and the lock."""
    sweep_temporaries(library)
    until = time.monotonic() + 30
    while asked(library, "PRAGMA wal_checkpoint(TRUNCATE)"):  # a connection that is being closed keeps it from the file
        assert time.monotonic() < until
        time.sleep(0.05)
    left_out = ("library.sqlite-shm", "library.sqlite-wal", "indexer.lock")
    return {
        str(path.relative_to(library)): path.read_bytes()
        for path in sorted(library.rglob("*"))
        if path.is_file() and path.name not in left_out
    }


def thumbnail(library: Path, content_id: int) -> Path:
    with Library.open(library) as opened:
        content_hash = opened.catalog.hash_of(content_id)
        assert content_hash is not None
        return opened.thumbnails.path(content_hash)


def halves(library: Path, content_id: int) -> np.ndarray:
    return np.frombuffer(asked(library, f"SELECT vector FROM vectors WHERE content_id = {content_id}"), "<f2")


def another_pictures_vector(library: Path) -> None:
    changed(
        library, "UPDATE vectors SET vector = (SELECT vector FROM vectors WHERE content_id = 7) WHERE content_id = 3"
    )


def swapped_rows(library: Path) -> None:
    changed(library, "UPDATE vectors SET content_id = 8 - content_id + 1000 WHERE content_id IN (3, 5)",
            "UPDATE vectors SET content_id = content_id - 1000 WHERE content_id > 1000")  # fmt: skip


def another_pictures_row(library: Path) -> None:
    changed(library, "UPDATE vectors SET (vector, checksum) = "
                     "(SELECT vector, checksum FROM vectors WHERE content_id = 7) WHERE content_id = 3")  # fmt: skip


def flipped_signs(library: Path) -> None:
    changed(library, "UPDATE vectors SET vector = ? WHERE content_id = 3", given=((-halves(library, 3)).tobytes(),))


def another_dimension(library: Path) -> None:
    changed(library, "UPDATE vectors SET vector = x'003c0000' WHERE content_id = 3")


def no_number(library: Path) -> None:
    vector = halves(library, 3).copy()
    vector[5] = np.nan
    changed(library, "UPDATE vectors SET vector = ? WHERE content_id = 3", given=(vector.tobytes(),))


def twice_as_long(library: Path) -> None:
    changed(library, "UPDATE vectors SET vector = ? WHERE content_id = 3", given=((2 * halves(library, 3)).tobytes(),))


def text_for_a_vector(library: Path) -> None:
    changed(library, "UPDATE vectors SET vector = 'a text' WHERE content_id = 3")


def another_checksum(library: Path) -> None:
    changed(library, "UPDATE vectors SET checksum = 5 WHERE content_id = 3")


def no_checksum_and_another_vector(library: Path) -> None:
    flipped_signs(library)
    changed(library, "UPDATE vectors SET checksum = NULL WHERE content_id = 3")


VECTORS = [another_pictures_vector, swapped_rows, another_pictures_row, flipped_signs, another_dimension, no_number,
           twice_as_long, text_for_a_vector, another_checksum, no_checksum_and_another_vector]  # fmt: skip


@pytest.mark.parametrize("has_index", [True, False])
@pytest.mark.parametrize("plant", VECTORS)
def test_a_vector_that_is_not_what_was_written_is_found_and_mended(
    photos: Path, index: Index, library: Path, plant: Callable[[Path], None], has_index: bool
) -> None:
    index(photos)
    with Library.open(library) as opened:
        before = vectors_of(opened)
    plant(library)
    if not has_index:
        shutil.rmtree(library / "vectors")
    found = index("verify", space=None)
    (part,) = [part for part in findings(found) if part.startswith("vectors")]
    assert (found.code, findings(found)[part]["state"]) == (1, "wrong")
    assert "--repair" in findings(found)[part]["text"]
    mended = index("verify", "--repair", space=None)
    if mended.code:
        assert "Index the folders" in findings(mended)[part]["text"]
        assert index(photos).code == 0
    assert states(index("verify", space=None)) == {"ok"}
    with Library.open(library) as opened:
        after = vectors_of(opened)
    assert before.keys() == after.keys()
    for content_hash, vector in before.items():
        assert float(after[content_hash] @ vector) > 0.999  # encoded in another batch it may differ a little


@pytest.mark.parametrize("plant", [another_pictures_vector, flipped_signs, another_dimension, no_number])
def test_a_damaged_vector_is_never_searched(
    photos: Path, index: Index, library: Path, plant: Callable[[Path], None]
) -> None:
    index(photos)
    plant(library)
    shutil.rmtree(library / "vectors")
    with Library.open(library) as opened:
        engine = opened.vectors.get(1)
        assert not engine.vectors_of(np.array([3])).any()
        assert engine.vectors_of(np.array([4])).any()


def wrong_hash(library: Path) -> None:
    changed(library, "UPDATE contents SET hash = zeroblob(32) WHERE id = 3")


def wrong_count(library: Path) -> None:
    changed(library, "UPDATE contents SET photo_count = 4 WHERE id = 3")


def lost_text(library: Path) -> None:
    changed(library, "DELETE FROM texts WHERE rowid = 3")


def other_text(library: Path) -> None:
    changed(library, "UPDATE texts SET title = 'nothing of it' WHERE rowid = 3")


def text_of_none(library: Path) -> None:
    changed(library, "INSERT INTO texts (rowid, title) VALUES (4, 'a stray title')")


def lost_words(library: Path) -> None:
    changed(library, "DELETE FROM content_words WHERE content_id = 3")


def orphaned_vector(library: Path) -> None:
    changed(library, "INSERT INTO vectors (space_id, content_id, vector) SELECT 1, 999, vector FROM vectors LIMIT 1")


def orphaned_look(library: Path) -> None:
    changed(library, "INSERT INTO looks (content_id, hash, grey) VALUES (999, 1, zeroblob(1024))")


def orphaned_words(library: Path) -> None:
    changed(library, "INSERT INTO content_words (content_id, word_id) VALUES (999, 1)")


def look_of_another(library: Path) -> None:
    changed(library, "UPDATE looks SET (hash, grey, checksum) = "
                     "(SELECT hash, grey, checksum FROM looks WHERE content_id = 7) WHERE content_id = 3")  # fmt: skip


def unchecked_look_of_another(library: Path) -> None:
    look_of_another(library)
    changed(library, "UPDATE looks SET checksum = NULL")


def changed_look(library: Path) -> None:
    changed(library, "UPDATE looks SET hash = hash + 1 WHERE content_id = 3")


def empty_thumbnail(library: Path) -> None:
    thumbnail(library, 3).write_bytes(b"")


def foreign_thumbnail(library: Path) -> None:
    shutil.copy(thumbnail(library, 7), thumbnail(library, 3))


def cut_thumbnail(library: Path) -> None:
    path = thumbnail(library, 3)
    path.write_bytes(path.read_bytes()[:-100])


def page_for_a_thumbnail(library: Path) -> None:
    thumbnail(library, 3).write_bytes(b"<!DOCTYPE html><html><title>Sign in to the network</title></html>")


def unchecked_foreign_thumbnail(library: Path) -> None:
    changed(library, "UPDATE library SET unchecked_pictures = 1")
    with Library.open(library) as opened:
        data = opened.thumbnails.read(opened.catalog.hash_of(7) or b"")
        assert data is not None
    thumbnail(library, 3).write_bytes(data)  # as an older version wrote it


def foreign_index_row(library: Path) -> None:
    """An index whose files fit together, and hold what the table does not."""
    vector, checksum = asked(library, "SELECT vector FROM vectors WHERE content_id = 3"), halves(library, 3)
    changed(library, "UPDATE vectors SET vector = ?, checksum = NULL WHERE content_id = 3",
            given=((-checksum).tobytes(),))  # fmt: skip
    shutil.rmtree(library / "vectors")
    from store.lock import locked

    with locked(library), Library.open(library) as opened:
        opened.vectors.save(1)
    from store.tables.row_checksums import of_vector

    with Library.open(library) as opened:
        content_hash = opened.catalog.hash_of(3) or b""
    changed(library, "UPDATE vectors SET vector = ?, checksum = ? WHERE content_id = 3",
            given=(vector, of_vector(1, content_hash, vector)))  # fmt: skip


def damaged_map(library: Path) -> None:
    (library / "maps").mkdir()
    (library / "maps" / "space-1.map").write_bytes(b"no map")


def damaged_text(library: Path) -> None:
    (library / "vectors" / f"{'0' * 32}.text").write_bytes(b"\0" * 128)


def stray_preview(library: Path) -> None:
    (library / "previews" / "00").mkdir(parents=True)
    (library / "previews" / "00" / f"{'00' * 32}.jpg").write_bytes(b"GIF89a")


def folder_for_a_thumbnail(library: Path) -> None:
    path = thumbnail(library, 3)
    path.unlink()
    path.mkdir()


def another_dimension_of_a_space(library: Path) -> None:
    changed(library, "UPDATE spaces SET dim = dim / 2")


def no_such_default_space(library: Path) -> None:
    changed(library, "UPDATE library SET default_space_id = 99")


OTHERS = [
    ("vectors of", wrong_hash), ("database", wrong_count), ("database", lost_text), ("database", other_text),
    ("database", text_of_none), ("database", lost_words), ("database", orphaned_vector), ("database", orphaned_look),
    ("database", orphaned_words), ("looks", look_of_another), ("looks", unchecked_look_of_another),
    ("looks", changed_look), ("thumbnails", empty_thumbnail), ("thumbnails", foreign_thumbnail),
    ("thumbnails", cut_thumbnail), ("thumbnails", page_for_a_thumbnail), ("thumbnails", unchecked_foreign_thumbnail),
    ("index of", foreign_index_row), ("maps", damaged_map), ("maps", damaged_text), ("previews", stray_preview),
    ("thumbnails", folder_for_a_thumbnail), ("database", another_dimension_of_a_space),
    ("database", no_such_default_space),
]  # fmt: skip


def with_words(photos: Path) -> None:
    """A title and keywords beside the third picture that is indexed."""
    for path in photos.rglob("*.jpg"):
        path.with_name(f"{path.name}.xmp").write_text(
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt><rdf:li xml:lang='
            f'"x-default">Title {path.stem}</rdf:li></rdf:Alt></dc:title><dc:subject><rdf:Bag><rdf:li>boats</rdf:li>'
            "<rdf:li>Lake Bled</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
        )


@pytest.mark.parametrize(("part", "plant"), OTHERS, ids=[plant.__name__ for _, plant in OTHERS])
def test_whatever_else_is_wrong_is_found_by_a_look_that_changes_nothing_and_mended(
    photos: Path, index: Index, library: Path, part: str, plant: Callable[[Path], None]
) -> None:
    with_words(photos)
    if plant is text_of_none:
        for path in photos.rglob("*.xmp"):
            path.unlink()
    index(photos)
    whole = index("verify", space=None)
    assert (whole.code, states(whole)) == (0, {"ok"}), whole.out
    plant(library)
    before = everything(library)
    found = index("verify", space=None)
    then = everything(library)
    assert [name for name in before | then if before.get(name) != then.get(name)] == []
    wrong = [each for name, each in findings(found).items() if name.startswith(part)]
    assert (found.code, wrong[0]["state"]) == (1, "wrong"), found.out
    assert "--repair" in wrong[0]["text"] and "indexer verify" not in found.out
    mended = index("verify", "--repair", space=None)
    assert (mended.code, "--repair" in mended.out, "repaired" in states(mended)) == (0, False, True), mended.out
    after = index("verify", space=None)
    assert (after.code, states(after)) == (0, {"ok"}), after.out


def test_a_damaged_thumbnail_is_made_again_from_its_photo(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    whole = thumbnail(library, 3).read_bytes()
    foreign_thumbnail(library)
    assert index("verify", "--repair", space=None).code == 0
    assert thumbnail(library, 3).read_bytes() == whole


def test_a_checksum_alone_that_is_wrong_costs_no_vector(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    another_checksum(library)
    mended = index("verify", "--repair", space=None)
    assert mended.code == 0, mended.out
    assert "wrong checksum alone" in mended.out
    assert states(index("verify", space=None)) == {"ok"}
    assert index(photos).encoded == 0


def test_a_wrong_hash_is_mended_when_the_photo_is_back_and_its_marks_stay(
    photos: Path, index: Index, library: Path
) -> None:
    index(photos)
    with Library.open(library) as opened:
        opened.marks.change([3], add=["boats"])
    wrong_hash(library)
    away = photos.rename(photos.with_name("away"))
    left = index("verify", "--repair", space=None)
    (part,) = [part for part in findings(left) if part.startswith("vectors")]
    assert left.code == 1
    assert "Connect their drive" in findings(left)[part]["text"]
    assert index("verify", space=None).code == 1
    away.rename(photos)
    assert index("verify", "--repair", space=None).code == 0
    again = index(photos, "--rescan")
    assert (again.code, again.marks_left, again.unchanged) == (0, 0, 24)
    assert asked(library, "SELECT content_id FROM content_tags") == 3


def test_a_mark_of_no_picture_is_not_said_to_be_mended_by_repair(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    with Library.open(library) as opened:
        opened.marks.change([3], add=["boats"])
    changed(library, "UPDATE content_tags SET content_id = 999")
    for arguments in (("verify",), ("verify", "--repair"), ("verify",)):
        found = index(*arguments, space=None)
        assert found.code == 1
        assert "Restore a backup" in findings(found)["database"]["text"] and "--repair" not in found.out
    assert asked(library, "SELECT count(*) FROM content_tags") == 1


@pytest.mark.parametrize("name", ["vectors/space-1.json", "vectors"])
def test_what_lies_in_the_way_of_an_index_is_named_with_the_way_out(
    photos: Path, index: Index, library: Path, name: str
) -> None:
    index(photos)
    if name == "vectors":
        shutil.rmtree(library / name)
        (library / name).write_text("a file")
    else:
        (library / name).unlink()
        (library / name).mkdir()
    mended = index("verify", "--repair", space=None)
    (part,) = [part for part in findings(mended) if part.startswith("index")]
    text = findings(mended)[part]["text"]
    assert mended.code == 1
    assert str(library / "vectors") in text and "Move away what lies there" in text and "Make room" not in text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_pipe_in_the_place_of_an_index_stops_nobody(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    path = library / "vectors" / "space-1.json"
    path.unlink()
    os.mkfifo(path)
    assert index("verify", space=None).code == 1
    assert index("verify", "--repair", space=None).code == 0
    assert states(index("verify", space=None)) == {"ok"}


def test_what_cant_be_made_again_is_not_left_in_place(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    page_for_a_thumbnail(library)
    shutil.move(photos, photos.with_name("elsewhere"))
    mended = index("verify", "--repair", space=None)
    assert "1 removed, to be made when their photos can be read" in findings(mended)["thumbnails"]["text"]
    assert not thumbnail(library, 3).exists()


def test_a_database_that_cant_be_read_names_a_backup_as_the_way_out(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    asked(library, "PRAGMA wal_checkpoint(TRUNCATE)")
    pages = bytearray((library / "library.sqlite").read_bytes())
    root = asked(library, "SELECT rootpage FROM sqlite_schema WHERE name = 'vectors'")
    pages[(root - 1) * 16_384 : (root - 1) * 16_384 + 200] = bytes(200)
    (library / "library.sqlite").write_bytes(pages)
    for arguments in (["verify"], ["verify", "--repair"]):
        found = index(*arguments, space=None)
        assert (found.code, "Restore a backup" in found.out) == (1, True), (found.out, found.err)
        assert "indexer verify" not in found.out + found.err
