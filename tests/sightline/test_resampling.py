"""A picture is resized alike by Pillow's kernels and by torch's, whichever a program has come to."""

from __future__ import annotations

import json
import subprocess
import sys

# Prepares the same pictures before torch is there and with it, in a process of its own: there is no way back.
SCRIPT = """
import json, sys
import numpy as np
from PIL import Image
from sightline import resampling
from sightline.images.finish import decoded, preview
from sightline.images.scaling import rounded_size
from sightline.metadata.facts import Facts
from sightline.models.preprocess import Preprocess

MEAN = (0.5, 0.5, 0.5)
random = np.random.default_rng(0)
cases = []
for turn in range(60):
    original = tuple(int(side) for side in random.integers(20, 1300, 2))
    small = Image.fromarray(random.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    scale = (1, 1, 2, 4)[turn % 4]
    width, height = rounded_size((original[1], original[0]), scale)
    pixels = np.asarray(small.resize((max(1, width), max(1, height)), Image.Resampling.BICUBIC))
    if turn % 5 == 0:  # as a picture is that was turned: of other strides
        pixels, original = pixels.transpose(1, 0, 2), original[::-1]
    ours = Preprocess(
        (48, (48, 96, 32)[turn % 3]), ("shortest", "longest", "squash")[turn // 2 % 3],
        ("bicubic", "bilinear")[turn % 2], MEAN, MEAN, (0, 128, (10, 20, 30))[turn // 3 % 3], (1.0, 0.875)[turn % 2],
    )
    cases.append((ours, pixels, original if scale > 1 else None))
large = np.ascontiguousarray(np.asarray(small.resize((2000, 900), Image.Resampling.BICUBIC)))

def every():
    return [ours.apply(pixels, original).astype(int) for ours, pixels, original in cases]

def screens():
    made = decoded(large, Facts(2000, 900, "PNG"), (900, 2000), None, thumbnail=True, to_srgb=None)
    return made.look.hash, made.colour, len(made.thumbnail), len(preview(large, None))

before, seen = every(), screens()
without = "torch" not in sys.modules
resampling.use_torch()
after, then = every(), screens()
print(json.dumps({
    "without": without,
    "shapes": all(
        one.shape == other.shape == (3, *ours.size) for one, other, (ours, _, _) in zip(before, after, cases)
    ),
    "most": [int(abs(one - other).max()) for one, other in zip(before, after)],
    "changed": sum(bool((one != other).any()) for one, other in zip(before, after)),
    "screens": [seen, then],
}))
"""


def test_pictures_look_the_same_to_a_model_before_and_after_torch_is_there() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["without"], "the first pictures wait for no import of torch"
    assert found["shapes"]
    assert max(found["most"]) <= 2
    assert found["changed"], "or torch's kernels were not used"
    (look, colour, *sizes), (other_look, other_colour, *other_sizes) = found["screens"]
    assert (look ^ other_look).bit_count() <= 1
    assert abs((colour >> 8 & 255) - (other_colour >> 8 & 255)) <= 2
    assert all(abs(one - other) <= 0.02 * one for one, other in zip(sizes, other_sizes, strict=True))
