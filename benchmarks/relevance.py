"""Precision and recall at the relevance threshold, on drawn pictures whose contents are known.

    python benchmarks/relevance.py [--count 600] [--seed 5] [--without cat,bus,kite,castle]

Pictures of some kinds are left out of the library, and asked for all the same: nothing of them may be called a match.
So are things that the demo world, and the small model that knows only it, never saw. The series of pictures is not
one that the model was trained on.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Final

import click

from indexer.commands import run
from indexer.demo.captions import article
from indexer.demo.pictures import write_pictures
from indexer.demo.world import COLOURS, KINDS
from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.query.types import MAX_HITS
from sightline.searcher import Searcher
from store.library import Library

WITHOUT: Final = ("cat", "bus", "kite", "castle")
SKIES: Final = {"clear": "a sunny day", "sunset": "sunset", "night": "night", "dawn": "a sunrise", "rain": "rain"}
GROUNDS: Final = {"grass": "grass", "sand": "a beach", "snow": "snow", "water": "the sea", "road": "a road"}
UNKNOWN: Final = (
    "a helicopter", "people playing football", "a wedding", "a page of text", "a dog", "a horse", "a pizza",
    "a computer keyboard", "mountains", "a guitar", "an elephant", "a portrait of a woman", "a spoon", "a dinosaur",
    "a swimming pool", "a zebra", "a bridge", "shoes", "a baby", "a bottle of wine", "a screenshot", "hands",
)  # fmt: skip

Scene = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """A query, what makes it, and the pictures that answer it, by path."""

    text: str
    make: str
    right: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search called a strong match, by path, and what would have been right."""

    question: Question
    strong: frozenset[str]

    @property
    def precision(self) -> float:
        """The share of strong matches that are right; 1 where there are none."""
        return len(self.strong & self.question.right) / len(self.strong) if self.strong else 1.0

    @property
    def recall(self) -> float:
        """The share of the right ones that are strong matches."""
        return len(self.strong & self.question.right) / len(self.question.right)


def draw(folder: Path, count: int, seed: int, without: Sequence[str], size: tuple[int, int]) -> dict[str, Scene]:
    """Draw pictures into `folder`, without some kinds; returns what each shows, by path."""
    write_pictures(folder, count, seed, size)
    known: dict[str, Scene] = json.loads((folder / "captions.json").read_text())
    for path, scene in known.items():
        if scene["kind"] in without:
            (folder / path).unlink()
    return {path: scene for path, scene in known.items() if scene["kind"] not in without}


def questions(scenes: Mapping[str, Scene]) -> Iterator[Question]:
    """Queries of every make that two or more of these pictures answer."""

    def ask(make: str, text: str, right: dict[str, Any], wrong: dict[str, Any] | None = None) -> Iterator[Question]:
        paths = frozenset(
            path
            for path, scene in scenes.items()
            if all(scene[name] == value for name, value in right.items())
            and not any(scene[name] == value for name, value in (wrong or {}).items())
        )
        if len(paths) > 1:
            yield Question(text, make, paths)

    for kind in KINDS:
        one, many = kind.words[0]
        yield from ask("thing", article(one), {"kind": kind.name})
        for colour in COLOURS:
            yield from ask("colour and thing", f"a {colour} {one}", {"kind": kind.name, "colour": colour})
        for number, word in ((2, "two"), (3, "three")):
            yield from ask("number and thing", f"{word} {many}", {"kind": kind.name, "count": number})
        for sky, words in SKIES.items():
            both, but = {"kind": kind.name, "sky": sky}, {"sky": sky}
            yield from ask("two terms", f'"{article(one)}" "{words}"', both)
            yield from ask("a term without another", f'"{article(one)}" -"{words}"', {"kind": kind.name}, but)
    for ground, words in GROUNDS.items():
        yield from ask("ground", words, {"ground": ground})
    for sky, words in SKIES.items():
        yield from ask("sky", words, {"sky": sky})
    for colour in COLOURS:
        yield from ask("colour", f"something {colour}", {"colour": colour})


def absent(without: Sequence[str]) -> Iterator[Question]:
    """Queries that no picture answers."""
    for kind in KINDS:
        if kind.name in without:
            yield Question(article(kind.words[0][0]), "left out", frozenset())
            for colour in COLOURS:
                yield Question(f"a {colour} {kind.words[0][0]}", "left out", frozenset())
    for text in UNKNOWN:
        yield Question(text, "unknown to the model", frozenset())


def ask(searcher: Searcher, question: Question) -> Answer:
    """What the searcher calls a strong match."""
    result = searcher.search(parse(f"{question.text} dedup:off"), limit=MAX_HITS)
    return Answer(question, frozenset(hit.photo.display for hit in result.hits if hit.band == "strong"))


def by_make(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    """Answers by what makes their questions, in the order they came."""
    made: dict[str, list[Answer]] = {}
    for answer in answers:
        made.setdefault(answer.question.make, []).append(answer)
    return made


@click.command()
@click.option("--count", type=click.IntRange(min=50), default=600, show_default=True, help="Pictures to draw.")
@click.option("--seed", type=int, default=5, show_default=True, help="Of the series of pictures.")
@click.option("--without", default=",".join(WITHOUT), show_default=True, help="Kinds to leave out.")
def main(count: int, seed: int, without: str) -> None:
    """Print a Markdown table of precision and recall by the make of the query."""
    left_out = tuple(name for name in without.split(",") if name)
    with tempfile.TemporaryDirectory() as name:
        folder, library = Path(name) / "pictures", Path(name) / "library"
        scenes = draw(folder, count, seed, left_out, (320, 240))
        if run([str(folder), "--library", str(library), "--space", "demo", "--json"]):
            raise SystemExit("the pictures could not be indexed")
        searcher = Searcher(Library.open(library), Encoders(offline=True))
        known = [ask(searcher, question) for question in questions(scenes)]
        lacking = [ask(searcher, question) for question in absent(left_out)]
    print(f"\n{len(scenes)} pictures, {len(known)} queries with answers, {len(lacking)} without\n")
    print("| query | queries | precision above the threshold | recall at the threshold |\n| --- | ---: | ---: | ---: |")
    for make, answers in by_make(known).items():
        precision, recall = mean(a.precision for a in answers), mean(a.recall for a in answers)
        print(f"| {make} | {len(answers)} | {precision:.3f} | {recall:.3f} |")
    print("\n| query without an answer | queries | with any strong match | strong matches in all |")
    print("| --- | ---: | ---: | ---: |")
    for make, answers in by_make(lacking).items():
        wrong = [answer for answer in answers if answer.strong]
        print(f"| {make} | {len(answers)} | {len(wrong)} | {sum(len(a.strong) for a in wrong)} |")


if __name__ == "__main__":
    main()
