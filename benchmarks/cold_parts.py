"""The commands that `cold.py` measures, and what each needs before."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from cold_process import Cost, run
from peers import QUIET, apart
from weights import random_model

LARGE_MODEL: Final = "ViT-B-32-SigLIP2-256"
FEW: Final = 20  # pictures of a first run with a model, and beside which one is new
THREE: Final = 3  # pictures that the large model encodes, so that there is something to find
KNOWN: Final = "a boat that was asked for before"


@dataclass(frozen=True)
class Tree:
    """A checkout, with libraries and a cache folder of its own in `home`."""

    name: str
    path: Path
    home: Path

    def environment(self, cache: str = "cache") -> Mapping[str, str]:
        """What is set for its processes."""
        paths = [str(self.path), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {**QUIET, "PYTHONPATH": os.pathsep.join(paths), "SIGHTLINE_CACHE": str(self.home / cache)}

    def run(self, program: str, *words: str | Path, cache: str = "cache") -> Cost:
        """What a command of it costs."""
        command: list[str | Path] = [sys.executable, "-m", program, *words]
        return run(command, self.environment(cache), self.home, self.home / "said.log")

    def index(self, photos: Path, library: str, model: Path, *, cache: str = "cache") -> Cost:
        """What indexing a folder costs."""
        words: list[str | Path] = [
            photos,
            "--library",
            self.home / library,
            "--space",
            f"local-dir:{model}",
            "--offline",
            "--quiet",
        ]
        return self.run("indexer", "index", *words, cache=cache)

    def query(self, library: str, *words: str) -> Cost:
        """What printing the hits of a query costs."""
        return self.run("search_ui", "query", *words, "--library", self.home / library, "--offline")


@dataclass(frozen=True)
class Rclip:
    """rclip in its environment, with its data in `home`."""

    python: Path
    home: Path

    def query(self, folder: Path, words: str, *, indexes: bool = False) -> Cost:
        """What a query of the pictures in a folder costs; with `indexes` what is new is indexed before."""
        more = [] if indexes else ["--no-indexing"]
        command: list[str | Path] = [self.python, "-m", "rclip", *more, "--top", "20", "--filepath-only", words]
        environment = {**QUIET, "RCLIP_DATADIR": str(self.home), "PYTHONPATH": ""}
        return run(command, environment, folder, self.home / "said.log")

    def index_anew(self, folder: Path) -> Cost:
        """What indexing a folder and one query cost, with nothing indexed before."""
        for file in self.home.glob("db.sqlite3*"):
            file.unlink()
        return self.query(folder, "a boat", indexes=True)


@dataclass(frozen=True)
class Scene:
    """What is measured with: the pictures, by name in `photos`, the model, the programs."""

    scratch: Path
    photos: Path
    names: Sequence[str]
    model: Path
    base: Tree
    ours: Tree
    rclip: Rclip | None

    @property
    def trees(self) -> tuple[Tree, Tree]:
        """Both checkouts."""
        return self.base, self.ours

    def first(self, count: int) -> Path:
        """A folder with the first `count` pictures."""
        made = self.scratch / f"first-{count}"
        if not made.exists():
            made.mkdir()
            for name in self.names[:count]:
                shutil.copy(self.photos / name, made)
        return made


# What each side runs in a round, which is given by its number: "base", "ours", "rclip".
Sides = Mapping[str, Callable[[int], NamedTuple]]


class Goal(NamedTuple):
    """What is shown of a command, and how large the ratio of ours to the base's and to rclip's may be.

    Attributes:
        of: a field of what a side returns.
        at_least: whether the bounds are of how many times as fast ours is.
        unit: in the table, where the field's name does not say it.
    """

    of: str
    base: float | None = None
    rclip: float | None = None
    at_least: bool = False
    unit: str = ""


class Part(NamedTuple):
    """A kind of command.

    Attributes:
        name: for `--only`.
        title: for the table.
        prepare: makes what is needed, and returns what is run.
        goals: a row of the table for each.
    """

    name: str
    title: str
    prepare: Callable[[Scene], Sides]
    goals: Sequence[Goal]


def make_library(scene: Scene) -> None:
    """Index all pictures by each tree, where that was not done yet."""
    for tree in scene.trees:
        if not (tree.home / "library").exists():
            tree.index(scene.photos, "library", scene.model)


def new_words(scene: Scene) -> Sides:
    """A query of words that were never asked for."""
    make_library(scene)
    return {
        **_both(scene, lambda tree, number: tree.query("library", _never_asked(number))),
        **_rclip(scene, lambda rclip, number: rclip.query(scene.photos, _never_asked(number)), indexed=True),
    }


def large_text(scene: Scene) -> Sides:
    """The same with SigLIP 2's text tower; rclip has its own model all the same."""
    model = scene.scratch / "large"
    apart(random_model, model, LARGE_MODEL)
    ours = scene.ours
    ours.index(scene.first(THREE), "large-library", model)
    return {
        "ours": lambda number: ours.query("large-library", _never_asked(number)),
        **_rclip(scene, lambda rclip, number: rclip.query(scene.photos, _never_asked(number)), indexed=True),
    }


def known_words(scene: Scene) -> Sides:
    """A query of words that were asked for before."""
    make_library(scene)
    for tree in scene.trees:
        tree.query("library", KNOWN)
    return _both(scene, lambda tree, _: tree.query("library", KNOWN))


def facts(scene: Scene) -> Sides:
    """A query of facts only."""
    make_library(scene)
    return _both(scene, lambda tree, _: tree.query("library", "ext:jpg"))


def one_picture(scene: Scene) -> Sides:
    """Indexing a folder in which one picture is new."""
    from PIL import Image

    def add(tree: Tree, number: int) -> Cost:
        with Image.open(scene.photos / scene.names[number % len(scene.names)]) as picture:
            picture.convert("RGB").rotate(180 + number).save(_growing(tree) / f"new-{number}.jpg", quality=90)
        return tree.index(_growing(tree), "growing-library", scene.model)

    for tree in scene.trees:
        shutil.copytree(scene.first(FEW), _growing(tree))
        tree.index(_growing(tree), "growing-library", scene.model)
    return _both(scene, add)


def whole(scene: Scene) -> Sides:
    """Indexing all pictures into a new library, with a model that was used before."""

    def anew(tree: Tree, _: int) -> Cost:
        shutil.rmtree(tree.home / "whole-library", ignore_errors=True)
        return tree.index(scene.photos, "whole-library", scene.model)

    return {**_both(scene, anew), **_rclip(scene, lambda rclip, _: rclip.index_anew(scene.photos))}


def first_run(scene: Scene) -> Sides:
    """Indexing with a model that this machine never used."""

    def anew(tree: Tree, _: int) -> Cost:
        for made in ("first-library", "first-cache"):
            shutil.rmtree(tree.home / made, ignore_errors=True)
        return tree.index(scene.first(FEW), "first-library", scene.model, cache="first-cache")

    return _both(scene, anew)


def status(scene: Scene) -> Sides:
    """The indexer's `status`."""
    make_library(scene)
    return _both(scene, lambda tree, _: tree.run("indexer", "status", "--library", tree.home / "library"))


def no_news(scene: Scene) -> Sides:
    """Indexing a folder in which nothing changed."""
    make_library(scene)
    return _both(scene, lambda tree, _: tree.index(scene.photos, "library", scene.model))


def _both(scene: Scene, cost: Callable[[Tree, int], Cost]) -> Sides:
    def side(tree: Tree) -> Callable[[int], Cost]:
        return lambda number: cost(tree, number)

    return {tree.name: side(tree) for tree in scene.trees}


def _rclip(scene: Scene, cost: Callable[[Rclip, int], Cost], *, indexed: bool = False) -> Sides:
    rclip = scene.rclip
    if rclip is None:
        return {}
    if indexed:
        rclip.index_anew(scene.photos)
    return {"rclip": lambda number: cost(rclip, number)}


def _never_asked(number: int) -> str:
    return f"the lighthouse of the island number {number + 2}"


def _growing(tree: Tree) -> Path:
    return tree.home / "growing"


PARTS: Final = (
    Part(
        "new-words", "cold query of new words", new_words,
        [Goal("processor", 0.15, 1.2), Goal("memory", 0.25, 1.2), Goal("clock")],
    ),
    Part(
        "large-text", f"the same, {LARGE_MODEL}", large_text,
        [Goal("processor", None, 1.6 / 1.2), Goal("memory", None, 520 / 450), Goal("clock")],
    ),
    Part("known-words", "cold query of known words", known_words, [Goal("processor", 0.45), Goal("memory", 0.4)]),
    Part("facts", "cold query of facts only", facts, [Goal("processor", 0.45), Goal("memory", 0.4)]),
    Part("one-picture", "cold index of one new picture", one_picture, [Goal("processor", 0.25), Goal("memory", 0.3)]),
    Part(
        "whole", "whole process over all pictures", whole,
        [Goal("clock", None, 1.5, at_least=True), Goal("processor"), Goal("memory")],
    ),
    Part("first-run", f"first run with a model, {FEW} pictures", first_run, [Goal("processor", 1.5), Goal("memory")]),
    Part("status", "`status`", status, [Goal("processor", 0.5), Goal("memory")]),
    Part("no-news", "run without news", no_news, [Goal("processor", 0.8), Goal("memory")]),
)  # fmt: skip
