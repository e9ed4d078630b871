"""Pictures per second beside rclip and a DataLoader loop, on the same pictures and weights.

    python benchmarks/peers.py FOLDER [--rounds 3] [--times 1] [--install FOLDER | --rclip-python PATH]

All run a ViT-B-32-256 with the same random weights, each as the process a user would start, with its own defaults:

- Sightline: `python -m indexer FOLDER` into a new library: hashes, facts, thumbnails and durable commits included.
- rclip 3.3, from PyPI, in an environment of its own: --install FOLDER makes one there (`pip install rclip==3.3.0 onnx`,
  0.5 GB; the second time it is found), --rclip-python names the Python of one that is there. The weights are written as
  rclip's own scripts/convert_model.py writes them (float32, opset 18) to where rclip looks for its download, and it
  never asks a network. One query is part of its process: it indexes on no other occasion.
- the loop of clip-retrieval (loop.py): a DataLoader with two workers, open_clip's PIL transform, float32.

After a run of each that does not count, every round runs each over all pictures and over one of them, in turns. What
the one takes is start-up: Python, imports, loading the weights, the first batch. Pictures per second are those beyond
the first over the time beyond start-up, both medians of the rounds; the whole process is given apart, with the median
of the rounds' ratios. Processor time counts all threads and worker processes: other work on the machine moves it less.
--times copies every picture so often, each with some bytes after its end that no decoder reads, so that no program
takes them for copies, and start-up's noise weighs less.

The vectors of all are compared: a program that did other work would show there. The least cosine is low where a picture
has to be turned by its EXIF: rclip 3.3 and open_clip's transform don't.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray
from tables import table
from weights import random_model

from store.remote import DATABASE

HERE = Path(__file__).parent
MODEL = "ViT-B-32-256"
RCLIP, NEEDS = "rclip==3.3.0", ("rclip==3.3.0", "onnx>=1.19")
RCLIP_MODEL = "ViT-B-32-256-datacomp_s34b_b86k"  # rclip 3.3, model_download.py, MODEL_SUBDIR
KINDS = (".jpg", ".jpeg", ".png", ".webp")
QUIET = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


class PeerError(Exception):
    """A program that is to be measured did not do its work."""


def export_for_rclip(model_folder: Path, data: Path, python: Path) -> None:
    """Write the model of `model_folder` to rclip's data folder `data`, as rclip 3.3's three files.

    Raises:
        PeerError: `python`, rclip's own, has no onnx that this Python can use: torch's exporter needs it.
    """
    import warnings

    import open_clip
    import torch

    # At the end: only what this environment lacks may come from rclip's.
    sys.path.append(_said(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise PeerError(
            f"the environment of {python} has no onnx for this Python ({error}), and torch can't export the weights "
            f"without it; install it there: {python} -m pip install onnx"
        ) from error

    class Text(torch.nn.Module):
        def __init__(self, model: torch.nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.model.encode_text(tokens)  # type: ignore[no-any-return, operator]

    model = open_clip.create_model(f"local-dir:{model_folder}").eval()
    size, length = model.visual.image_size[0], model.context_length
    towers = {
        "visual": (model.visual, torch.zeros(1, 3, size, size)),
        "textual": (Text(model), torch.zeros(1, length, dtype=torch.long)),
    }
    (data / RCLIP_MODEL).mkdir(parents=True)
    for name, (tower, example) in towers.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                tower, (example,), data / RCLIP_MODEL / f"{name}.onnx", input_names=["input"], output_names=["output"],
                dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}}, opset_version=18, dynamo=False,
            )  # fmt: skip
    (data / "tokenizer").mkdir()
    shutil.copy(Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz", data / "tokenizer")


def apart(work: Callable[..., object], *arguments: object) -> None:
    """Do `work` in its own process: torch and a model here would take memory from what is measured."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(work, *arguments).result()


def _said(python: Path, code: str) -> str:
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def install(folder: Path) -> Path:
    """The Python of an environment with rclip in `folder`, made if it is not there."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"Installing {', '.join(NEEDS)} in {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *NEEDS], check=True)
    return python


def gather(folder: Path, times: int, target: Path) -> list[str]:
    """Copy the pictures of `folder` to `target`, each `times` times; returns their names there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in KINDS)
    if not files:
        raise PeerError(f"{folder} has no pictures; wanted at least two of {', '.join(KINDS)}")
    target.mkdir()
    names = []
    for number, file in enumerate(files):
        content = file.read_bytes()
        for copy in range(times):
            names.append(f"{number:06}-{copy:03}{file.suffix.lower()}")
            (target / names[-1]).write_bytes(content + (f"#{copy}".encode() if copy else b""))
    return names


class Cost(NamedTuple):
    """What a process took, in seconds."""

    wall: float
    processor: float  # of all its threads, and of the processes it waited for


@dataclass
class Program(ABC):
    """One way to encode a folder. Subclasses say how it is started and where its vectors are."""

    name: str
    scratch: Path
    model: Path
    took: list[tuple[Cost, Cost]] = field(default_factory=list)  # by round: for all pictures, and for one

    @abstractmethod
    def command(self, folder: Path) -> list[str | Path]:
        """What to run."""

    @abstractmethod
    def clean(self) -> None:
        """Forget every vector."""

    @abstractmethod
    def vectors(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        """Unit vectors float32 (dim,) by file name."""

    def environment(self) -> Mapping[str, str]:
        """What is set for its process."""
        return {}

    def run(self, folder: Path) -> Cost:
        """What the whole process over `folder` takes, from nothing.

        Raises:
            PeerError: it failed.
        """
        self.clean()
        environment = {**os.environ, **QUIET, **self.environment()}
        before, begun = os.times(), time.perf_counter()
        done = subprocess.run(
            self.command(folder), cwd=folder, env=environment, capture_output=True, text=True, errors="replace"
        )
        wall, after = time.perf_counter() - begun, os.times()
        if done.returncode:
            raise PeerError(f"{self.name} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return Cost(wall, sum(after[2:4]) - sum(before[2:4]))  # those of child processes


class Sightline(Program):
    """The indexer's command line."""

    def command(self, folder: Path) -> list[str | Path]:
        library = self.scratch / "library"
        space = f"local-dir:{self.model}"
        return [sys.executable, "-m", "indexer", folder, "--library", library, "--space", space, "--offline"]

    def environment(self) -> Mapping[str, str]:
        paths = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        # How it runs a model fastest is measured once and remembered: here, and not by an earlier run.
        return {"PYTHONPATH": os.pathsep.join(paths), "SIGHTLINE_CACHE": str(self.scratch / "cache")}

    def clean(self) -> None:
        shutil.rmtree(self.scratch / "library", ignore_errors=True)

    def vectors(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        with closing(sqlite3.connect(self.scratch / "library" / DATABASE)) as database:
            rows = database.execute("SELECT display, vector FROM photos JOIN vectors USING (content_id)").fetchall()
        return {name: np.frombuffer(vector, "<f2").astype(np.float32) for name, vector in rows}


@dataclass
class Rclip(Program):
    """rclip's command line, with its data folder in scratch."""

    python: Path = Path()

    def __post_init__(self) -> None:
        self.data = self.scratch / "rclip"
        apart(export_for_rclip, self.model, self.data, self.python)

    def command(self, folder: Path) -> list[str | Path]:
        return [self.python, "-m", "rclip", "--top", "1", "--filepath-only", "a boat"]

    def environment(self) -> Mapping[str, str]:
        return {"RCLIP_DATADIR": str(self.data), "PYTHONPATH": ""}

    def clean(self) -> None:
        for file in self.data.glob("db.sqlite3*"):
            file.unlink()

    def vectors(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        with closing(sqlite3.connect(self.data / "db.sqlite3")) as database:
            rows = database.execute("SELECT filepath, vector FROM images").fetchall()
        return {Path(path).name: np.frombuffer(vector, np.float32) for path, vector in rows}


class Loop(Program):
    """The DataLoader's loop."""

    def command(self, folder: Path) -> list[str | Path]:
        return [sys.executable, HERE / "loop.py", folder, self.model, self.scratch / "loop.npy"]

    def clean(self) -> None:
        (self.scratch / "loop.npy").unlink(missing_ok=True)

    def vectors(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        found = np.load(self.scratch / "loop.npy").astype(np.float32)
        return dict(zip(sorted(path.name for path in folder.iterdir()), found, strict=True))


def likeness(vectors: Mapping[str, NDArray[np.float32]], ours: Mapping[str, NDArray[np.float32]]) -> list[float]:
    """Cosines between two programs' vectors of the same pictures, the least first."""
    pairs = [(vectors[name], ours[name]) for name in ours]
    return sorted(float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) for a, b in pairs)


def measure(programs: Sequence[Program], every: Path, one: Path, rounds: int) -> dict[str, list[float]]:
    """Run all programs in each round; returns by name the cosines to the first program's vectors, sorted.

    Raises:
        PeerError: a program failed, or left pictures out.
    """
    names = {path.name for path in every.iterdir()}
    for program in programs:  # what is found out once and remembered is no start-up, and files are in the cache
        program.run(one)
    cosines: dict[str, list[float]] = {}
    for number in range(rounds):
        ours: dict[str, NDArray[np.float32]] = {}
        for program in programs:
            least = program.run(one)
            program.took.append((program.run(every), least))
            if number == 0:
                found = program.vectors(every)
                if set(found) != names:
                    raise PeerError(f"{program.name} has vectors of {len(found)} pictures; there are {len(names)}")
                ours = ours or found
                cosines[program.name] = likeness(found, ours)
            print(f"round {number + 1}: {program.name} {program.took[-1]}", file=sys.stderr)
    return cosines


def beyond(program: Program, count: int) -> Cost | None:
    """Seconds a picture beyond start-up; None where one took as long as all: too few to measure."""
    whole, least = (Cost(*map(statistics.median, zip(*side, strict=True))) for side in zip(*program.took, strict=True))
    found = Cost(*((a - b) / (count - 1) for a, b in zip(whole, least, strict=True)))
    return found if min(found) > 0 else None


def report(programs: Sequence[Program], count: int, cosines: Mapping[str, list[float]]) -> str:
    """A Markdown table, the first program's numbers against each other's."""
    ours = programs[0]
    best = beyond(ours, count)
    rows: list[list[str]] = []
    for program in programs:
        each = beyond(program, count)
        speed = ["lost in noise"] * 4
        if each and best:
            speed = [
                f"{1 / each.wall:.1f}", f"**{each.wall / best.wall:.2f}**",
                f"{1e3 * each.processor:.0f}", f"{each.processor / best.processor:.2f}",
            ]  # fmt: skip
        wholes = [theirs.wall / own.wall for (own, _), (theirs, _) in zip(ours.took, program.took, strict=True)]
        start = statistics.median(least.wall for _, least in program.took)
        whole = statistics.median(count / took.wall for took, _ in program.took)
        rows.append([
            program.name, *speed, f"{start:.1f}", f"{whole:.1f}", f"{statistics.median(wholes):.2f}",
            f"{statistics.median(cosines[program.name]):.5f}", f"{cosines[program.name][0]:.5f}",
        ])  # fmt: skip
    headers = [
        "program", "pictures/s", "Sightline is faster by", "processor, ms a picture", "Sightline needs less by",
        "start-up, s", "whole process, pictures/s", "Sightline is faster by",
        "cosine to Sightline's, median", "least",
    ]  # fmt: skip
    return table(headers, rows)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--times", default=1, show_default=True, type=click.IntRange(1), help="Copies of each picture.")
@click.option("--install", "make", type=click.Path(file_okay=False, path_type=Path), help="Put rclip in this folder.")
@click.option("--rclip-python", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A Python with it.")
@click.option(
    "--model", "architecture", default=MODEL, show_default=True, help="Of open_clip; rclip has this one only."
)
def main(
    folder: Path, rounds: int, times: int, make: Path | None, rclip_python: Path | None, architecture: str
) -> None:
    """Measure encoding FOLDER beside others and print a Markdown table."""
    if make and rclip_python:
        raise click.UsageError("--install and --rclip-python both say where rclip is; give one")
    if (make or rclip_python) and architecture != MODEL:
        raise click.UsageError(f"rclip runs {MODEL} only, not {architecture}; leave --model out, or rclip")
    try:
        with tempfile.TemporaryDirectory() as name:
            scratch = Path(name).resolve()
            every, one, model = scratch / "all", scratch / "one", scratch / "model"
            names = gather(folder, times, every)
            if len(names) < 2:
                raise PeerError(f"{folder} has one picture; wanted two or more, or --times 2")
            one.mkdir()
            shutil.copy(every / names[0], one)
            apart(random_model, model, architecture)
            programs: list[Program] = [Sightline("Sightline", scratch, model)]
            python = install(make.absolute()) if make else rclip_python and rclip_python.absolute()
            if python:
                programs.append(Rclip("rclip", scratch, model, python=python))
                programs[-1].name = _said(python, "from importlib.metadata import version as v\n"
                    "print(f'rclip {v(\"rclip\")} (ONNX Runtime {v(\"onnxruntime\")})')")  # fmt: skip
            else:
                print(f"rclip is left out; --install FOLDER puts {RCLIP} there, and measures it", file=sys.stderr)
            programs.append(Loop("DataLoader, two workers, PIL, float32", scratch, model))
            cosines = measure(programs, every, one, rounds)
    except PeerError as error:
        raise click.ClickException(str(error)) from error
    except subprocess.CalledProcessError as error:
        raise click.ClickException(f"{error.cmd[0]} ended with {error.returncode}: {error.stderr or ''}") from error
    print(f"{len(names)} pictures of {folder.name}, {architecture} with random weights; medians of {rounds} rounds.\n")
    print(report(programs, len(names), cosines))


if __name__ == "__main__":
    main()
