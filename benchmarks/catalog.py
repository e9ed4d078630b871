"""Filters, facets and orders over a catalogue of a million pictures: milliseconds, and query plans.

    python benchmarks/catalog.py [--rows 1000000] [--rounds 5] [--analyze]

The catalogue is made up: twenty years, a folder for each of some 20,000 outings, 48 cameras, four pictures in ten with
a place, one in ten without a date, one in ten with keywords, one in a hundred missing. No vectors: filters do not read
them. Exits 1 when a plan reads the table of photos or contents from end to end; reading a covering index so is allowed,
and shown.

SQLite plans without statistics unless somebody ran ANALYZE; --analyze runs it first, and the plans must hold then too.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from sqlalchemy import Engine, event
from tables import table

from store.library import Library
from store.lock import locked
from store.remote import DATABASE
from store.tables.catalog import Catalog
from store.tables.facets import Facets
from store.tables.filters import (
    Choice,
    Date,
    Ext,
    Favourite,
    Filter,
    Folder,
    Name,
    Near,
    Number,
    Place,
    Real,
    Set,
    Tag,
    Text,
    Word,
    Written,
)
from store.tables.written import renew

# The name of the set that `build` makes of every third content; it does not come from the ids, which --rows changes.
_SET: Final = "0123456789ab"

CASES: Final[dict[str, tuple[Filter, ...]]] = {
    "date:2023-06-15": (Date("2023-06-15", "2023-06-15"),),
    "date:2023": (Date("2023", "2023"),),
    "-date:2023": (Date("2023", "2023", negated=True),),
    "folder:2023/06": (Folder(("2023/06",)),),
    "folder:out*7": (Folder(("out*7",)),),
    "name:img_000*": (Name(("img_000*",)),),
    "name:00123": (Name(("00123",)),),
    "name:*größe*": (Name(("*GRÖSSE*",)),),
    "ext:png": (Ext(("png",)),),
    "ext:jpg": (Ext(("jpg",)),),
    "-ext:jpg": (Ext(("jpg",), negated=True),),
    "camera:so-1": (Text("camera", ("so-1",)),),
    "-camera:sony": (Text("camera", ("sony",), negated=True),),
    "lens:7": (Text("lens", ("lens 7",)),),
    "width:>7900": (Number("width", 7900, None),),
    "height:100..120": (Number("height", 100, 120),),
    "size:<20kB": (Number("size", None, 20_000),),
    "orientation:square": (Choice("orientation", ("square",)),),
    "rating:>=4": (Number("rating", 4, None),),
    "place:kyoto": (Place("place", ("kyoto",)),),
    "country:japan": (Place("country", ("japan",)),),
    "iso:>=3200": (Number("iso", 3200, None),),
    "aperture:<2.8": (Real("aperture", None, 2.8, strict=True),),
    "exposure:1/250": (Real("exposure", 1 / 250, 1 / 250),),
    "focal:85": (Real("focal", 85, 85),),
    "label:red": (Text("label", ("red",)),),
    "keyword:word 7": (Word("keyword", ("WORD 7",)),),
    "-keyword:*7": (Word("keyword", ("*7",), negated=True),),
    "person:name 3": (Word("person", ("name 3",)),),
    "title:harbour": (Written("title", ("harbour",)),),
    "text:harb*": (Written("text", ("harb*",)),),
    "near:48.2,16.4,50": (Near(48.2, 16.4, 50),),
    "near:0,180,500": (Near(0, 180, 500),),
    "tag:best": (Tag(("BEST",)),),
    "favourite:yes": (Favourite(),),
    "folder:2023 ext:png": (Folder(("2023",)), Ext(("png",))),
    "date:2023 camera:so-1 width:>3000": (Date("2023", "2023"), Text("camera", ("so-1",)), Number("width", 3000, None)),
    "set:(every third)": (Set((_SET,)),),
    "no filter": (),
}

COLUMNS: Final = (
    "id", "hash", "size", "width", "height", "format", "orientation", "taken_at", "camera_make", "camera_model", "lens",
    "latitude", "longitude", "photo_count", "rating", "iso", "aperture", "exposure", "focal", "colour_label", "title",
    "keywords", "people", "town", "country",
)  # fmt: skip
"""What `contents` makes."""

_MAKES: Final = ("SONY", "Canon", "NIKON CORPORATION", "FUJIFILM", "Apple", "samsung")
_TOWNS: Final = (("Kyoto", "Japan"), ("Köln", "Germany"), ("Paris", "France"), (None, "Norway"), ("Oslo", "Norway"))
_WORDS: Final = ("Größe", "été", "写真", "naïve")
_F_NUMBERS: Final = (1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 1.8)
_EXTENSIONS: Final = ["jpg"] * 70 + ["JPG"] * 15 + ["heic"] * 12 + ["png"] * 2 + ["tif"]
_SIZES: Final = ((4000, 3000), (3000, 4000), (6000, 4000), (1080, 1080))


def build(folder: Path, rows: int, seed: int = 0) -> None:
    """Make a library of `rows` contents in `folder`, with as many photos, and some marks."""
    with locked(folder), Library.create(folder):
        pass
    pick = random.Random(seed)
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -1000000")
        connection.execute("BEGIN")
        connection.execute(
            "INSERT INTO roots (id, path, display, added_at, settled_photo_id) "
            "VALUES (1, x'2f70686f746f73', '/photos', '2026', 0)"
        )
        _insert(connection, "contents", contents(rows, pick), COLUMNS)
        _insert(connection, "photos", _photos(pick, rows), (
            "root_id", "path", "display", "content_id", "size", "mtime_ns", "missing_since", "folder", "name", "ext",
        ))  # fmt: skip
        connection.execute("UPDATE contents SET photo_count = 0 WHERE id % 100 = 0")
        connection.execute("INSERT INTO tags VALUES (1, 'best', 'best')")
        connection.execute("INSERT INTO content_tags SELECT 1, id FROM contents WHERE id % 500 = 1")
        connection.execute("INSERT INTO favourites SELECT id FROM contents WHERE id % 1000 = 1")
        chosen = np.arange(1, rows + 1, 3, dtype="<i8").tobytes()
        connection.execute("INSERT INTO sets VALUES (1, ?, ?, '2026')", (_SET, chosen))
        connection.execute("UPDATE contents SET photo_count = 2 WHERE id % 50 = 1")
        connection.execute("COMMIT")
    with locked(folder), Library.open(folder) as library, library.catalog.engine.begin() as written:
        renew(written, range(10, rows + 1, 10))


def _insert(
    connection: sqlite3.Connection, table: str, rows: Iterator[tuple[Any, ...]], names: tuple[str, ...]
) -> None:
    marks = ", ".join("?" * len(names))
    connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)


def contents(rows: int, pick: random.Random | None = None) -> Iterator[tuple[Any, ...]]:
    """Rows of the table of contents, with `COLUMNS`."""
    pick = pick or random.Random(0)
    for id_ in range(1, rows + 1):
        make = pick.choice(_MAKES) if pick.random() < 0.8 else None
        model = None if make is None else f"{make[:2]}-{pick.randrange(8)}"
        width, height = (
            pick.choice(_SIZES) if pick.random() < 0.8 else (pick.randint(100, 8000), pick.randint(100, 8000))
        )
        day = f"{pick.randint(2005, 2024)}-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}"
        taken = f"{day}T{pick.randrange(24):02}:{pick.randrange(60):02}:{pick.randrange(60):02}"
        latitude, longitude = pick.uniform(-60, 70), pick.uniform(-180, 180)
        placed = pick.random() < 0.4
        yield (
            id_, id_.to_bytes(32, "big"), pick.randint(10_000, 20_000_000), width, height, "JPEG", 1,
            taken if pick.random() < 0.9 else None, make, model,
            f"lens {pick.randrange(60)}" if pick.random() < 0.5 else None,
            latitude if placed else None, longitude if placed else None, 1, id_ % 9 if 1 <= id_ % 9 <= 5 else None,
            *_settings(id_), *_written(id_),
            *(_TOWNS[id_ % len(_TOWNS)] if placed else (None, None)),
        )  # fmt: skip


def _settings(id_: int) -> tuple[int | float | None, ...]:
    if id_ % 10 >= 8:
        return None, None, None, None
    return 100 << id_ % 7, _F_NUMBERS[id_ % 8], 1 / (8 << id_ % 9), (24.0, 35.0, 50.0, 85.0, 4.25)[id_ % 5]


def _written(id_: int) -> tuple[str | None, ...]:
    """Label, title, keywords and people: a picture in ten has some, with three keywords."""
    if id_ % 10:
        return None, None, None, None
    words = [f"word {id_ // 10 % 5_000}", f"group {id_ // 10 % 20}|word {id_ // 10 % 300}", "holiday"]
    return (
        ("Red", "Yellow", "Green")[id_ // 10 % 3], f"{'Harbour' if id_ % 3 else 'Street'} {id_ // 10 % 1_000}",
        json.dumps(words), json.dumps([f"Name {id_ // 10 % 40}"]),
    )  # fmt: skip


def _photos(pick: random.Random, rows: int) -> Iterator[tuple[Any, ...]]:
    for id_ in range(1, rows + 1):
        parent = f"{pick.randint(2005, 2024)}/{pick.randint(1, 12):02}/outing {pick.randrange(80)}"
        word = pick.choice(_WORDS) if pick.random() < 0.05 else pick.choice(("IMG", "DSC"))
        name, ext = f"{word}_{id_:07}", pick.choice(_EXTENSIONS)
        shown = f"{parent}/{name}.{ext}"
        missing = "2026" if id_ % 100 == 0 else None
        yield (
            1, shown.encode(), shown, id_, 1, 1, missing, f"/photos/{parent}/", f"{name}.{ext}".casefold(), ext.lower(),
        )  # fmt: skip


def plans(engine: Engine, call: Callable[[], object]) -> list[tuple[str, list[str]]]:
    """Every statement that a call runs, in order, with the lines of its plan."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    try:
        call()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        return [
            (statement, [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)])
            for statement, values in asked
            if statement.startswith(("SELECT", "WITH"))
        ]


def reads_table(line: str) -> bool:
    """Whether a line of a plan reads a whole table: photos, contents, or the full text.

    A covering index may be read from end to end.
    """
    if line.startswith("SCAN texts"):
        return line.endswith("INDEX 0:")
    return line.startswith(("SCAN photos", "SCAN contents")) and "COVERING INDEX" not in line


def calls(catalog: Catalog) -> dict[str, Callable[[], Any]]:
    """What is measured: each filter alone, and what is asked of all that pass."""
    every = catalog.matching(())
    some, few = every[:: max(1, len(every) // 300)], every[:60].tolist()
    spread = every[:: max(1, len(every) // 200)][:200].tolist()
    folder = (Folder(("20*",)),)
    found: dict[str, Callable[[], Any]] = {name: partial(catalog.matching, filters) for name, filters in CASES.items()}
    return found | {
        "photos(60)": lambda: catalog.photos(few),
        "photos(200, far apart)": lambda: catalog.photos(spread),
        "photos(60, folder ext)": lambda: catalog.photos(few, (*folder, Ext(("jpg",)))),
        "ordered(300, date)": lambda: catalog.ordered(some, "date"),
        "ordered(300, name)": lambda: catalog.ordered(some, "name"),
        "ordered(all, date)": lambda: catalog.ordered(every, "date"),
        "ordered(all, name)": lambda: catalog.ordered(every, "name"),
        "ordered(all, name, folder)": lambda: catalog.ordered(every, "name", folder),
        "photos_of(60)": lambda: catalog.photos_of(few),
        "copies(60, 6000)": lambda: catalog.copies(60, 6000),
        "copy_count": lambda: catalog.copies(1, catalog.copy_count() - 1),
        "located(all)": lambda: catalog.located()[0],
        "located(300)": lambda: catalog.located(some)[0],
        "facets(all)": lambda: catalog.facets(),
        "facets(300)": lambda: catalog.facets(some),
    }


def _size(answer: Any) -> int:
    return len(answer["folders"]) if isinstance(answer, Facets) else len(answer)


@click.command()
@click.option("--rows", default=1_000_000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--analyze", is_flag=True, help="Give SQLite statistics first.")
def main(rows: int, rounds: int, analyze: bool) -> None:
    """Print the median time and the number of results of each filter; the query plans on stderr."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        started = time.perf_counter()
        build(path, rows)
        megabytes = (path / DATABASE).stat().st_size / 1e6
        print(f"{rows:,} pictures made in {time.perf_counter() - started:.0f} s, {megabytes:,.0f} MB; "
              f"SQLite {sqlite3.sqlite_version}; medians of {rounds}\n")  # fmt: skip
        with Library.open(path) as library:
            engine = library.catalog.engine
            if analyze:
                with engine.connect() as connection:
                    connection.exec_driver_sql("ANALYZE")
            bad = 0
            said: list[tuple[str, ...]] = []
            for name, call in calls(library.catalog).items():
                times = []
                for _ in range(rounds):
                    started = time.perf_counter()
                    answer = call()
                    times.append(time.perf_counter() - started)
                said.append((f"`{name}`", f"{_size(answer):,}", f"{statistics.median(times) * 1e3:.1f}"))
                print(name, file=sys.stderr)
                for line in dict.fromkeys(line for _, lines in plans(engine, call) for line in lines):
                    if any(name in line for name in ("photos", "contents", "words", "texts")):
                        bad += reads_table(line)
                        print(f"{'':4}{'!! ' if reads_table(line) else ''}{line}", file=sys.stderr)
        print(table(("question", "gives", "ms"), said))
        if bad:
            print(f"\n{bad} plans read a whole table", file=sys.stderr)
            sys.exit(1)


if __name__ == "__main__":
    main()
