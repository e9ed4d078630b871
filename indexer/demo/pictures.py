"""Writes a folder of drawn pictures: JPEG files with the EXIF a camera would leave, and captions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from .captions import captions_of
from .draw import render
from .world import Scene, album

VERSION: Final = 1
"""Raised whenever the same call would write other bytes than before."""
MANIFEST_NAME: Final = "demo-manifest.json"
CAPTIONS_NAME: Final = "captions.json"
QUALITY: Final = 90


class PicturesError(Exception):
    """The pictures cannot be written; the message is a sentence for people."""


@dataclass(frozen=True)
class Picture:
    """A picture of the folder: its path relative to it (with "/"), what it shows and its captions."""

    path: str
    scene: Scene
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Trip:
    """A made-up trip: folder name, first day, length in days, place (degrees N, E), hours from UTC."""

    folder: str
    first: datetime
    days: int
    north: float
    east: float
    offset: str


# Public landmarks, to four decimals: Brighton pier, Old Nice, Alexanderplatz, the Reykjavik harbour, Bondi beach,
# Fushimi in Kyoto, Lake Bled, Cape Town's waterfront.
TRIPS: Final[tuple[Trip, ...]] = (
    Trip("2019-summer-brighton", datetime(2019, 7, 12), 9, 50.8169, -0.1367, "+01:00"),
    Trip("2020-autumn-nice", datetime(2020, 9, 26), 8, 43.6961, 7.2756, "+02:00"),
    Trip("2021-winter-berlin", datetime(2021, 1, 8), 6, 52.5219, 13.4132, "+01:00"),
    Trip("2022-spring-reykjavik", datetime(2022, 4, 15), 7, 64.1475, -21.9347, "+00:00"),
    Trip("2022-autumn-sydney", datetime(2022, 10, 3), 12, -33.8908, 151.2743, "+11:00"),
    Trip("2023-spring-kyoto", datetime(2023, 3, 28), 10, 34.9671, 135.7727, "+09:00"),
    Trip("2024-summer-bled", datetime(2024, 6, 19), 7, 46.3636, 14.0938, "+02:00"),
    Trip("2025-winter-cape-town", datetime(2025, 1, 22), 11, -33.9036, 18.4207, "+02:00"),
)
# (make, model, lens, software): all invented.
CAMERAS: Final = (
    ("Halden", "Halden P2", "Halden 24-70mm F2.8", "Halden Firmware 1.4"),
    ("Orrery", "Orrery M50", "Orrery 35mm F1.8", "Orrery 2.0.1"),
    ("Quill", "Quill Phone 7", "Quill Phone 7 main camera 5.6mm f/1.9", "Quill OS 7.2"),
    ("Tern Optical", "TO-100", "Tern 18-55mm F3.5-5.6", "TO-100 v3"),
)
# The local hours in which each time of day falls: (first, last), 24 and more reach past midnight.
_HOURS: Final = {"clear": (10, 15), "sunset": (19, 20), "night": (22, 25), "dawn": (5, 6), "rain": (9, 16)}
# How stored pixels must be turned for each EXIF orientation so that a viewer turns them back upright
# (EXIF 2.32, tag 0x0112: 3 is upside down, 6 and 8 a quarter turn).
_TURN: Final = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def _degrees(value: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    value = abs(value)
    minutes = (value % 1) * 60
    return IFDRational(int(value)), IFDRational(int(minutes)), IFDRational(round((minutes % 1) * 6000), 100)


def _exif(scene: Scene, trip: Trip, rng: Random) -> Image.Exif:
    first, last = _HOURS[scene.sky]
    taken = trip.first + timedelta(
        days=rng.randrange(trip.days),
        hours=rng.randint(first, last),
        minutes=rng.randrange(60),
        seconds=rng.randrange(60),
    )
    make, model, lens, software = rng.choice(CAMERAS)
    stamp = taken.strftime("%Y:%m:%d %H:%M:%S")
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131], exif[0x0132] = make, model, software, stamp
    exif[0x0112] = rng.choices((1, 3, 6, 8), (88, 3, 5, 4))[0]
    details: dict[int, Any] = {0x9003: stamp, 0x9004: stamp, 0xA434: lens}
    if rng.random() < 0.6:
        details[0x9011] = trip.offset
    exif.get_ifd(0x8769).update(details)
    if rng.random() < 0.8:
        north, east = trip.north + rng.uniform(-0.03, 0.03), trip.east + rng.uniform(-0.03, 0.03)
        exif.get_ifd(0x8825).update(
            {
                0: b"\x02\x03\x00\x00",
                1: "N" if north >= 0 else "S",
                2: _degrees(north),
                3: "E" if east >= 0 else "W",
                4: _degrees(east),
            }
        )
    return exif


def _plan(count: int, seed: int) -> list[tuple[Picture, Trip]]:
    planned = []
    for number, scene in enumerate(album(seed, count), start=1):
        trip = TRIPS[Random(f"trip:{scene.seed}").randrange(len(TRIPS))]
        picture = Picture(f"{trip.folder}/IMG_{number:04d}.jpg", scene, tuple(captions_of(scene)))
        planned.append((picture, trip))
    return planned


def _write_picture(file: Path, scene: Scene, trip: Trip, size: tuple[int, int]) -> None:
    exif = _exif(scene, trip, Random(f"exif:{scene.seed}"))
    image = render(scene, *size)
    turn = _TURN.get(exif[0x0112])
    if turn is not None:
        image = image.transpose(turn)
    image.save(file, "JPEG", quality=QUALITY, exif=exif)


def _manifest(count: int, seed: int, size: tuple[int, int]) -> dict[str, Any]:
    return {
        "made_by": "python -m indexer.demo",
        "version": VERSION,
        "count": count,
        "seed": seed,
        "size": f"{size[0]}x{size[1]}",
    }


def _check_folder(folder: Path, wanted: dict[str, Any], pictures: list[Picture]) -> bool:
    """Say whether ``folder`` already holds just these pictures; raise PicturesError for anything else."""
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise PicturesError(f"{folder} is a file, not a folder; name a folder that is empty or does not exist yet")
    manifest = folder / MANIFEST_NAME
    if not manifest.is_file():
        if any(folder.iterdir()):
            raise PicturesError(
                f"{folder} already holds other files; name a folder that is empty or does not exist yet"
            )
        return False
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        raise PicturesError(f"{manifest} is not readable JSON; delete the folder {folder} and try again") from None
    there = found.pop("finished", False) if isinstance(found, dict) else False
    if found != wanted:
        raise PicturesError(
            f"{folder} already holds pictures made with other settings ({manifest.name} names them); "
            f"name another folder, or delete this one first"
        )
    return bool(there) and all((folder / picture.path).is_file() for picture in pictures)


def write_pictures(
    folder: Path, count: int, seed: int, size: tuple[int, int], progress: Callable[[int, int], None] | None = None
) -> list[Picture]:
    """Write ``count`` pictures of upright ``size`` (width, height, px) into ``folder``; return their list.

    The same arguments always give the same bytes; a folder that already holds them all is left alone, one that
    was left unfinished is completed. ``progress`` is called with pictures done and in all. Beside the pictures
    in their sub-folders lie ``captions.json`` (relative path to kind, colour, count, ground, sky, captions) and
    a manifest. Raises PicturesError when the folder holds other files or the numbers make no sense, OSError
    when it cannot be written.
    """
    if count < 1:
        raise PicturesError(f"the number of pictures is {count}; it must be 1 or more")
    if min(size) < 16 or max(size) > 8192:
        raise PicturesError(f"the size is {size[0]}x{size[1]}; each side must be from 16 to 8192 pixels")
    planned = _plan(count, seed)
    pictures = [picture for picture, _ in planned]
    wanted = _manifest(count, seed, size)
    if _check_folder(folder, wanted, pictures):
        return pictures
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / MANIFEST_NAME
    # Written first, so that a run that was cut short can be told from a folder of somebody else's.
    _write_json(manifest, wanted)
    for done, (picture, trip) in enumerate(planned, start=1):
        file = folder / picture.path
        file.parent.mkdir(exist_ok=True)
        _write_picture(file, picture.scene, trip, size)
        if progress is not None:
            progress(done, count)
    captions = {}
    for picture in sorted(pictures, key=lambda picture: picture.path):
        shown = asdict(picture.scene)
        del shown["seed"]
        captions[picture.path] = {**shown, "captions": list(picture.captions)}
    _write_json(folder / CAPTIONS_NAME, captions)
    _write_json(manifest, {**wanted, "finished": True})
    return pictures


def _write_json(file: Path, value: object) -> None:
    part = file.with_name(file.name + ".part")
    part.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(file)
