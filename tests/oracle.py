"""Compare what Sightline reads of files with exiftool and libvips: `python tests/oracle.py FOLDER`.

It stands outside of the test suite, since it needs two programs that Sightline itself does not: `exiftool` and `vips`
(Debian: libimage-exiftool-perl, libvips-tools). For every file below FOLDER that the indexer would read it compares

- the facts: size, date, camera, lens, exposure, place, and what people wrote, with `exiftool -n -G1`;
- the pixels, at full size and upright, with `vips autorot` and `colourspace srgb`, over white.

It prints one line of tab-separated values for each difference: the file, what differs, ours, theirs. With `--explained
TABLE` (such as tests/oracle.csv, whose columns are those four as shell patterns, and the reason) only those that the
table does not explain are printed. The exit code is 1 if there are any, and 2 where a program is missing.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.walk import WalkCounts, WalkedFile, walk
from sightline.images.decode import DecodeError, decode
from sightline.metadata.facts import Beside, Facts
from store.paths import to_path
from store.walk_options import WalkOptions

LEAST_PSNR: Final = 34.0
"""Decibels. Decoders round, and upsample colours, in different ways: that is above 38 dB on photographs."""

_WHOLE: Final = 50_000  # a shorter side that no file reaches: nothing is shrunk
_DATE: Final = re.compile(r"(\d{4})(?:[:-](\d\d)(?:[:-](\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d))?)?)?)?")

# By the order of trust of docs/facts.md, from exiftool's groups and names. XMP as such is also what sidecars hold.
_TAKEN: Final = (
    "ExifIFD:DateTimeOriginal", "XMP-exif:DateTimeOriginal", "IPTC:DateCreated", "XMP-photoshop:DateCreated",
    "ExifIFD:CreateDate", "XMP-exif:DateTimeDigitized", "IPTC:DigitalCreationDate", "XMP-xmp:CreateDate",
    "PNG:CreationTime", "IFD0:ModifyDate", "XMP-xmp:ModifyDate", "QuickTime:CreateDate",
)  # fmt: skip
_TIME_OF: Final = {"IPTC:DateCreated": "IPTC:TimeCreated", "IPTC:DigitalCreationDate": "IPTC:DigitalCreationTime"}
_TEXTS: Final[Mapping[str, Sequence[str]]] = {
    "camera_make": ("IFD0:Make", "XMP-tiff:Make"),
    "camera_model": ("IFD0:Model", "XMP-tiff:Model"),
    "lens": ("ExifIFD:LensModel", "XMP-exifEX:LensModel", "XMP-aux:Lens", "Composite:LensID", "Composite:Lens"),
    "colour_label": ("XMP-xmp:Label",),
    "title": ("XMP-dc:Title", "IPTC:ObjectName", "IFD0:XPTitle"),
    "caption": ("XMP-dc:Description", "IPTC:Caption-Abstract", "IFD0:ImageDescription"),
    "town": ("XMP-photoshop:City", "IPTC:City"),
    "country": ("XMP-photoshop:Country", "IPTC:Country-PrimaryLocationName"),
}  # fmt: skip
_NUMBERS: Final[Mapping[str, Sequence[str]]] = {
    "iso": ("ExifIFD:ISO", "XMP-exif:ISO"),
    "aperture": ("ExifIFD:FNumber", "XMP-exif:FNumber"),
    "exposure": ("ExifIFD:ExposureTime", "XMP-exif:ExposureTime"),
    "focal": ("ExifIFD:FocalLength", "XMP-exif:FocalLength"),
    "latitude": ("Composite:GPSLatitude", "XMP-exif:GPSLatitude"),
    "longitude": ("Composite:GPSLongitude", "XMP-exif:GPSLongitude"),
    "altitude": ("Composite:GPSAltitude",),
    "rating": ("XMP-xmp:Rating", "IFD0:Rating"),
}  # fmt: skip
_LISTS: Final[Mapping[str, Sequence[str]]] = {
    "keywords": ("XMP-dc:Subject", "IPTC:Keywords"),
    "people": ("XMP-mwg-rs:RegionName", "XMP-iptcExt:PersonInImage"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs in one file: `ours` and `theirs` as text."""

    file: str
    what: str
    ours: str
    theirs: str


def main() -> int:
    """Print the differences."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--explained", type=Path, metavar="TABLE", help="leave out what this CSV file explains")
    arguments = parser.parse_args()
    for program in ("exiftool", "vips"):
        if shutil.which(program) is None:
            print(f"{program} is not installed; see the first lines of {__file__}", file=sys.stderr)
            return 2
    table: list[dict[str, str]] = []
    if arguments.explained is not None:
        with arguments.explained.open(newline="", encoding="utf-8") as opened:
            table = list(csv.DictReader(opened))
    found = files = 0
    used: set[int] = set()
    with tempfile.TemporaryDirectory() as work:
        theirs = exiftool(arguments.folder)
        for path in pictures(arguments.folder):
            files += 1
            name = str(path.relative_to(arguments.folder))
            for difference in compared(path, name, theirs.get(name, {}), Path(work)):
                rows = [number for number, row in enumerate(table) if explains(row, difference)]
                used.update(rows)
                if not rows:
                    found += 1
                    print(*map(_one_line, (name, difference.what, difference.ours, difference.theirs)), sep="\t")
    print(f"{files} files, {found} differences that are not explained; {len(used)} rows of the table were of use",
          file=sys.stderr)  # fmt: skip
    return 1 if found else 0


def pictures(folder: Path) -> Iterator[Path]:
    """Files that the indexer would read, hidden ones too."""
    for item in walk(folder, WalkOptions(hidden=True), WalkCounts()):
        if isinstance(item, WalkedFile):
            yield to_path(str(folder).encode(), item.path)


def explains(row: Mapping[str, str], difference: Difference) -> bool:
    """Whether a row of the table is about this difference; its cells are shell patterns."""
    cells = {"file": difference.file, "what": difference.what, "ours": difference.ours, "theirs": difference.theirs}
    return all(fnmatch.fnmatchcase(_one_line(value), row[name] or "*") for name, value in cells.items())


def compared(path: Path, name: str, theirs: Mapping[str, Any], work: Path) -> Iterator[Difference]:
    """The differences of one file."""
    pixels, reason = vips(path, work)
    sidecars = [place for place in (path.with_name(f"{path.name}.xmp"), path.with_suffix(".xmp")) if place.exists()]
    beside = Beside(path.name, tuple(place.read_bytes() for place in sidecars))
    try:
        with path.open("rb") as opened:
            ours = decode(opened, need=_WHOLE, thumbnail=False, beside=beside)
    except DecodeError as error:
        if pixels is not None:
            height, width, _ = pixels.shape
            yield Difference(name, "refused", f"{error.stage}: {error.reason}", f"a picture of {width}x{height}")
        return
    if pixels is None:
        yield Difference(name, "pixels", "a picture of {1}x{0}".format(*ours.pixels.shape), reason)
    elif pixels.shape != ours.pixels.shape:
        yield Difference(name, "pixels", "{1}x{0}".format(*ours.pixels.shape), "{1}x{0}".format(*pixels.shape))
    elif (ratio := psnr(ours.pixels, pixels)) < LEAST_PSNR:
        means = [f"mean {of.mean():.0f}" for of in (ours.pixels, pixels)]
        yield Difference(name, "pixels", f"{means[0]}, PSNR {ratio:.0f} dB", means[1])
    for what, mine, other in facts(ours.facts, theirs):
        yield Difference(name, what, mine, other)


def psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """The peak signal-to-noise ratio of two pictures of one size, dB."""
    error = float(np.mean((one.astype(np.float32) - other.astype(np.float32)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def vips(path: Path, work: Path) -> tuple[NDArray[np.uint8] | None, str]:
    """The upright pixels by libvips, uint8 (height, width, 3), or None and what it says."""
    steps = (
        ("autorot", str(path), "1.v"), ("colourspace", "1.v", "2.v", "srgb"),
        ("cast", "2.v", "3.v", "uchar"), ("pngsave", "3.v", "4.png", "--strip", "--compression", "0"),
    )  # fmt: skip
    for step in steps:
        ended = subprocess.run(["vips", *step], cwd=work, capture_output=True, text=True, errors="replace", check=False)
        if ended.returncode:
            said = " ".join(ended.stderr.split())
            return None, said or f"vips {step[0]} ended with {ended.returncode}"
    with Image.open(work / "4.png") as image:
        ground = Image.new("RGBA", image.size, "white")
        return np.asarray(Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")), ""


def exiftool(folder: Path) -> dict[str, dict[str, Any]]:
    """Every tag of every file by exiftool, by path from the folder; those of its sidecars where it has none itself."""
    command = ["exiftool", "-r", "-j", "-n", "-G1", "-q", "-q", "-api", "LargeFileSupport=1", "."]
    said = subprocess.run(command, cwd=folder, capture_output=True, check=False).stdout or b"[]"
    found = {str(Path(tags["SourceFile"])): tags for tags in json.loads(said.decode("utf-8", "replace"))}
    for name, tags in found.items():
        for sidecar in (f"{name}.xmp", str(Path(name).with_suffix(".xmp"))):
            for tag, value in found.get(sidecar, {}).items():
                tags.setdefault(tag, value)
    return found


def facts(ours: Facts, tags: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What differs in the facts: its name, ours, theirs; an empty text where one has nothing."""
    their_date = _taken(tags)
    if ours.taken_from != "file name" and (ours.taken_at or "") != their_date:
        yield "taken_at", ours.taken_at or "", their_date
    for name, sources in _TEXTS.items():
        mine, other = _text(getattr(ours, name)), _text(_first(tags, sources))
        if name == "camera_model" and mine and other.endswith(mine):
            continue  # without the make
        if name == "town" and not other:
            continue  # by the position
        if name == "country" and not other:
            continue
        if mine != other[: len(mine)] or bool(mine) != bool(other):
            yield name, mine, other
    for name, sources in _NUMBERS.items():
        mine_n, other_n = getattr(ours, name), _number(_first(tags, sources))
        if (mine_n is None) != (other_n is None) or (
            mine_n is not None and other_n is not None and not math.isclose(mine_n, other_n, rel_tol=1e-3, abs_tol=1e-4)
        ):
            yield name, "" if mine_n is None else str(mine_n), "" if other_n is None else str(other_n)
    for name, sources in _LISTS.items():
        mine_l = {_text(part) for of in getattr(ours, name) for part in of.split("|")}
        other_l = {_text(part) for source in sources for part in _several(tags.get(source))}
        if not other_l <= mine_l or (mine_l and not other_l):
            yield name, ", ".join(sorted(mine_l)), ", ".join(sorted(other_l))


def _taken(tags: Mapping[str, Any]) -> str:
    for tag in _TAKEN:
        text = " ".join(str(tags[each]) for each in (tag, _TIME_OF.get(tag, "")) if each in tags)
        match = _DATE.match(text)
        if match is not None and int(match[1]):
            year, month, day, hour, minute, second = (part or "" for part in match.groups())
            parts = [year, *(f"-{part}" for part in (month, day) if part and int(part))]
            if hour and len(parts) == 3:
                parts.append(f"T{hour}:{minute}" + (f":{second}" if second else ""))
            return "".join(parts)
    return ""


def _first(tags: Mapping[str, Any], sources: Sequence[str]) -> Any:
    return next((tags[source] for source in sources if tags.get(source) not in (None, "")), None)


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(value: Any) -> str:
    return " ".join(str("" if value is None else value).split())


def _number(value: Any) -> float | None:
    try:
        number = float(str(value).split()[0])
    except (ValueError, IndexError):
        return None
    return number if math.isfinite(number) else None


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
