"""A run without `--space` brings every space of a library up to date, with one walk and one decode for all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support import Index

from examples import examples
from indexer.chosen_spaces import Chosen
from indexer.commands import run
from indexer.options import Options
from indexer.pipeline import Pipeline
from search_ui.parts import run_text
from sightline.images.reader import Place, Reader
from sightline.models.encoder import Encoder
from sightline.models.resolve import resolve
from store.library import Library

State = tuple[list[bytes], list[tuple[bytes, str, str]], dict[bytes, np.ndarray]]


def vectors_in(library: Library, model: str) -> dict[bytes, np.ndarray]:
    """The vectors of the space of a model that can be found, by the content's hash."""
    (space,) = [each for each in library.catalog.spaces() if each.model == model]
    present = set(library.catalog.hashes())
    found: dict[bytes, np.ndarray] = {}
    for _, contents, vectors in library.catalog.vectors_after(space.id, space.dim, 0):
        for content, vector in zip(contents.tolist(), vectors, strict=True):
            hash_ = library.catalog.hash_of(content)
            assert hash_ is not None and hash_ not in found
            if hash_ in present:
                found[hash_] = vector.astype(np.float32)
    return found


def assert_like_fresh(library: Path, folder: Path, scratch: Path, *spaces: str, precision: str = "auto") -> None:
    """Every space holds what a fresh library of it alone does."""
    with Library.open(library) as opened:
        assert opened.integrity() == []
        assert opened.catalog.contents_without_photo_count() == 0
        for number, space in enumerate(spaces):
            fresh = scratch / f"fresh-{number}"
            options = ["--library", str(fresh), "--space", space, "--precision", precision]
            assert run([str(folder), *options, "-q"]) in (0, 1)
            mine = vectors_in(opened, space)
            with Library.open(fresh) as other:
                theirs = vectors_in(other, space)
            assert mine.keys() == theirs.keys()
            for hash_, vector in theirs.items():
                assert float(mine[hash_] @ vector) > 0.999


def spoilt(space: str) -> Encoder:
    """The loaded model of a space, which gives no finite vector."""
    encoder = Encoder(resolve(space), device="cpu", precision="fp32", texts=False)
    for parameter in encoder.module.parameters():
        parameter.data.fill_(float("nan"))
    return encoder


def draw(path: Path, seed: int) -> None:
    """Write a picture of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def test_a_run_without_a_space_brings_all_of_them_up_to_date(
    photos: Path, index: Index, library: Path, tmp_path: Path, tiny_space: str, other_space: str
) -> None:
    index(photos)
    index(photos, space=other_space)
    for number in range(5):
        draw(photos / f"new/{number}.png", number)
    draw(min(photos.rglob("*.jpg")), 99)
    done = index(photos, space=None)
    assert (done.code, done.added, done.changed, done.encoded, done.behind) == (0, 5, 1, 6, [])
    assert len(done.spaces) == 2
    assert_like_fresh(library, photos, tmp_path, tiny_space, other_space)
    again = index(photos, space=None)
    assert (again.encoded, again.unchanged, again.loading) == (0, 29, 0)


def test_only_the_spaces_that_lack_a_picture_encode_it(
    photos: Path, index: Index, library: Path, tmp_path: Path, tiny_space: str, other_space: str
) -> None:
    index(photos)
    folder = min(photos.rglob("*.jpg")).parent
    part = index(folder, space=other_space)
    with Library.open(library) as opened:
        first, second = opened.catalog.spaces()
        last = first.last_id
    assert second.count == part.encoded < 24
    assert index(photos, space=None).encoded == 24 - part.encoded
    with Library.open(library) as opened:
        first, second = opened.catalog.spaces()
        assert (first.count, second.count) == (24, 24)
        assert first.last_id == last  # nothing was encoded for it again
    assert_like_fresh(library, photos, tmp_path, tiny_space, other_space)


def test_a_file_is_read_once_for_all_spaces(
    photos: Path, library: Path, tiny_space: str, other_space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[bytes] = []
    real = Reader.open

    def watched(reader: Reader, place: Place, **how: Any) -> Any:
        opened.append(place.path)
        return real(reader, place, **how)

    monkeypatch.setattr(Reader, "open", watched)
    with Library.create(library) as made:
        chosen = Chosen([resolve(tiny_space), resolve(other_space)], is_one=False)
        assert Pipeline(made, chosen, Options()).run([photos]).encoded == 24
        assert [space.count for space in made.catalog.spaces()] == [24, 24]
    assert sorted(opened) == sorted(os.fsencode(path.relative_to(photos)) for path in photos.rglob("*.jpg"))


def test_pictures_are_decoded_to_the_largest_need_of_the_spaces(
    photos: Path, index: Index, library: Path, tmp_path: Path, tiny_space: str
) -> None:
    larger = models.siglip_like(tmp_path / "larger")
    Image.effect_mandelbrot((1600, 1200), (-2, -1.5, 1, 1.5), 50).convert("RGB").save(photos / "large.jpg")
    index(min(photos.rglob("*.jpg")).parent)
    index(min(photos.rglob("*.jpg")).parent, space=larger)
    index(photos, space=None)
    assert_like_fresh(library, photos, tmp_path, tiny_space, larger)


def test_a_space_whose_model_is_away_is_left_out_by_name(
    photos: Path, index: Index, library: Path, tmp_path: Path, tiny_space: str, caplog: pytest.LogCaptureFixture
) -> None:
    away = models.clip_like(tmp_path / "away", seed=5, dim=24)
    index(photos, space=away)
    index(photos)
    (tmp_path / "away").rename(tmp_path / "elsewhere")
    draw(photos / "new.png", 1)
    done = index(photos, space=None)
    assert (done.code, done.added, done.encoded) == (0, 1, 1)
    (behind,) = done.behind
    assert (behind["name"], behind["pictures"]) == ("away", 1)
    assert str(tmp_path / "away") in behind["reason"] and behind["reason"].endswith(
        "spaces --find local-dir:ITS_FOLDER"
    )
    status = index("status", space=None)
    assert [(space["name"], space["behind"]) for space in status.spaces] == [("away", 1), (Path(tiny_space).name, 0)]
    index(photos, "--dry-run", space=None)
    assert "without the model away" in caplog.text
    (tmp_path / "elsewhere").rename(tmp_path / "away")
    assert index(photos, "--dry-run", space=None).out.count('"unencoded"') == 1
    back = index(photos, space=None)
    assert (back.encoded, back.behind) == (1, [])


def test_a_run_for_which_no_model_can_be_had_says_why(photos: Path, index: Index, tmp_path: Path) -> None:
    for number in (1, 2):
        index(photos, space=models.clip_like(tmp_path / f"m{number}", seed=number))
        (tmp_path / f"m{number}").rename(tmp_path / f"away{number}")
    done = index(photos, space=None)
    assert done.code == 2 and str(tmp_path / "m1") in done.err


def test_a_run_for_one_space_says_which_others_are_behind(
    photos: Path, index: Index, library: Path, tiny_space: str, other_space: str, capfd: pytest.CaptureFixture[str]
) -> None:
    index(photos)
    index(photos, space=other_space)
    draw(photos / "new.png", 1)
    done = index(photos)
    (behind,) = done.behind
    assert (behind["pictures"], behind["reason"]) == (1, "this run was for another model")
    told = f"The model {behind['name']} is behind by 1 picture: this run was for another model"
    assert told in run_text.summary(done.summary)
    assert run([str(photos), "--library", str(library), "--space", tiny_space]) == 0
    assert told in capfd.readouterr().err
    index(photos, space=None)
    assert run([str(photos), "--library", str(library)]) == 0
    assert "behind" not in (said := capfd.readouterr().err) and "models " in said


def test_a_picture_that_one_model_makes_nothing_of_is_kept_for_the_others(
    photos: Path, index: Index, library: Path, tmp_path: Path, tiny_space: str
) -> None:
    bad = models.clip_like(tmp_path / "bad", seed=3)
    with Library.create(library) as opened:
        chosen = Chosen([resolve(tiny_space), resolve(bad)], is_one=False)
        first = Pipeline(opened, chosen, Options(), encoders=[spoilt(bad)]).run([photos])
        assert (first.added, first.failed, first.encoded) == (0, 24, 24)
        assert [space.count for space in opened.catalog.spaces()] == [24, 0]
        failures = opened.catalog.failures()
        assert {failure.stage for failure in failures} == {"encode"}
        assert all("'bad'" in failure.reason for failure in failures)
        assert opened.catalog.counts(1).pictures == 24
        shutil.copy(min(photos.rglob("*.jpg")), photos / "copy.jpg")
        again = Pipeline(opened, chosen, Options(), encoders=[spoilt(bad)]).run([photos])
        assert (again.failed, len(opened.catalog.failures())) == (25, 25)
        assert opened.catalog.counts(1).photos == 25
    done = index(photos)
    assert (done.code, done.unchanged, done.encoded) == (0, 25, 0)
    mended = index(photos, space=bad)
    assert (mended.code, mended.encoded, mended.behind) == (0, 24, [])
    assert index("failures", space=None).out == ""
    assert_like_fresh(library, photos, tmp_path, tiny_space, bad)


def test_a_file_that_holds_another_picture_now_is_not_shown_as_the_old_one_where_the_model_fails(
    photos: Path, index: Index, library: Path, tiny_space: str
) -> None:
    index(photos)
    edited = min(photos.rglob("*.jpg"))
    draw(edited, 1)
    draw(photos / "new.png", 2)
    with Library.open(library) as opened:
        chosen = Chosen([resolve(tiny_space)])
        run = Pipeline(opened, chosen, Options(), encoders=[spoilt(tiny_space)]).run([photos])
        assert (run.failed, opened.catalog.counts(1).pictures) == (2, 23)
    mended = index(photos)
    assert (mended.code, mended.encoded, mended.failed) == (0, 2, 0)
    with Library.open(library) as opened:
        assert opened.catalog.counts(1).pictures == 25


def test_a_run_of_several_spaces_that_is_stopped_loses_none_that_were_encoded(
    photos: Path, index: Index, library: Path, tmp_path: Path, tiny_space: str, other_space: str
) -> None:
    named = [resolve(tiny_space), resolve(other_space)]
    encoders = [Encoder(model, device="cpu", precision="fp32") for model in named]
    chosen = Chosen(named, is_one=False)
    with Library.create(library) as opened:

        def stop(done: int) -> None:
            if done >= 7:
                first.stop.set()

        first = Pipeline(
            opened, chosen, Options(batch_size=3), report=lambda state: stop(state.done), encoders=encoders
        )
        encoded = first.run([photos]).encoded
        assert 7 <= encoded < 24
        assert [space.count for space in opened.catalog.spaces()] == [encoded, encoded]
        assert Pipeline(opened, chosen, Options(), encoders=encoders).run([photos]).encoded == 24 - encoded
    assert_like_fresh(library, photos, tmp_path, tiny_space, other_space, precision="fp32")


NAMES = ("a.png", "b.png", "sub/c.png", "sub/d.png")
name = st.sampled_from(NAMES)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("draw"), name, st.integers(0, 5)),
        st.tuples(st.just("delete"), name),
        st.tuples(st.just("move"), name, name),
        st.tuples(st.just("copy"), name, name),
        st.tuples(st.just("index"), st.sampled_from(["one", "two", "all"]), st.booleans()),
    ),
    min_size=4,
    max_size=12,
)


def change(folder: Path, step: tuple[object, ...]) -> None:
    kind, *rest = step
    path = folder / str(rest[0])
    if kind == "draw":
        draw(path, int(str(rest[1])))
    elif kind == "delete":
        path.unlink(missing_ok=True)
    elif path.exists() and rest[0] != rest[1]:
        target = folder / str(rest[1])
        target.parent.mkdir(exist_ok=True)
        (shutil.move if kind == "move" else shutil.copy)(path, target)


@given(steps=steps)
@examples(8, nightly=150)
def test_after_any_runs_of_one_space_or_all_each_is_what_a_fresh_index_of_it_is(
    tiny_space: str, other_space: str, steps: list[tuple[object, ...]]
) -> None:
    spaces = {"one": tiny_space, "two": other_space}
    with tempfile.TemporaryDirectory() as scratch:
        folder, library = Path(scratch) / "photos", Path(scratch) / "library"
        draw(folder / "anchor.png", 99)
        draw(folder / "sub" / "anchor.png", 98)
        for space in spaces.values():
            assert run([str(folder), "--library", str(library), "--space", space, "-q"]) == 0
        for step in [*steps, ("index", "all", False)]:
            if step[0] != "index":
                change(folder, step)
                continue
            where = folder / "sub" if step[2] else folder
            chosen = ["--space", spaces[str(step[1])]] if step[1] in spaces else []
            assert run([str(where), "--library", str(library), *chosen, "-q"]) == 0
        assert_like_fresh(library, folder, Path(scratch), tiny_space, other_space)
