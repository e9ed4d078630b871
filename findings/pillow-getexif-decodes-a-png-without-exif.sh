#!/usr/bin/env bash
# Pillow: PngImageFile.getexif() decodes all pixels of a PNG that has no EXIF.
#
# Expected: a look at the header of the file.
# Seen with Pillow 13.0.0: all pixels are decoded, since EXIF may stand behind them; Image.Image.getexif(image) does not.
# One reason why sightline/metadata/png.py reads the chunks of a PNG itself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'pillow==13.0.0'
"$work/env/bin/python" - <<'PYTHON'
import io
import time

import PIL
from PIL import Image

made = Image.effect_noise((4000, 3000), 50)
plain, with_exif = io.BytesIO(), io.BytesIO()
exif = Image.Exif()
exif[0x010F] = "A maker"
made.save(plain, "PNG", compress_level=1)
made.save(with_exif, "PNG", compress_level=1, exif=exif.tobytes())


def seconds(data: bytes, read) -> tuple[float, bool]:
    image = Image.open(io.BytesIO(data))
    began = time.process_time()
    read(image)
    took = time.process_time() - began
    return took, image.fp is None  # the file is let go of once the pixels are there


print("pillow", PIL.__version__)
print("expected: getexif() reads no pixels")
own = seconds(plain.getvalue(), lambda image: image.getexif())
base = seconds(plain.getvalue(), lambda image: Image.Image.getexif(image))
there = seconds(with_exif.getvalue(), lambda image: image.getexif())
print(f"seen:     PNG without EXIF, image.getexif(): {own[0] * 1000:.1f} ms, pixels decoded: {own[1]}")
print(f"          PNG without EXIF, Image.Image.getexif(image): {base[0] * 1000:.1f} ms, pixels decoded: {base[1]}")
print(f"          PNG with EXIF in front, image.getexif(): {there[0] * 1000:.1f} ms, pixels decoded: {there[1]}")
raise SystemExit(not (own[1] and not base[1] and not there[1]))
PYTHON
