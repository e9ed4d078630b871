"""JPEGs decoded on cards beside the cores: the same pictures, the same refusals, and no work that does not pay.

torchcodec decodes on the CPU through the same door, which shows all but what nvJPEG itself does (test_gpu.py).
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import models
import numpy as np
import pytest
import torch
from pictures import TURNS, decibels, encoded, final, oriented, photo
from searching import vectors_of

from indexer.commands import run as run_indexer
from indexer.pipeline import Options, Pipeline
from sightline.images import decode_scheduler, gpu_jpeg
from sightline.images.decode import Decoded, DecodeError, decode
from sightline.images.decode_scheduler import Routes
from sightline.images.gpu_jpeg import Cards
from sightline.models.encoder import Encoder
from sightline.models.resolve import resolve
from store.library import Library

pytest.importorskip("torchcodec", reason="torchcodec is made for Linux only")


@pytest.fixture
def some() -> Iterator[Cards]:
    made = Cards(["cpu", "cpu"])
    yield made
    made.close()


def jpeg(width: int, height: int, **options: object) -> bytes:
    return encoded(photo(width, height), "JPEG", quality=92, **options)


def together(files: list[bytes], some: Cards, cores: int = 1) -> list[Decoded | DecodeError]:
    """Files decoded by as many threads as a run has."""
    way = Routes(cores, some)

    def one(data: bytes) -> Decoded | DecodeError:
        with way.core():
            try:
                return decode(io.BytesIO(data), need=64, routes=way)
            except DecodeError as error:
                return error

    with ThreadPoolExecutor(way.threads) as pool:
        return list(pool.map(one, files))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_comes_from_a_card_upright_and_as_near_to_the_whole_as_from_a_core(
    some: Cards, orientation: int
) -> None:
    upright = photo(1202, 901)
    stored = upright.transpose(TURNS[orientation]) if orientation > 1 else upright
    data = encoded(stored, "JPEG", exif=oriented(orientation), quality=95)
    here = decode(io.BytesIO(data), need=64).pixels
    whole = final(np.asarray(upright))
    for made in together([data] * 8, some):
        assert isinstance(made, Decoded)
        assert made.pixels.shape == here.shape == (451, 601, 3)
        assert made.pixels.flags.c_contiguous and made.pixels.flags.writeable
        assert decibels(final(made.pixels), whole) >= min(45, decibels(final(here), whole))
    assert some.decoded > 0


def test_a_picture_that_is_turned_by_its_xmp_alone_is_turned_once(some: Cards) -> None:
    said = b"http://ns.adobe.com/xap/1.0/\0" + (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="3"/></rdf:RDF></x:xmpmeta>'
    )
    plain = jpeg(300, 200)
    data = plain[:2] + b"\xff\xe1" + (len(said) + 2).to_bytes(2, "big") + said + plain[2:]
    expected = decode(io.BytesIO(plain), need=64).pixels[::-1, ::-1]
    for made in together([data] * 12, some):
        assert isinstance(made, Decoded)
        assert made.facts.orientation == 3
        np.testing.assert_array_equal(made.pixels, expected)
    assert some.decoded > 0


def test_a_small_picture_and_a_grey_one_are_the_same_to_the_bit(some: Cards) -> None:
    for data in (jpeg(300, 200), encoded(photo(300, 200).convert("L"), "JPEG")):
        taken = some.decode(bytearray(data), (300, 200), 1)
        assert taken.pixels is not None
        np.testing.assert_array_equal(taken.pixels, decode(io.BytesIO(data), need=224).pixels)


def test_cards_take_what_the_cores_have_no_time_for(some: Cards) -> None:
    files = [jpeg(200 + step, 150) for step in range(40)]
    for data, made in zip(files, together(files, some), strict=True):
        assert isinstance(made, Decoded)
        alone = decode(io.BytesIO(data), need=64)
        np.testing.assert_array_equal(made.pixels, alone.pixels)
        assert (made.facts, made.thumbnail, made.colour) == (alone.facts, alone.thumbnail, alone.colour)
    assert 0 < some.decoded <= len(files)


def test_cores_that_are_free_leave_cards_alone(some: Cards) -> None:
    way = Routes(2, some)
    for step in range(4):
        with way.core():
            decode(io.BytesIO(jpeg(200 + step, 150)), need=64, routes=way)
    assert some.decoded == 0


def test_a_damaged_picture_is_refused_as_ever_and_takes_no_other_with_it(some: Cards) -> None:
    whole = jpeg(640, 480)
    hurt = bytearray(whole)
    hurt[len(whole) // 2 : len(whole) // 2 + 40] = b"\xff\xc4" * 20
    files = [whole] * 20
    files[4:7] = bytes(hurt), whole[: len(whole) // 2], b"\xff\xd8\xff" + b"no picture" * 9
    made = together(files, some)
    for place, data in enumerate(files):
        each = made[place]
        try:
            alone = decode(io.BytesIO(data), need=64)
        except DecodeError as error:
            assert isinstance(each, DecodeError) and each.reason == error.reason
        else:
            assert isinstance(each, Decoded) and each.facts == alone.facts
            np.testing.assert_array_equal(each.pixels, alone.pixels)
    assert sum(isinstance(each, DecodeError) for each in made) == 3


def test_a_picture_whose_end_is_missing_or_whose_colours_a_card_would_mistake_stays_on_the_cores(some: Cards) -> None:
    with_thumbnail = jpeg(640, 480, exif=oriented(1) + jpeg(32, 32))  # an end of its own, before the picture's
    cut = with_thumbnail[: len(with_thumbnail) * 2 // 3]
    in_rgb = encoded(photo(640, 480), "JPEG", keep_rgb=True)
    made = together([cut, in_rgb] * 20, some)
    assert some.decoded == 0
    assert all(isinstance(each, DecodeError) for each in made[::2])
    for each in made[1::2]:
        assert isinstance(each, Decoded)
        np.testing.assert_array_equal(each.pixels, decode(io.BytesIO(in_rgb), need=64).pixels)


def test_pictures_of_a_size_for_which_a_card_takes_a_core_longer_stay_there(some: Cards) -> None:
    # Here a "card" is a core, which reads all of a large picture and then shrinks it; the cores read a sixteenth.
    made = together([jpeg(2048, 1536)] * 100, some, cores=2)
    assert all(isinstance(each, Decoded) for each in made)
    assert some.decoded == decode_scheduler.TRIALS


def test_cards_that_decode_nothing_are_not_asked_for_long(some: Cards, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "indexer"):  # a run before may have asked for silence
        for _ in range(gpu_jpeg.GIVE_UP):
            assert some.usable
            assert some.decode(bytearray(b"\xff\xd8 this is none"), (64, 64), 1).pixels is None
    assert not some.usable
    assert "so the cores go on alone" in caplog.text


def test_a_size_that_is_not_the_pictures_gives_nothing(some: Cards) -> None:
    assert some.decode(bytearray(jpeg(64, 48)), (48, 64), 1).pixels is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_waits_for_a_thread_that_died_is_told(some: Cards, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise SystemExit

    monkeypatch.setattr(some, "_decode", die)
    for _ in range(2):  # each of the two threads once
        assert some.decode(bytearray(jpeg(64, 48)), (64, 48), 1).pixels is None
    some.close()
    assert some.decode(bytearray(jpeg(64, 48)), (64, 48), 1).pixels is None


def test_who_asks_after_the_end_is_not_kept_waiting() -> None:
    made = Cards(["cpu"])
    made.close()
    assert made.decode(bytearray(jpeg(64, 48)), (64, 48), 1).pixels is None


def test_a_run_with_cards_holds_what_one_without_them_does(tmp_path: Path, some: Cards) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for step in range(60):
        data = encoded(photo(240 + step, 200), "JPEG", exif=oriented(step % 8 + 1))
        (photos / f"{step}.jpg").write_bytes(data if step % 20 else data[: len(data) // 2])
    (photos / "other.png").write_bytes(encoded(photo(100, 80), "PNG"))
    model = resolve(models.clip_like(tmp_path / "model"))
    held = []
    for name, way in (("cores", None), ("cards", Routes(2, some))):
        with Library.create(tmp_path / name) as library:
            encoder = Encoder(model, device="cpu", precision="fp32")
            summary = Pipeline(library, model, Options(workers=2), encoder=encoder, routes=way).run([photos])
            assert (summary.encoded, summary.failed) == (58, 3)
            failed = sorted((each.path, each.stage, each.reason) for each in library.catalog.failures())
            held.append((vectors_of(library), failed))
    assert some.decoded > 0
    (here, failed_here), (there, failed_there) = held
    assert failed_here == failed_there
    assert here.keys() == there.keys()
    for key, vector in here.items():
        assert vector @ there[key] >= 0.999


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cards_that_are_not_here_are_said_so_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(jpeg(64, 48))
    command = [str(tmp_path / "photos"), "--library", str(tmp_path / "library"), "--decode-on", "cards"]
    assert run_indexer(command) == 2
    assert "needs a CUDA device" in capsys.readouterr().err
    assert not (tmp_path / "library" / "library.db").exists()
