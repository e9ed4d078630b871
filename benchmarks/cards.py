"""JPEGs decoded by the cores alone, and by cards beside them, by the size of the pictures.

    python benchmarks/cards.py FOLDER [--device cuda] [--rounds 5] [--workers N]

From the file to upright pixels and a thumbnail, as a run does it, without encoding. Both ways take the same pictures,
one after the other in every round; the ratio is the median of the rounds' ratios. Sizes are those that a run tells
apart: between one power of two of pixels and the next. Small folders are gone through several times.

`--device cpu` shows that the script runs, and nothing else: torchcodec decodes on the same cores then.
"""

from __future__ import annotations

import io
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from PIL import Image
from tables import table

from sightline.images.decode import decode
from sightline.images.decode_scheduler import Routes
from sightline.images.gpu_jpeg import Cards
from sightline.models.devices import choose_devices
from store.errors import SightlineError

HEADERS = (
    "megapixels", "pictures", "cores: pictures/s", "with cards", "ratio", "on cards", "core s/picture", "with cards",
)  # fmt: skip
NEED = 224  # of the model's input, px
LEAST = 256  # pictures of a size that are decoded in a round: less than that, and a card's batches are never full


def read(folder: Path) -> dict[int, list[bytes]]:
    """The JPEGs of a folder, by the bits of their count of pixels."""
    sizes: dict[int, list[bytes]] = defaultdict(list)
    for path in sorted(folder.rglob("*.[jJ][pP]*[gG]")):
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            sizes[(image.width * image.height).bit_length()].append(data)
    return sizes


def rate(files: Sequence[bytes], threads: int, one: Callable[[bytes], object]) -> tuple[float, float]:
    """Pictures a second, and seconds of a core for each."""
    begun, spent = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(one, files):
            pass
    return len(files) / (time.perf_counter() - begun), (time.process_time() - spent) / len(files)


def measure(bits: int, files: Sequence[bytes], devices: Sequence[str], rounds: int, workers: int) -> Sequence[str]:
    """The row of one size."""
    many = [*files] * -(-LEAST // len(files))
    rows, taken = [], 0
    for _ in range(rounds):
        cards = Cards(devices)
        routes = Routes(workers, cards)

        def beside(data: bytes, routes: Routes = routes) -> None:
            with routes.core():
                decode(io.BytesIO(data), need=NEED, routes=routes)

        alone = rate(many, workers, lambda data: decode(io.BytesIO(data), need=NEED))
        both = rate(many, routes.threads, beside)
        taken += cards.decoded
        routes.close()
        rows.append((alone[0], both[0], both[0] / alone[0], 1000 * alone[1], 1000 * both[1]))
    here, there, ratio, spent, less = (statistics.median(column) for column in zip(*rows, strict=True))
    return (
        f"{2 ** (bits - 1) / 1e6:.2g} to {2**bits / 1e6:.2g}", str(len(files)), f"{here:.0f}", f"{there:.0f}",
        f"**{ratio:.2f}**", f"{taken / (rounds * len(many)):.0%}", f"{spent:.1f} ms", f"{less:.1f} ms",
    )  # fmt: skip


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--device", default="cuda", show_default=True, help="cuda is every card, cuda:1 one.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--workers", default=os.cpu_count() or 1, show_default=True, type=click.IntRange(1))
def main(folder: Path, device: str, rounds: int, workers: int) -> None:
    """Measure decoding of the JPEGs in FOLDER."""
    sizes = read(folder)
    if not sizes:
        raise click.ClickException(f"There are no JPEGs in {folder}.")
    try:
        devices = choose_devices(device)
        Cards(devices).close()
    except SightlineError as error:
        raise click.ClickException(f"{error} --device cpu shows that the script runs.") from error
    print(f"{workers} cores, {len(devices)} of {device}; medians of {rounds} rounds.\n")
    print(table(HEADERS, (measure(bits, sizes[bits], devices, rounds, workers) for bits in sorted(sizes))))


if __name__ == "__main__":
    main()
