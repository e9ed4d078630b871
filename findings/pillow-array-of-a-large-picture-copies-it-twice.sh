#!/usr/bin/env bash
# Pillow and numpy: numpy.array(image) of a large picture takes more than twice as long as the same by strips.
#
# Expected: one copy of the pixels, as fast as memory is.
# Seen with Pillow 13.0.0, numpy 2.4.6: Pillow packs all pixels into a bytes object, numpy copies that. Both are new
# memory, cleared page by page. Strips of 120,000 px go through memory that is used again. It also needs one picture less.
# Reason for sightline/images/arrays.py.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'pillow==13.0.0' 'numpy==2.4.6'
"$work/env/bin/python" - <<'PYTHON'
import time

import numpy as np
import PIL
from PIL import Image


def by_strips(image):
    made = np.empty((image.height, image.width, 3), np.uint8)
    rows = 120_000 // image.width
    for top in range(0, image.height, rows):
        below = min(top + rows, image.height)
        made[top:below] = np.asarray(image.crop((0, top, image.width, below)))
    return made


def milliseconds(read, image):
    best = float("inf")
    for _ in range(7):
        began = time.process_time()
        read(image)
        best = min(best, time.process_time() - began)
    return best * 1000


image = Image.effect_noise((4000, 3000), 50).convert("RGB")
same = bool((np.array(image) == by_strips(image)).all())
at_once, strips = milliseconds(np.array, image), milliseconds(by_strips, image)
print("pillow", PIL.__version__, "numpy", np.__version__)
print("expected: numpy.array(image) is as fast as can be")
print(f"seen:     12 megapixels at once {at_once:.1f} ms, by strips {strips:.1f} ms, equal: {same}")
raise SystemExit(not (same and at_once > 2 * strips))
PYTHON
