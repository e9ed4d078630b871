"""From a text to ids in a cold process: a model's own tokenizer beside the prepared one.

    python benchmarks/tokens.py [--tokenizer FOLDER ...] [--rounds 3]

Prints a Markdown table: processor time and peak memory of a process that reads one text, Python and numpy included;
what preparing takes; and on how many of 2,000 texts of many scripts both give the same ids and counts. Tokenizers are
CLIP's, a made-up one of SigLIP 2's size, and those in folders (a tokenizer.json and a tokenizer_config.json).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import click
from tables import table
from weights import write_vocabulary

from sightline.models.presets import DEMO
from sightline.models.resolve import resolve
from sightline.models.text_tower import count_tokens
from sightline.models.tokenizers import FILE, make_tokenizer, open_tokenizer
from sightline.models.tokenizers.trial_texts import trial_texts

TEXTS: Final = 2000
PIECES: Final = 256_000
PLAIN: Final = "two red boats at sunset"
OTHER: Final = "zwei rote Boote, für ein Foto"
# Of its own memory: what a process held before it became another program counts to its `ru_maxrss`, too.
_END: Final = """
import time
(memory,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(time.process_time(), int(memory) / 1024)
"""
_CLIP: Final = "from open_clip.tokenizer import SimpleTokenizer\nSimpleTokenizer()([{text!r}])" + _END
_FACE: Final = (
    "from open_clip.tokenizer import HFTokenizer\nHFTokenizer({folder!r}, context_length=64)([{text!r}])" + _END
)
_ALONE: Final = "import numpy\nfrom tokenizers import Tokenizer\nTokenizer.from_file({file!r}).encode({text!r})" + _END
_PREPARED: Final = (
    """
from pathlib import Path
from sightline.models.resolve import resolve
from sightline.models.tokenizers import open_tokenizer
open_tokenizer(resolve({model!r}, offline=True), Path({folder!r})).ids([{text!r}])
"""
    + _END
)


def cold(code: str, rounds: int) -> str:
    """Processor time, s, and peak memory, MB, of a process that runs this; medians."""
    found = []
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        found.append([float(word) for word in done.stdout.splitlines()[-1].split()])
    seconds, memory = (statistics.median(column) for column in zip(*found, strict=True))
    return f"{seconds:.2f} s, {memory:.0f} MB"


def same(tokenizer: Any, folder: Path) -> int:
    """On how many texts a tokenizer and the one that was prepared of it agree."""
    prepared = open_tokenizer(resolve(DEMO, offline=True), folder)
    if prepared is None:
        return 0
    found = 0
    for text in trial_texts(TEXTS):
        ids = (tokenizer([text]).numpy() == prepared.ids([text])).all()
        found += bool(ids and prepared.count(text) == count_tokens(tokenizer, text))
    prepared.close()
    return found


def measured(name: str, own: Path | None, folder: Path, rounds: int) -> list[str]:
    """A row of the table; `own` holds a Hugging Face tokenizer, and None is CLIP's."""
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

    folder.mkdir()
    tokenizer: Any = SimpleTokenizer() if own is None else HFTokenizer(str(own), context_length=64)
    begun = time.process_time()
    if not make_tokenizer(resolve(DEMO, offline=True), tokenizer, folder):
        return [name, *["not prepared"] * 6]
    seconds = time.process_time() - begun
    size = (folder / FILE).stat().st_size / 1e6
    code = _CLIP.format(text=PLAIN) if own is None else _FACE.format(folder=str(own), text=PLAIN)
    alone = "" if own is None else cold(_ALONE.format(file=str(own / "tokenizer.json"), text=PLAIN), rounds)
    told = {"model": DEMO, "folder": str(folder)}
    return [
        name,
        cold(code, rounds),
        alone,
        cold(_PREPARED.format(text=PLAIN, **told), rounds),
        cold(_PREPARED.format(text=OTHER, **told), rounds),
        f"{seconds:.1f} s, {size:.1f} MB",
        f"{same(tokenizer, folder):,} of {TEXTS:,}",
    ]


@click.command()
@click.option("--tokenizer", "folders", multiple=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--rounds", default=3)
def main(folders: tuple[Path, ...], rounds: int) -> None:
    """Measure CLIP's tokenizer, a made-up one, and those in FOLDERs."""
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch, "made")
        made.mkdir()
        write_vocabulary(made, PIECES)
        kinds: list[tuple[str, Path | None]] = [("CLIP", None), (f"{PIECES:,} pieces", made)]
        kinds += [(folder.name, folder) for folder in folders]
        rows = [measured(name, own, Path(scratch, str(row)), rounds) for row, (name, own) in enumerate(kinds)]
    headers = ("", "open_clip", "`tokenizers` alone", "prepared", "not ASCII", "preparing", "the same")
    print(table(headers, rows))


if __name__ == "__main__":
    main()
