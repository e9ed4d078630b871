"""Pictures per second of decoding, encoding and both end to end, and the ratio to the machine's limit.

    python benchmarks/index.py FOLDER [--space NAME] [--rounds 5] [--precision fp32 --precision auto]

Where decoding and encoding share the same cores, the upper bound is 1 / (1/decode + 1/encode), each measured alone on
all cores; with GPUs, all of which work as in a run, it is the slower of the two. End to end includes the walk, the
hash, the thumbnail and the commits; it does not include loading the weights, those that see pictures, which is printed
apart.
All three are measured in every round, one after another on the same pictures, and the ratio is the median of the
rounds' ratios: on a shared machine only those mean anything. The last ratio is of processor time, decoding's and
encoding's over that of end to end: other programs hardly move it, but it does not see a core that stands idle.

Before that it compares preparing a picture in one thread, from the file to the model's input, with open_clip's own
transform: processor time, turn about, and how close the pixels are (PSNR).

Prints Markdown tables. Without --space a ViT-B/32 with random weights is made: speed does not depend on what a model
has learnt.
"""

from __future__ import annotations

import math
import os
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import numpy as np

# As the command line sets it, and before torch starts its threads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from sightline.models.memory import keep_freed

keep_freed()

import torch
from numpy.typing import NDArray
from open_clip.transform import image_transform
from PIL import Image
from tables import table
from weights import random_model

from indexer.batcher import BATCH_CPU, BATCH_GPU
from indexer.chosen_spaces import Chosen
from indexer.options import Options
from indexer.pipeline import Pipeline
from indexer.walk import WalkCounts, WalkedFile, walk
from sightline import models, resampling
from sightline.images.decode import DecodeError, decode
from sightline.models.encoder import Encoder
from sightline.models.interface import PendingBatch
from sightline.models.multi_gpu import ImageEncoder
from sightline.models.resolve import Model, resolve
from store.library import Library
from store.lock import locked
from store.paths import to_path
from store.walk_options import WalkOptions

HEADERS = (
    "precision", "decode", "decode + thumbnail", "encode", "end to end", "upper bound", "ratio (wall clock)",
    "ratio (CPU time)", "load, s",
)  # fmt: skip


def rate(count: int, work: Callable[[], object]) -> tuple[float, float]:
    """`count` per second of doing `work` once, and per second of processor time, of all threads."""
    begun, spent = time.perf_counter(), time.process_time()
    work()
    return count / (time.perf_counter() - begun), count / (time.process_time() - spent)


class Bench:
    """The three measurements of one folder with one model."""

    def __init__(self, folder: Path, model: Model, workers: int) -> None:
        self.folder, self.model, self.workers = folder, model, workers
        found = walk(folder, WalkOptions(), WalkCounts())
        paths = [to_path(os.fsencode(folder), item.path) for item in found if isinstance(item, WalkedFile)]
        with ThreadPoolExecutor(workers) as pool:
            prepared = list(pool.map(self._prepare, paths))
        self.paths = [path for path, pixels in zip(paths, prepared, strict=True) if pixels is not None]
        if not self.paths:
            raise click.ClickException(f"None of the {len(paths)} files in {folder} is a picture that can be decoded.")
        self.batch = np.stack([pixels for pixels in prepared if pixels is not None])

    def _prepare(self, path: Path, *, thumbnail: bool = False) -> NDArray[np.uint8] | None:
        try:
            with path.open("rb") as file:
                decoded = decode(file, need=self.model.preprocess.need, thumbnail=thumbnail)
        except DecodeError:
            return None
        return self.model.preprocess.apply(decoded.pixels, decoded.original)

    def preprocess(self) -> tuple[float, float, float] | None:
        """Ours against open_clip's transform in one thread: median CPU time ratio, median and least PSNR, dB.

        Only upright RGB pictures: the transform does not turn others. None where there are no such.
        """
        preprocess = self.model.preprocess
        height, width = preprocess.size
        theirs = image_transform(
            (height, width) if height != width else height, is_train=False, mean=(0.0,) * 3, std=(1.0,) * 3,
            resize_mode=preprocess.resize, interpolation=preprocess.interpolation, fill_color=preprocess.fill,
        )  # fmt: skip
        ratios, noises = [], []
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the time of one thread is what is compared
        for path in self.paths:
            with Image.open(path) as image:
                if image.mode != "RGB" or image.getexif().get(274, 1) != 1:
                    continue
                best = [float("inf")] * 2
                for _ in range(3):
                    begun = time.thread_time()
                    with Image.open(path) as opened:
                        expected = theirs(opened)
                    between = time.thread_time()
                    made = self._prepare(path)
                    best = [min(best[0], between - begun), min(best[1], time.thread_time() - between)]
            assert made is not None
            error = float(((made / np.float32(255) - expected.numpy()) ** 2).mean())
            ratios.append(best[0] / best[1])
            noises.append(-10 * math.log10(max(error, 1e-10)))
        torch.set_num_threads(threads)
        if not ratios:
            return None
        return statistics.median(ratios), statistics.median(noises), min(noises)

    def decode_all(self, *, thumbnail: bool = False) -> None:
        """Every picture to prepared pixels, on all cores."""
        with ThreadPoolExecutor(self.workers) as pool:
            for _ in pool.map(lambda path: self._prepare(path, thumbnail=thumbnail), self.paths):
                pass

    def encode_all(self, encoder: ImageEncoder) -> None:
        """Every prepared picture to a vector, in full batches, as many of them in flight as in a run."""
        size = BATCH_CPU if encoder.device.type == "cpu" else BATCH_GPU
        in_flight: deque[PendingBatch] = deque()
        for batch in np.split(self.batch, range(size, len(self.batch), size)):
            in_flight.append(encoder.submit(batch))
            while len(in_flight) > encoder.ahead:
                in_flight.popleft().vectors()
        for pending in in_flight:
            pending.vectors()

    def end_to_end(self, encoder: ImageEncoder, path: Path) -> None:
        """A first run into a new library at `path`."""
        with locked(path), Library.create(path) as library:
            Pipeline(library, Chosen([self.model]), Options(workers=self.workers), encoders=[encoder]).run(
                [self.folder]
            )


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--space", default=None, help="The space to encode into. Default: a random ViT-B/32.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--precision", "precisions", multiple=True, default=("fp32", "auto"), show_default=True)
@click.option("--workers", default=os.cpu_count() or 1, show_default=True, type=click.IntRange(1))
def main(folder: Path, space: str | None, rounds: int, precisions: Sequence[str], workers: int) -> None:
    """Measure indexing of FOLDER."""
    resampling.use_torch()  # as in a long run
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(folder.resolve(), resolve(space or random_model(Path(scratch), "ViT-B-32")), workers)
        print(f"{len(bench.paths)} pictures of {folder}, {workers} threads; medians of {rounds} rounds.\n")
        prepared = bench.preprocess()
        print("One picture, one thread, from the file to the model's input, beside open_clip's transform:\n")
        if prepared is None:
            print("No picture is upright and RGB, as that transform needs them.")
        else:
            ratio, noise, worst = prepared
            row = f"{ratio:.2f}", f"{noise:.1f} dB", f"{worst:.1f} dB"
            print(table(("times as fast", "PSNR, median", "least"), [row]))
        print("\nPictures per second:\n")
        print(table(HEADERS, (report(bench, precision, rounds) for precision in precisions)))


def report(bench: Bench, precision: str, rounds: int) -> tuple[str, ...]:
    """Measure one precision; returns its row of the table."""
    begun = time.perf_counter()
    encoder = models.load(bench.model, precision=precision, texts=False)
    load = time.perf_counter() - begun
    # The first batch also compiles kernels, on every GPU.
    for pending in [encoder.submit(bench.batch[:BATCH_CPU]) for _ in range(1 + encoder.ahead)]:
        pending.vectors()
    shared = encoder.device.type == "cpu"
    count = len(bench.paths)
    rows = []
    for _ in range(rounds):
        decoding, decoding_cpu = rate(count, bench.decode_all)
        thumbnails, _ = rate(count, lambda: bench.decode_all(thumbnail=True))
        encoding, encoding_cpu = rate(count, lambda: bench.encode_all(encoder))
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "library"
            whole, whole_cpu = rate(count, lambda: bench.end_to_end(encoder, path))  # noqa: B023 - called at once
        bound = 1 / (1 / decoding + 1 / encoding) if shared else min(decoding, encoding)
        work = whole_cpu * (1 / decoding_cpu + 1 / encoding_cpu)
        rows.append((decoding, thumbnails, encoding, whole, bound, whole / bound, work))
    median = [statistics.median(column) for column in zip(*rows, strict=True)]
    # Only a CPU has a choice of back ends.
    measured = precision == "auto" and shared
    name = f"auto: {encoder.backend.name}" if measured and isinstance(encoder, Encoder) else precision
    encoder.close()
    rates = [f"{value:.1f}" for value in median[:5]]
    return name, *rates, f"**{median[5]:.2f}**", f"**{median[6]:.2f}**", f"{load:.1f}"


if __name__ == "__main__":
    main()
