#!/usr/bin/env bash
# Pillow: an Exif object with tags in its sub-directory only counts as empty, and saving a PNG drops it.
#
# Expected: the date of the picture is written.
# Seen with Pillow 13.0.0: a PNG has no EXIF then; WebP and JPEG have it.
# Relied on by the tests: pictures that they make carry a tag of the first directory beside those of the second.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'pillow==13.0.0'
"$work/env/bin/python" - <<'PYTHON'
import io

import PIL
from PIL import ExifTags, Image


def saved(kind: str, exif: Image.Exif) -> object:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, kind, exif=exif)
    return Image.open(io.BytesIO(out.getvalue())).getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)


date = "2024:05:06 07:08:09"
alone, beside = Image.Exif(), Image.Exif()
for exif in (alone, beside):
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = date
beside[ExifTags.Base.Make] = "A maker"
seen = {kind: (saved(kind, alone), saved(kind, beside)) for kind in ("PNG", "WEBP", "JPEG")}
print("pillow", PIL.__version__)
print(f"expected: {date} from every file")
for kind, (first, second) in seen.items():
    print(f"seen:     {kind}: date alone -> {first}, date beside a maker -> {second}")
print(f"          bool of the first object: {bool(alone)}")
raise SystemExit(not (seen["PNG"][0] is None and seen["PNG"][1] == date and not alone))
PYTHON
