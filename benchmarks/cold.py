"""What a person waits for: starts, single queries and pictures, the page; against others.

    python benchmarks/cold.py FOLDER --base TREE [--rclip ENVIRONMENT] [--rounds 5] [--only PART ...] [--leave PART ...]

TREE is a checkout of another commit, run by the same Python; ENVIRONMENT one with rclip 3.3 and onnx, made there if it
is not (`pip install rclip==3.3.0 onnx`, 0.5 GB). All run the same random weights of a ViT-B-32-256, as the processes a
user would start. Each tree has a library over the pictures of FOLDER and a cache folder of its own, made by itself.
Commands run in turns, after one run of each that does not count. Values are medians, ratios medians of the rounds'
ratios.

Processor time is user and system, of all processes of a command. Memory is the greater of two: the largest process's
own peak, and the sum over the tree, with what several share counted once, looked at every tenth of a second. Of the
page it is that sum after ten searches. Linux only: it reads /proc.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
from cold_page import PAGE
from cold_parts import PARTS, Goal, Part, Rclip, Scene, Tree
from cold_process import ColdError
from peers import MODEL, PeerError, apart, export_for_rclip, gather, install
from tables import table
from weights import random_model

ROOT: Final = Path(__file__).parent.parent
UNITS: Final = {"clock": "clock, s", "processor": "processor, s", "memory": "memory, MB"}
EVERY: Final = {part.name: part for part in (*PARTS, PAGE)}


def measure(part: Part, scene: Scene, rounds: int) -> list[Mapping[str, Any]]:
    """What each side took, by its name, in each round."""
    sides = part.prepare(scene)
    took: list[Mapping[str, Any]] = []
    for number in range(-1, rounds):
        costs = {name: side(number) for name, side in sides.items()}
        if number >= 0:
            took.append(costs)
            print(f"{part.name}, round {number + 1}: {costs}", file=sys.stderr)
    return took


def rows(part: Part, took: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The table's rows of a part."""
    return [_row(part.title, goal, took) for goal in part.goals]


def _row(title: str, goal: Goal, took: Sequence[Mapping[str, Any]]) -> list[str]:
    unit = goal.unit or UNITS[goal.of]
    cells = [f"{title}: {unit}"]
    ours = [getattr(costs["ours"], goal.of) for costs in took]
    cells.append(_value(ours))
    for name, bound in (("base", goal.base), ("rclip", goal.rclip)):
        if name not in took[0]:
            cells += ["", "", ""]
            continue
        theirs = [getattr(costs[name], goal.of) for costs in took]
        pairs = list(zip(ours, theirs, strict=True))
        ratio = statistics.median(b / a if goal.at_least else a / b for a, b in pairs)
        sign = "≥" if goal.at_least else "≤"
        cells += [_value(theirs), f"**{ratio:.2f}**", "" if bound is None else f"{sign} {bound:.2f}"]
    return cells


def _value(values: Sequence[float]) -> str:
    middle = statistics.median(values)
    return f"{middle:,.0f}" if middle >= 50 else f"{middle:.2f}"


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--base", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--rclip", type=click.Path(file_okay=False, path_type=Path), help="An environment, made if need be.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--only", multiple=True, type=click.Choice([*EVERY]), help="Measure this part; may be given again.")
@click.option("--leave", multiple=True, type=click.Choice([*EVERY]), help="Leave this part out.")
@click.option("--model", default=MODEL, show_default=True, help="Of open_clip; rclip has this one only.")
def main(
    folder: Path, base: Path, rclip: Path | None, rounds: int, only: tuple[str, ...], leave: tuple[str, ...], model: str
) -> None:
    """Measure with the pictures of FOLDER and print a Markdown table."""
    if rclip and model != MODEL:
        raise click.UsageError(f"rclip runs {MODEL} only, not {model}; leave --model out, or rclip")
    wanted = [part for part in EVERY.values() if part.name in (only or EVERY) and part.name not in leave]
    made: list[list[str]] = []
    try:
        with tempfile.TemporaryDirectory(prefix="sightline-cold-") as name:
            scene = _scene(Path(name).resolve(), folder, base, rclip, model)
            for part in wanted:
                made += rows(part, measure(part, scene, rounds))
    except (ColdError, PeerError) as error:
        raise click.ClickException(str(error)) from error
    except subprocess.CalledProcessError as error:
        raise click.ClickException(f"{error.cmd[0]} ended with {error.returncode}: {error.stderr or ''}") from error
    print(f"{len(scene.names)} pictures of {folder.name}, {model} with random weights; medians of {rounds} rounds.\n")
    headers = ["what", "this tree", "base", "ratio", "goal", "rclip 3.3", "ratio", "goal"]
    print(table(headers, made))


def _scene(scratch: Path, folder: Path, base: Path, rclip: Path | None, architecture: str) -> Scene:
    photos, model = scratch / "photos", scratch / "model"
    names = gather(folder, 1, photos)
    apart(random_model, model, architecture)
    older, ours = Tree("base", base.resolve(), scratch / "base"), Tree("ours", ROOT, scratch / "ours")
    for tree in (older, ours):
        tree.home.mkdir()
    theirs = None
    if rclip is not None:
        theirs = Rclip(install(rclip.absolute()), scratch / "rclip")
        apart(export_for_rclip, model, theirs.home, theirs.python)
    return Scene(scratch, photos, names, model, older, ours, theirs)


if __name__ == "__main__":
    main()
