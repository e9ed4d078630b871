#!/usr/bin/env bash
# Pillow: white in a colour JPEG 2000 of 10, 12 or 16 bits opens as black.
#
# Expected: (255, 255, 255) for the greatest number of every depth. 8 bits are the control; imagecodecs reads all of them back.
# Seen with Pillow 13.0.0: (0, 0, 0) for 10, 12 and 16 bits: the samples are rounded up to one more level than there is, which wraps.
# Anything brighter than 255.5 of 256 does so: blown skies get black holes. sightline/images/jp2.py decodes these another way.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'pillow==13.0.0' 'imagecodecs==2026.3.6' 'numpy==2.4.6'
"$work/env/bin/python" - <<'PYTHON'
import io

import imagecodecs
import numpy as np
import PIL
from PIL import Image

print("pillow", PIL.__version__, "imagecodecs", imagecodecs.__version__)
seen = []
for bits in (8, 10, 12, 16):
    most = 2**bits - 1
    white = np.full((16, 16, 3), most, np.uint8 if bits == 8 else np.uint16)
    data = imagecodecs.jpeg2k_encode(white, level=0, reversible=True, bitspersample=bits)
    assert (imagecodecs.jpeg2k_decode(data) == most).all()
    with Image.open(io.BytesIO(data)) as image:
        seen.append(image.getpixel((8, 8)))
    print(f"{bits} bits, expected (255, 255, 255), seen", seen[-1])
raise SystemExit(seen != [(255, 255, 255)] + [(0, 0, 0)] * 3)
PYTHON
