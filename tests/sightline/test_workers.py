"""Files are read and decoded by other processes: what a decoder does to its process costs one file, and no more."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import fake_decoder
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from support import ROOT

from sightline.images import wire
from sightline.images.budget import PixelBudget
from sightline.images.decode import decode, decode_header, preview
from sightline.images.errors import DecodeError, TooLargeError
from sightline.images.limits import FILES, Limits
from sightline.images.pools import pool
from sightline.images.reader import Place, Reader
from sightline.images.worker_errors import BusyError, StoppedError
from sightline.images.workers import Workers
from sightline.metadata.facts import Beside

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no worker processes on this system")

SHORT = Limits(read_seconds=1.0, decode_seconds=2.0, cpu_seconds=2, memory_bytes=700_000_000)


@pytest.fixture(scope="module")
def pool_of_one() -> Iterator[Workers]:
    made = Workers(1)
    yield made
    made.close()


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    """A pool of one whose decoder of JPEG XL does what a file says, with little patience."""
    monkeypatch.setenv("PYTHONPATH", str(fake_decoder.install(tmp_path / "fake")))
    made = Workers(1, SHORT)
    yield made
    made.close()


def place(path: Path) -> Place:
    return Place(os.fsencode(path.parent), os.fsencode(path.name))


def picture(path: Path, size: tuple[int, int] = (640, 480)) -> Path:
    Image.effect_noise(size, 60).convert("RGB").save(path)
    return path


AWKWARD = sorted(path for path in (ROOT / "tests" / "fixtures" / "awkward").rglob("*") if path.is_file())


def test_a_worker_gives_what_decoding_in_this_process_gives(pool_of_one: Workers, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    noise = Image.effect_noise((900, 700), 60).convert("RGB")
    noise.save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")
    noise.save(tmp_path / "wide.png", icc_profile=_wide())
    noise.save(tmp_path / "lab.jpg", icc_profile=profile.tobytes())
    noise.convert("CMYK").save(tmp_path / "cmyk.jpg")
    noise.save(tmp_path / "a.webp")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:9000])
    tried = [*sorted(tmp_path.iterdir()), *AWKWARD]
    assert len(tried) > 12
    for path in tried:
        with pool_of_one.reader() as reader:
            assert _said(partial(_by, reader), path) == _said(_here, path), path


def _wide() -> bytes:
    """A profile of other colours than sRGB: that of sRGB with red and blue exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data = data.replace(b"rXYZ", b"xXYZ").replace(b"bXYZ", b"rXYZ").replace(b"xXYZ", b"bXYZ")
    return bytes(data)


def _said(made: Callable[[Path], object], path: Path) -> object:
    try:
        return made(path)
    except DecodeError as error:
        return type(error), error.stage, error.reason


def _by(reader: Reader, path: Path) -> object:
    reader.open(place(path))
    found = reader.decode(need=64)
    pixels = found.pixels.copy()
    return (
        pixels.tolist(), found.facts, found.original, found.thumbnail, found.colour, found.remark, found.look,
        reader.header(), reader.preview(400),
    )  # fmt: skip


def _here(path: Path) -> object:
    beside = Beside(path.name)
    with path.open("rb") as file:
        found = decode(file, need=64, beside=beside)
        return (
            found.pixels.tolist(), found.facts, found.original, found.thumbnail, found.colour, found.remark, found.look,
            decode_header(file, beside=beside), preview(file, 400),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("crash", r"its decoder crashed \(segmentation fault\)"),
        ("exit", "its decoder ended with exit code 7"),
        ("sleep", "its decoder did not end within 2 seconds"),
        ("spin", r"decoding it takes more than 2 seconds of a processor|did not end within 2 seconds"),
        ("memory", "not enough memory to decode the picture"),
    ],
)
def test_a_decoder_that_breaks_costs_its_file_and_the_next_is_decoded(
    faulty: Workers, tmp_path: Path, told: str, reason: str
) -> None:
    bad, good = fake_decoder.write(tmp_path / "bad.jxl", told), picture(tmp_path / "good.png")
    with pytest.raises(DecodeError, match=reason) as failed, faulty.reader() as reader:
        reader.open(place(bad))
        reader.decode(need=64)
    assert failed.value.stage in ("open", "decode")
    with faulty.reader() as reader:
        reader.open(place(good))
        assert reader.decode(need=64).pixels.shape == (480, 640, 3)


def test_a_disk_that_does_not_answer_costs_one_file(faulty: Workers, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    with faulty.reader() as reader:
        pid = reader._process._pid  # type: ignore[attr-defined]
        # As in a read that never returns: the process does nothing, and does not end.
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(DecodeError, match="its disk did not answer for 1 seconds") as failed:
            reader.open(place(path))
    assert failed.value.stage == "read"
    with faulty.reader() as reader:
        assert reader.open(place(path))[0].size == path.stat().st_size


def test_what_takes_long_in_one_pool_keeps_no_other_waiting(tmp_path: Path) -> None:
    data = picture(tmp_path / "a.png").read_bytes()
    with pool("photos").reader(), pool("photos").reader():
        with pytest.raises(BusyError, match="Try again"), pool("photos").reader(0.01):
            pass
        with pool("uploads").reader(30) as reader:
            reader.give(data)
            assert reader.decode(need=64, thumbnail=False).pixels.shape == (240, 320, 3)


def test_a_large_picture_waits_until_its_pixels_are_within_the_budget(tmp_path: Path) -> None:
    Image.new("L", (6000, 5000)).save(tmp_path / "large.png")
    budget = PixelBudget(30_000_000)
    made = Workers(1, budget=budget)
    shapes: list[tuple[int, ...]] = []

    def large() -> None:
        with made.reader() as reader:
            reader.open(place(tmp_path / "large.png"))
            shapes.append(reader.decode(need=64, thumbnail=False).pixels.shape)

    thread = threading.Thread(target=large)
    with budget.hold(1):
        thread.start()
        thread.join(3)
        assert not shapes
    thread.join(60)
    assert len(shapes) == 1
    made.close()


@pytest.mark.parametrize(
    ("head", "limit"), [(b"\xff\xd8\xff\xe0", "0.5 GB"), (b"\0\0\0\x20ftypheic", "0.5 GB"), (b"II*\0", "17.2 GB")]
)
def test_a_file_that_is_too_large_to_be_read_is_refused_before_it_is(
    pool_of_one: Workers, tmp_path: Path, head: bytes, limit: str
) -> None:
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(20 * 2**30)  # sparse: it takes no room
    begun = time.monotonic()
    reason = rf"the file has 21.5 GB; the limit for its kind is {limit}"
    with pytest.raises(TooLargeError, match=reason), pool_of_one.reader() as reader:
        reader.open(place(path))
    assert time.monotonic() - begun < 20


def test_a_jpeg_of_more_scans_than_any_encoder_writes_is_refused(pool_of_one: Workers, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((32, 32), 60).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    many = data[:-2] + data[last:-2] * 120 + data[-2:]
    reason = r"this JPEG has 1\d\d scans.*the limit is 100"
    with pytest.raises(DecodeError, match=reason), pool_of_one.reader() as reader:
        reader.give(many)
        reader.decode(need=32)
    with pool_of_one.reader() as reader:
        reader.give(data)
        assert reader.decode(need=32).remark is None


def test_links_are_not_followed_by_workers_unless_the_folder_says_so(pool_of_one: Workers, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    (root / "in").mkdir(parents=True)
    picture(tmp_path / "secret.png")
    (root / "in" / "a.png").symlink_to(tmp_path / "secret.png")
    with pool_of_one.reader() as reader:
        with pytest.raises(OSError, match="link"):
            reader.open(Place(os.fsencode(root), b"in/a.png"))
        with pytest.raises(OSError, match="link"):
            reader.open(Place(os.fsencode(root), b"in/a.png", follow_links=lambda folder: folder == b""))
        followed = Place(os.fsencode(root), b"in/a.png", follow_links=lambda folder: folder == b"in/")
        assert reader.open(followed)[0].size == (tmp_path / "secret.png").stat().st_size


def test_who_closes_a_pool_waits_for_no_decoder(faulty: Workers, tmp_path: Path) -> None:
    bad = fake_decoder.write(tmp_path / "bad.jxl", "sleep")
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        with pytest.raises(StoppedError), faulty.reader() as reader:
            reader.open(place(bad))
            begun.set()
            reader.decode(need=64)
        ended.set()

    threading.Thread(target=work, daemon=True).start()
    assert begun.wait(60)
    faulty.close()
    assert ended.wait(10)
    with pytest.raises(StoppedError), faulty.reader():
        pass


def test_no_worker_outlives_the_program(tmp_path: Path) -> None:
    fake_decoder.write(tmp_path / "bad.jxl", "sleep")
    code = f"""
from sightline.images.workers import Workers
from sightline.images.reader import Place
with Workers(1).reader() as reader:
    reader.open(Place({os.fsencode(tmp_path)!r}, b"bad.jxl"))
    print(reader._process._pid, flush=True)
    reader.decode(need=64)
"""
    environment = {**os.environ, "PYTHONPATH": str(fake_decoder.install(tmp_path / "fake"))}
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        time.sleep(0.5)
        program.kill()
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_where_no_process_can_be_started_files_are_decoded_here_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="sightline")
    path = picture(tmp_path / "a.png")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    made = Workers(1)
    assert "Pictures are decoded in this process" in caplog.text
    with made.reader() as reader:
        reader.open(place(path))
        assert reader.decode(need=64).facts == decode(io.BytesIO(path.read_bytes()), need=64).facts
    made.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_whatever_a_worker_says_is_facts_or_nonsense(said: object) -> None:
    for read in (wire.facts_of_json, wire.error_of_json, wire.pair_of, wire.bytes_of):
        with suppress(wire.NonsenseError):
            read(said)


@given(st.data())
def test_facts_of_another_type_are_nonsense(data: st.DataObject) -> None:
    image = io.BytesIO()
    Image.new("RGB", (3, 2)).save(image, "PNG")
    facts = decode_header(image)
    told = json.loads(json.dumps(wire.facts_to_json(facts)))
    assert wire.facts_of_json(told) == facts
    name = data.draw(st.sampled_from(sorted(asdict(facts))))
    told[name] = data.draw(st.dictionaries(st.text(max_size=2), st.none(), min_size=1) | st.just([1]))
    with pytest.raises(wire.NonsenseError):
        wire.facts_of_json(told)


def test_pixels_that_are_not_there_are_not_read(tmp_path: Path) -> None:
    made = Workers(1)
    with made.reader() as reader:
        reader.open(place(picture(tmp_path / "a.png")))
        for shape in ([40_000, 40_000], [0, 5], [2**70, 1], ["1", 1], None):
            with pytest.raises(DecodeError, match="an answer that can't be"):
                reader._pixels({"shape": shape})
    made.close()


def test_the_process_that_forks_workers_is_kept_for_the_next_pool_and_forks_as_if_it_were_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def pids(limits: Limits = FILES) -> tuple[int, int]:
        """Of a worker, and of the process that forked it."""
        pool = Workers(1, limits)
        with pool.reader() as reader:
            worker = reader._process._pid  # type: ignore[attr-defined]
        parent = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
        pool.close()
        assert not Path(f"/proc/{worker}").exists()
        return worker, parent

    (first, server), (second, again) = pids(), pids()
    assert first != second
    assert server == again
    _, other = pids(SHORT)
    assert other != server
    assert not Path(f"/proc/{server}").exists()
    monkeypatch.setenv("A_NEW", "value")
    assert pids(SHORT)[1] != other
