#!/usr/bin/env bash
# Pillow: a PSD of RGB with a saved selection (a fourth channel) opens as RGBA, the selection as its transparency.
#
# Expected: the fourth channel is transparency only where the document says so: a negative number of layers, or a channel of the
# identifier 0 (Adobe Photoshop File Formats Specification, "Layer info", resource 1053).
# Seen with Pillow 13.0.0: RGBA for any document of RGB with four channels. What lies outside of the selection is gone.
# This is one reason why sightline/images/psd.py reads flattened pictures itself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'pillow==13.0.0'
"$work/env/bin/python" - <<'PYTHON'
import io
import struct

import PIL
from PIL import Image

name = b"\x07Alpha 1"
resources = struct.pack(">4sHHI", b"8BIM", 1006, 0, len(name)) + name
resources += struct.pack(">4sHHII", b"8BIM", 1053, 0, 4, 7)
data = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 4, 2, 2, 8, 3) + struct.pack(">II", 0, len(resources)) + resources
data += struct.pack(">IH", 0, 0) + bytes([200] * 4 + [100] * 4 + [50] * 4 + [0] * 4)
image = Image.open(io.BytesIO(data))
print("pillow", PIL.__version__)
print("expected: RGB (200, 100, 50)")
print("seen:    ", image.mode, image.getpixel((0, 0)))
raise SystemExit(not (image.mode == "RGBA" and image.getpixel((0, 0))[3] == 0))
PYTHON
