"""JPEG decoding by the cores alone and with a GPU beside them.

    python benchmarks/gpu_jpeg.py FOLDER [--device cuda] [--rounds 5] [--workers N]

From the file to upright pixels and a thumbnail, as in a run, without encoding. Both ways take the same pictures, one
after the other in every round. `--device cpu` only shows that the script runs: torchcodec then uses the same cores.
"""

from __future__ import annotations

import io
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from tables import table

from sightline.images.decode import decode
from sightline.images.gpu_jpeg import BATCH, GpuJpegDecoder
from store.errors import SightlineError

HEADERS = ("decoded by", "pictures/s", "ms of a core for each", "share decoded on the GPU")
NEED = 224  # of the model's input, px


def decode_all(files: list[bytes], threads: int, gpu: GpuJpegDecoder | None = None) -> tuple[float, float]:
    """Pictures a second, and milliseconds of a core for each."""

    def one(data: bytes) -> None:
        if gpu is None:
            decode(io.BytesIO(data), need=NEED)
        else:
            with gpu.cores:
                decode(io.BytesIO(data), need=NEED, gpu=gpu)

    begun, spent = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, files))
    return len(files) / (time.perf_counter() - begun), 1000 * (time.process_time() - spent) / len(files)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--device", default="cuda", show_default=True, help="cuda, or cuda:1 and so on.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--workers", default=os.cpu_count() or 1, show_default=True, type=click.IntRange(1))
def main(folder: Path, device: str, rounds: int, workers: int) -> None:
    """Measure decoding of the JPEGs in FOLDER."""
    files = [path.read_bytes() for path in sorted(folder.rglob("*.[jJ][pP]*[gG]"))]
    if not files:
        raise click.ClickException(f"There are no JPEGs in {folder}.")
    files *= -(-8 * BATCH // len(files))  # fewer would never fill a batch
    try:
        gpu = GpuJpegDecoder(device, workers)
    except SightlineError as error:
        raise click.ClickException(f"{error} --device cpu shows that the script runs.") from error
    measured = [(*decode_all(files, workers), *decode_all(files, gpu.threads, gpu)) for _ in range(rounds)]
    gpu.close()
    alone, spent, both, less = (statistics.median(column) for column in zip(*measured, strict=True))
    print(f"{workers} cores, {device}; {len(files)} pictures, medians of {rounds} rounds.\n")
    share = gpu.decoded / (rounds * len(files))
    cores, with_gpu = (f"{alone:.0f}", f"{spent:.1f}", "0%"), (f"{both:.0f}", f"{less:.1f}", f"{share:.0%}")
    print(table(HEADERS, [("cores", *cores), ("with the GPU", *with_gpu)]))


if __name__ == "__main__":
    main()
