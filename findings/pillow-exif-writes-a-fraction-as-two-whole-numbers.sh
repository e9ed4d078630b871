#!/usr/bin/env bash
# Pillow: a fraction that is given as a tuple becomes two whole numbers in EXIF.
#
# Expected: ExposureTime, whose type is RATIONAL in Exif, is written as that for (1, 500), for 0.002 and for IFDRational(1, 500).
# Seen with Pillow 13.0.0: the tuple is written as SHORT with two values, 1 and 500, which readers show as 1 second; the float as
# DOUBLE; IFDRational as RATIONAL.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct

import PIL
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

for given, expected in (((1, 500), (3, 2)), (0.002, (12, 1)), (IFDRational(1, 500), (5, 1))):
    exif = Image.Exif()
    exif[0x010F] = "Acme"
    exif.get_ifd(0x8769)[0x829A] = given
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    data = exif.tobytes()
    at = data.index(b"\x82\x9a" if data[6:8] == b"MM" else b"\x9a\x82")
    kind, count = struct.unpack((">" if data[6:8] == b"MM" else "<") + "HI", data[at + 2 : at + 8])
    read = Image.open(io.BytesIO(buffer.getvalue())).getexif().get_ifd(0x8769)[0x829A]
    print(f"Pillow {PIL.__version__}: {given} is written as type {kind}, {count} value(s), and read as {read}")
    assert (kind, count) == expected, "it is written in another way now"
PYTHON
