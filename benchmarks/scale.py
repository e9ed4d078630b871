"""Searching 100,000, 1 million and 10 million vectors: each of our tiers beside other libraries.

    python benchmarks/scale.py [--sizes 100000] [--engine NAME]... [--rounds 3] [--limit-minutes 20] [--scratch FOLDER]

Vectors and queries are made as scale_data.py says, 512 wide and in half precision; the right answers are exact, in
single precision. scale_engines.py has what is compared and its settings. Each index is built by a process of its own
and asked by another: memory is what the second one's resident set grew by while it answered, and in brackets the part
of it that is mapped files, which the system takes back when something else needs the memory. hnswlib and usearch are
no part of Sightline: `pip install hnswlib usearch` puts them beside it, and what is missing is named and left out. An
index that needs more memory than is free (--memory says otherwise), or more minutes than --limit-minutes, is not run,
and the table says so.

In every round each index is opened and asked, one after the other; numbers are medians of the rounds, and times against
IndexFlatIP medians of the rounds' ratios. Latency is of one text-like query at a time; then 16 clients ask at once.
Filters keep random ids, and their recall is against the best of those. `open` is to the first answer, and its ratio is
to reading every byte of the index from the system's cache into fresh memory.

Sets and indexes are kept in --scratch and found there again; without it they are made and removed. --record adds what
was measured to docs/scale.json, and draws docs/scale.svg, the cost by size, from all that it has.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from curves import draw
from scale_data import SHARES, Data, free_memory, make
from scale_engines import ENGINES
from search import numbers
from tables import table

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
EXACT = "IndexFlatIP"
Row = dict[str, Any]


def measure(data: Data, names: Sequence[str], rounds: int, limit: float, seconds: float, memory: int) -> dict[str, Row]:
    """Build every index of `names`, then ask them in rounds; results by name, or {"not run": why}."""
    found: dict[str, Row] = {}
    count, dim = data.facts["count"], data.facts["dim"]
    for name in names:
        need = ENGINES[name].memory(count, dim)
        if need > memory:
            found[name] = {"not run": f"would need {need / 1e9:.1f} GB of memory; {memory / 1e9:.1f} may be used"}
            continue
        folder = data.folder / name
        if not (folder / "built.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            result = _run("build", name, data.folder, folder, limit)
            if "not run" not in result:
                (folder / "built.json").write_text(json.dumps(result))
            found[name] = result
        else:
            found[name] = json.loads((folder / "built.json").read_text())
        print(f"{count:,}: {name}: {found[name]}", file=sys.stderr)
    asked: dict[str, list[Row]] = {name: [] for name in names if "not run" not in found[name]}
    for _ in range(rounds):
        for name, own in asked.items():
            if "not run" not in found[name]:
                result = _run("ask", name, data.folder, data.folder / name, limit, seconds)
                found[name] |= result if "not run" in result else {}
                own.append(result)
                print(f"{count:,}: {name}: {result}", file=sys.stderr)
    for name, own in asked.items():
        if "not run" not in found[name]:
            found[name] |= median(own)
            if "not run" not in found.get(EXACT, {"not run": ""}):
                for variant, searched in found[name]["variants"].items():
                    ratios = [
                        theirs["variants"]["0"]["text"]["median"] / mine["variants"][variant]["text"]["median"]
                        for mine, theirs in zip(own, asked[EXACT], strict=True)
                    ]
                    searched["faster"] = statistics.median(ratios)
    return found


def _run(what: str, name: str, data: Path, folder: Path, limit: float, *more: object) -> Row:
    """The line of JSON of scale_process.py, or why there is none."""
    command = [sys.executable, *map(str, (HERE / "scale_process.py", what, name, data, folder, *more))]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60 * limit)
    except subprocess.TimeoutExpired:
        return {"not run": f"took more than {limit:g} minutes to {what}"}
    if done.returncode:
        return {"not run": f"ended with {done.returncode} ({what})"}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def median(rounds: Sequence[Any]) -> Any:
    """The same shape as each of `rounds`, with the medians of their numbers."""
    first = rounds[0]
    if isinstance(first, dict):
        return {key: median([own[key] for own in rounds]) for key in first}
    return None if first is None else statistics.median(rounds)


def costs(found: dict[str, Row]) -> str:
    """A Markdown table of what building, holding, opening and changing cost."""
    rows = []
    for name, own in found.items():
        if "not run" in own:
            rows.append([name, f"not run: {own['not run']}", *[""] * 7])
            continue
        mapped = f" ({own['mapped'] / 1e6:,.0f})" if own["mapped"] > 1e7 else ""
        rows.append([
            name, f"{own['seconds']:.1f}", f"{own['peak'] / 1e6:,.0f}", f"{own['disk'] / 1e6:,.0f}",
            f"{own['memory'] / 1e6:,.0f}{mapped}", f"{1e3 * own['open']:,.0f}", f"{own['open'] / own['read']:.2f}",
            f"{own['add']:,.0f}", "can't" if own["remove"] is None else f"{own['remove']:,.0f}",
        ])  # fmt: skip
    return table(
        ["index", "build, s", "while building, MB", "disk, MB", "memory, MB (mapped)", "open, ms", "to a full read",
         "added/s", "deleted/s"], rows,
    )  # fmt: skip


def searches(found: dict[str, Row]) -> str:
    """A Markdown table of latency and recall."""
    rows = []
    for name, own in found.items():
        for variant, searched in own.get("variants", {}).items():
            text, many = searched["text"], searched["clients"]
            rows.append([
                name + (f", {ENGINES[name].label}{variant}" if variant != "0" else ""), f"**{text['recall']:.3f}**",
                f"{searched['picture']['recall']:.3f}", f"{1e3 * text['median']:.2f}", f"{1e3 * text['p95']:.2f}",
                f"{searched['faster']:.1f}" if "faster" in searched else "", f"{1e3 * many['median']:.2f}",
                f"{1e3 * many['p95']:.1f}", f"{many['rate']:,.0f}",
            ])  # fmt: skip
    return table(
        ["index", "recall@10, texts", "pictures", "median, ms", "p95, ms", f"faster than {EXACT}",
         "16 clients: median, ms", "p95, ms", "queries/s"], rows,
    )  # fmt: skip


def filters(found: dict[str, Row]) -> str:
    """A Markdown table of filtered searches: recall and median by the share that passes."""
    rows = []
    for name, own in found.items():
        if own.get("filters"):
            cells = [own["filters"][str(share)] for share in SHARES]
            usual = next(iter(own["variants"].values()))["text"]
            rows.append([
                name, *(f"{cell['recall']:.3f} in {1e3 * cell['median']:.2f}" for cell in cells),
                f"{1e3 * usual['median']:.2f}",
            ])  # fmt: skip
    return table(["recall@10 in ms", *(f"{share:.2%} pass" for share in SHARES), "no filter, ms"], rows)


def report(count: int, dim: int, found: dict[str, Row]) -> str:
    """All tables of one size."""
    title = f"{count:,} vectors of {dim} numbers"
    return f"{title}: building, holding, changing\n\n{costs(found)}\n\nSearching\n\n{searches(found)}\n\n" + (
        f"Searching among some\n\n{filters(found)}\n"
    )


def chosen(_context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> list[str]:
    """The engines asked for, or all; those that are not installed are left out, with a message."""
    names = list(value or ENGINES)
    missing = [name for name in names if find_spec(ENGINES[name].module) is None]
    if missing:
        modules = " ".join(dict.fromkeys(ENGINES[name].module for name in missing))
        print(f"left out: {', '.join(missing)}; to have them: pip install {modules}", file=sys.stderr)
    return [name for name in names if name not in missing]


@click.command()
@click.option("--sizes", default="100000", show_default=True, callback=numbers, help="Vectors.")
@click.option("--dim", default=512, show_default=True, type=click.IntRange(8))
@click.option("--queries", default=200, show_default=True, type=click.IntRange(4), help="Of each kind.")
@click.option(
    "--engine", "engines", multiple=True, type=click.Choice(list(ENGINES)), callback=chosen, help="Default: all."
)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--limit-minutes", default=20.0, show_default=True, help="For building an index, and for asking it once.")
@click.option("--seconds", default=10.0, show_default=True, help="At most, for each kind of question in a round.")
@click.option("--memory", type=float, default=None, help="GB that an index may use. Default: what is free.")
@click.option("--scratch", type=click.Path(file_okay=False, path_type=Path), help="Keep sets and indexes here.")
@click.option("--record", is_flag=True, help="Add to docs/scale.json and draw docs/scale.svg.")
def main(
    sizes: list[int], dim: int, queries: int, engines: list[str], rounds: int, limit_minutes: float, seconds: float,
    memory: float | None, scratch: Path | None, record: bool,
) -> None:  # fmt: skip
    """Measure searching at some sizes and print Markdown tables."""
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            print(f"{size:,}: making vectors and right answers", file=sys.stderr)
            data = make((scratch or Path(name)) / f"{size}x{dim}", size, dim, queries)
            allowed = round(1e9 * memory) if memory else free_memory()
            found = measure(data, engines, rounds, limit_minutes, seconds, allowed)
        print(report(size, dim, found))
        if record:
            _record(size, found)


def _record(size: int, found: dict[str, Row]) -> None:
    path = DOCS / "scale.json"
    every: dict[str, dict[str, Row]] = json.loads(path.read_text()) if path.exists() else {}
    every[str(size)] = found
    path.write_text(json.dumps(every, indent=1) + "\n")
    (DOCS / "scale.svg").write_text(draw(every), encoding="utf-8")


if __name__ == "__main__":
    main()
